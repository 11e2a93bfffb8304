package qemu

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReleases(t *testing.T) {
	names := Releases()
	require.Contains(t, names, "11.1")
	require.True(t, slices.IsSortedFunc(names, Compare))
	for _, name := range names {
		fsys, err := FS(name)
		require.NoError(t, err)
		version, err := fs.ReadFile(fsys, "VERSION")
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(version), name+"."), "%s: %s", name, version)
		require.Equal(t, 2, strings.Count(string(version), "\n"))
		// No sentence of QEMU's may get into the module: every comment must have one of
		// a few forms.
		require.NoError(t, fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || path == "VERSION" || path == "devices.txt" {
				return err
			}
			text, err := fs.ReadFile(fsys, path)
			for i, line := range strings.Split(string(text), "\n") {
				if strings.Contains(line, "#") {
					assert.True(t, isFact(line, i), "%s/%s:%d: not a fact: %s", name, path, i+1, line)
				}
			}
			return err
		}))
	}
	_, err := FS("4.2")
	require.EqualError(t, err, `there is no schema of QEMU "4.2"; there are those of 5.2, 6.0, 6.1, 6.2, 7.0, 7.1, 7.2, 8.0, 8.1, 8.2, 9.0, 9.1, 9.2, 10.0, 10.1, 10.2, 11.1`)
	_, err = FS("../qemu")
	require.Error(t, err)
	_, err = Load("4.2", QMP)
	require.Error(t, err)
}

// isFact reports whether a comment has one of the forms of facts.
func isFact(line string, i int) bool {
	words := strings.Fields(line)
	switch {
	case i == 0:
		return line == "# The facts of a QAPI schema, written by goqapi. Do not edit."
	case line == "##" || line == "#" || line == "# Features:":
		return true
	case len(words) == 3 && words[1] == "Since:":
		return true
	case len(words) < 2 || words[1][0] != '@' || !strings.HasSuffix(words[1], ":"):
		return false
	case len(words) == 2:
		return true
	case len(words) == 3:
		return words[2] == "-"
	}
	return len(words) == 4 && words[2] == "(since" && strings.HasSuffix(words[3], ")")
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"5.2", "10.0", -1}, {"10.2", "10.0", 1}, {"7.2", "7.2", 0}, {"7.2", "7.2.1", -1}, {"7.2.0", "7.2", 0}} {
		require.Equal(t, c.want, Compare(c.a, c.b), "%s %s", c.a, c.b)
		require.Equal(t, -c.want, Compare(c.b, c.a), "%s %s", c.b, c.a)
	}
}

// TestMerge checks that the releases can be merged, and that all exceptions to the rules
// are needed.
func TestMerge(t *testing.T) {
	for _, root := range []string{QMP, QGA} {
		m, err := Merge(root)
		require.NoError(t, err)
		require.Equal(t, Releases(), m.Releases)
		if root == QMP {
			require.Empty(t, m.UnusedRows())
		}
	}
}

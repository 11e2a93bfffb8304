package corpus

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/gotool"
)

// kept are the folders of the authors' corpus that are in testdata as well.
var kept = []string{"captures/7.2", "captures/10.0", "devices/7.2/accepted.json", "devices/11.1/accepted.json"}

// prose matches sentences of QEMU in its replies, which are not facts.
var prose = regexp.MustCompile(`"(help|description)": "(?:[^"\\]|\\.)*"`)

// facts returns the content that a file of the authors' corpus has in testdata; nil if it is left out.
func facts(t *testing.T, path string) []byte {
	t.Helper()
	if filepath.Base(path) == "qsd-query-qmp-schema.json" { // large, and like QEMU's
		return nil
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return prose.ReplaceAll(text, []byte(`"$1": "text"`))
}

// TestOwn compares testdata with the authors' corpus. UPDATE=1 writes it again.
func TestOwn(t *testing.T) {
	root := gotool.Root(t)
	all := folders(t)[0]
	for _, name := range kept {
		if _, err := os.Stat(filepath.Join(all, name)); err != nil {
			missing(t)("the authors' corpus is not there: %v", err)
		}
		require.NoError(t, filepath.WalkDir(filepath.Join(all, name), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			want := facts(t, path)
			rel, err := filepath.Rel(all, path)
			if err != nil || want == nil {
				return err
			}
			compare(t, filepath.Join(own(root), rel), want)
			return nil
		}))
	}
}

func compare(t *testing.T, path string, want []byte) {
	t.Helper()
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, want, 0o666))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(want, got), "%s is not what UPDATE=1 writes", path) // which are long
}

// TestNoProse checks that testdata contains no sentence of QEMU.
func TestNoProse(t *testing.T) {
	seen := 0
	require.NoError(t, filepath.WalkDir("testdata", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, found := range prose.FindAllString(string(text), -1) {
			_, words, _ := strings.Cut(found, ": ")
			assert.Equal(t, `"text"`, words, path)
			seen++
		}
		return err
	}))
	assert.NotZero(t, seen)
}

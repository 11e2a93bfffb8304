package describe

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/arguments"
	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

func library(t *testing.T, release string) *Library {
	t.Helper()
	l, err := New(release)
	require.NoError(t, err)
	return l
}

// Everything in a release can be shown, in lines that fit, and qapi call would send the
// example of each command.
func TestAll(t *testing.T) {
	for _, release := range []string{"5.2", "11.1"} {
		l := library(t, release)
		for i, name := range l.names() {
			if isDevice := l.deviceType(name) != nil; isDevice && i%20 > 0 && os.Getenv("QAPI_LONG") == "" {
				continue // the others are similar
			}
			if testing.Short() && i%5 > 0 {
				continue
			}
			e, err := l.Lookup(name)
			if !assert.NoError(t, err, name) {
				continue
			}
			_, err = json.Marshal(e)
			require.NoError(t, err)
			for _, width := range []int{40, 80} {
				var b bytes.Buffer
				require.NoError(t, e.Print(term.Terminal(&b, width, 24)))
				checkWidth(t, e, plain(b.String()), width)
			}
		}
		for _, b := range l.books {
			for _, c := range b.Commands() {
				e, err := l.Lookup(c.Name)
				require.NoError(t, err)
				checkExample(t, l, b, c, e.Example[0])
			}
		}
	}
}

// plain returns text without the escape sequences for colours.
func plain(text string) string {
	for _, s := range []term.Style{term.Bold, term.Dim, term.Cyan, term.Yellow, ""} {
		text = strings.ReplaceAll(text, "\x1b["+string(s)+"m", "")
	}
	return text
}

// checkWidth checks that lines fit, except those with one long name, and examples.
func checkWidth(t *testing.T, e *Entry, text string, width int) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		isExample := len(e.Example) > 0 && strings.TrimSpace(line) == e.Example[0]
		isTitle := strings.HasSuffix(line, ", QEMU "+e.Release)
		assert.NotContains(t, line, "\x1b", e.Name)
		assert.False(t, strings.HasSuffix(line, " "), "%s: %q", e.Name, line)
		if !isExample && !isTitle && len(strings.Fields(line)) > 1 && !strings.Contains(line, "=") {
			assert.LessOrEqual(t, term.Width(line), width, "%s: columns of %q", e.Name, line)
		}
	}
}

func checkExample(t *testing.T, l *Library, b *book, c *schema.Command, line string) {
	t.Helper()
	words := strings.Fields(strings.ReplaceAll(line, "JSON", "1"))
	prefix := 3
	if b.agent {
		prefix = 4
	}
	assert.Equal(t, c.Name, words[prefix], line)
	from := arguments.Sources{ReadFile: func(string) ([]byte, error) { return []byte("c2VjcmV0"), nil }}
	_, err := arguments.Parse(c.Name, c, l.devices, words[prefix+1:], from)
	if err != nil {
		assert.Fail(t, "an example that qapi refuses", "%s: %v", line, err)
	}
}

// The optional arguments in examples exist.
func TestWithOptional(t *testing.T) {
	l := library(t, "")
	for name, optional := range withOptional {
		e, err := l.Lookup(name)
		require.NoError(t, err)
		for _, arg := range optional {
			assert.Contains(t, e.Example[0], " "+arg+"", "%s", name)
		}
	}
	for enum, value := range usual {
		e, ok := lookup(l, enum).(*schema.Enum)
		if assert.True(t, ok, enum) {
			assert.NotNil(t, e.Value(value), "%s=%s", enum, value)
		}
	}
}

func lookup(l *Library, name string) schema.Definition {
	for _, b := range l.books {
		if def := b.Lookup(name); def != nil {
			return def
		}
	}
	return nil
}

// The texts for people are compared with files: UPDATE=1 writes them.
func TestText(t *testing.T) {
	for file, c := range map[string]struct{ release, name string }{
		"eject":        {"11.1", "eject"},
		"eject-5.2":    {"5.2", "eject"},
		"set_password": {"11.1", "set_password"},
		"qcow2":        {"7.2", "blockdev-add/driver=qcow2"},
		"result":       {"11.1", "query-jobs->"},
		"event":        {"11.1", "event JOB_STATUS_CHANGE"},
		"enum":         {"11.1", "MirrorSyncMode"},
		"alternate":    {"11.1", "BlockdevRefOrNull"},
		"union":        {"11.1", "SocketAddress"},
		"agent":        {"11.1", "guest-exec"},
		"device":       {"11.1", "isa-serial"},
		"property":     {"11.1", "virtio-blk-pci/iothread-vq-mapping"},
	} {
		e, err := library(t, c.release).Lookup(c.name)
		require.NoError(t, err)
		var b bytes.Buffer
		require.NoError(t, e.Print(term.New(&b, func(string) string { return "" })))
		path := filepath.Join("testdata", file+".txt")
		if os.Getenv("UPDATE") != "" {
			require.NoError(t, os.MkdirAll("testdata", 0o755))
			require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Empty(t, cmp.Diff(string(want), b.String()), "%s: UPDATE=1 writes it", path)
	}
}

func TestUnknown(t *testing.T) {
	for _, c := range []struct{ release, name, want string }{
		{"11.1", "ejct", `there is no "ejct" in QEMU 11.1; did you mean eject?`},
		{"11.1", "block_job_completed", `there is no "block_job_completed" in QEMU 11.1; did you mean BLOCK_JOB_COMPLETED?`},
		{"11.1", "iothread", `there is no "iothread" in QEMU 11.1; did you mean object-add/qom-type=iothread?`},
		{"11.1", "query-cpus", `QEMU 11.1 has no "query-cpus": it is in QEMU 5.2 only, and query-cpus-fast has replaced it; -r chooses a release`},
		{"5.2", "query-stats", `QEMU 5.2 has no "query-stats": it is in QEMU 7.1 and later; -r chooses a release`},
		{"11.1", "xyzzy", `there is no "xyzzy" in QEMU 11.1`},
		{"11.1", "", `there is no "" in QEMU 11.1`},
		{"11.1", "eject/forse", `eject: there is no member "forse"; did you mean force?`},
		{"11.1", "blockdev-add/driver=qcow", ""},
		{"11.1", "blockdev-add/driver=qcow3", `blockdev-add: driver has no value "qcow3"; did you mean qcow or qcow2?`},
		{"11.1", "eject/force=yes", `eject: force is not an enum`},
		{"11.1", "eject->", `command eject returns nothing`},
		{"11.1", "STOP->", `event STOP returns nothing`},
		{"11.1", "MirrorSyncMode/ful", `enum MirrorSyncMode has no value "ful"; did you mean full?`},
		{"11.1", "isa-serial/chardv", `device isa-serial has no property "chardv"; did you mean chardev?`},
		{"11.1", "virtio-blk", ""},
		{"11.1", "isa-seriall", `there is no "isa-seriall" in QEMU 11.1; did you mean isa-serial?`},
	} {
		_, err := library(t, c.release).Lookup(c.name)
		if c.want == "" {
			assert.NoError(t, err)
			continue
		}
		assert.EqualError(t, errors.Join(err), c.want)
	}
	_, err := New("4.0")
	assert.ErrorContains(t, err, `there is no schema of QEMU "4.0"`)
}

// JSON has what a program needs.
func TestJSON(t *testing.T) {
	e, err := library(t, "").Lookup("blockdev-add/driver=nbd/server/type=unix/path")
	require.NoError(t, err)
	text, err := json.Marshal(e)
	require.NoError(t, err)
	newest := qemu.Releases()[len(qemu.Releases())-1]
	assert.JSONEq(t, `{"name":"blockdev-add/driver=nbd/server/type=unix/path","kind":"argument","release":"`+newest+`","type":"str","text":"Path of the socket in the file system, or name of an abstract one. About 107 bytes at most."}`, string(text))
}

func BenchmarkDescribe(b *testing.B) {
	for b.Loop() {
		l, err := New("")
		require.NoError(b, err)
		_, err = l.Lookup("blockdev-add")
		require.NoError(b, err)
	}
}

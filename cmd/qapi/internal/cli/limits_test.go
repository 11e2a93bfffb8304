package cli

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
)

// bomb is an archive of large files, which would be tiny if compressed.
func bomb(t *testing.T, files int, name string, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bomb.tar")
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	w := tar.NewWriter(f)
	zeros := make([]byte, 1<<20)
	for i := range files {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: fmt.Sprintf("qemu-1.0.0/"+name, i), Mode: 0o644, Size: size}))
		for n := size; n > 0; n -= int64(len(zeros)) {
			_, err := w.Write(zeros[:min(n, int64(len(zeros)))])
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	return path
}

// TestImportBombs reads no more from an archive than a schema needs, and leaves nothing on disk.
func TestImportBombs(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	for _, c := range []struct{ archive, want string }{
		{bomb(t, 60, "qapi/f%d.json", 1<<20), "the schema files have more than 33554432 bytes; the last one was qapi/f32.json"},
		{bomb(t, 1200, "qga/f%d.json", 0), "there are more than 1000 schema files"},
		{bomb(t, 1, "qapi/\x1b[2J%d.json", 33<<20), `the last one was qapi/\x1b[2J0.json`},
	} {
		out := filepath.Join(t.TempDir(), "out")
		require.NoError(t, os.Mkdir(out, 0o700))
		code, _, stderr := run(t, "import", "-out", out, c.archive)
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stderr, c.want)
		entries, err := os.ReadDir(out)
		require.NoError(t, err)
		require.Empty(t, entries)
	}
	entries, err := os.ReadDir(temp)
	require.NoError(t, err)
	for _, e := range entries {
		assert.NotContains(t, e.Name(), "qapi-import", "something is left")
	}
}

// TestUnpackedSize ends with an archive that never ends.
func TestUnpackedSize(t *testing.T) {
	u := &unpacker{ctx: t.Context(), left: 1 << 20}
	require.EqualError(t, u.untar(endless{}), "the archive has more than 4294967296 bytes when it is unpacked")
}

// endless is a tar file whose entries are empty and never end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	var buf bytes.Buffer
	_ = tar.NewWriter(&buf).WriteHeader(&tar.Header{Name: "x", Mode: 0o644})
	for n := 0; n < len(p); {
		n += copy(p[n:], buf.Bytes())
	}
	return len(p) - len(p)%buf.Len(), nil
}

// TestImportWritesAtTheEnd checks that nothing is on disk while an archive is read, so
// that nothing is left if the program is ended.
func TestImportWritesAtTheEnd(t *testing.T) {
	temp, out := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temp)
	data := gzipped(t, archive(t, "11.1", "11.2.0"))
	half, looked := make(chan struct{}), make(chan struct{})
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(data[:len(data)-1000])
		w.(http.Flusher).Flush()
		close(half)
		<-looked
		_, _ = w.Write(data[len(data)-1000:])
	}))
	defer srv.Close()
	trust(t, srv)
	done := make(chan int)
	go func() {
		a := &app{out: io.Discard, errOut: io.Discard}
		done <- a.run(t.Context(), []string{"import", "-out", out, srv.URL})
	}()
	<-half
	for _, dir := range []string{temp, out} {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, entries, dir)
	}
	close(looked)
	require.Equal(t, exit.OK, <-done)
}

// TestLinksOutOfTheTree checks that a schema that is a link out of the tree is an error, and not
// ignored.
func TestLinksOutOfTheTree(t *testing.T) {
	outside := writeFiles(t, map[string]string{"qapi-schema.json": "{ 'command': 'a' }"})
	for name, link := range map[string]func(dir string) error{
		"file": func(dir string) error {
			require.NoError(t, os.Mkdir(filepath.Join(dir, "qapi"), 0o700))
			return os.Symlink(filepath.Join(outside, "qapi-schema.json"), filepath.Join(dir, "qapi", "qapi-schema.json"))
		},
		"folder": func(dir string) error { return os.Symlink(outside, filepath.Join(dir, "qapi")) },
		"folder that is not there": func(dir string) error {
			return os.Symlink("nowhere", filepath.Join(dir, "qapi"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := writeFiles(t, map[string]string{"qga/qapi-schema.json": "{ 'command': 'g' }"})
			require.NoError(t, link(dir))
			for _, command := range [][]string{{"check", dir}, {"dump", dir}, {"diff", dir, "11.1"}, {"import", "-out", t.TempDir(), "-release", "1.0", dir}} {
				code, _, stderr := run(t, command...)
				require.Equal(t, exit.Failed, code, "%q", command)
				require.Regexp(t, "qapi/qapi-schema.json: the schema cannot be read|path escapes", stderr)
			}
		})
	}
	// The same is true for the file with the version of the release.
	dir := writeFiles(t, map[string]string{"qapi/qapi-schema.json": "", "qga/qapi-schema.json": ""})
	require.NoError(t, os.Symlink(filepath.Join(outside, "VERSION"), filepath.Join(dir, "VERSION")))
	code, _, stderr := run(t, "import", "-out", t.TempDir(), "-release", "1.0", dir)
	require.Equal(t, exit.Failed, code)
	require.Contains(t, stderr, "path escapes")
}

// TestGreedyXZ has an archive whose header asks for 4 GiB of memory.
func TestGreedyXZ(t *testing.T) {
	data := compressed(t, "xz", []byte("text"))
	const header = 12 // the header of the stream; the header of the block follows
	block := data[header : header+4*(int(data[header])+1)]
	require.Equal(t, []byte{0x21, 1}, block[2:4], "the filter is LZMA2, with one byte of properties")
	block[4] = 40
	binary.LittleEndian.PutUint32(block[len(block)-4:], crc32.ChecksumIEEE(block[:len(block)-4]))
	_, err := extract(t.Context(), bytes.NewReader(data))
	require.ErrorContains(t, err, "xz cannot unpack the archive: Memory usage limit reached")
}

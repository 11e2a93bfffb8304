package facts

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"io"
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema/qemu"
)

// TestFacts compares the archive with the files of package schema/qemu. UPDATE=1 writes it again.
func TestFacts(t *testing.T) {
	if os.Getenv("UPDATE") == "1" {
		compressed = pack(t)
		require.NoError(t, os.WriteFile("releases.zip", compressed, 0o666))
	}
	require.Equal(t, qemu.Releases(), Releases(), "the archive is not current: see UPDATE=1 in CONTRIBUTING.md")
	assert.Equal(t, qemu.DeviceReleases(), DeviceReleases())
	for _, release := range Releases() {
		want, err := qemu.FS(release)
		require.NoError(t, err)
		got, err := FS(release)
		require.NoError(t, err)
		assert.Equal(t, read(t, want), read(t, got), "%s in the archive is not current: see UPDATE=1 in CONTRIBUTING.md", release)
	}
}

// read returns the texts of all files, by their paths.
func read(t *testing.T, files fs.FS) map[string]string {
	t.Helper()
	texts := map[string]string{}
	require.NoError(t, fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, path)
		texts[path] = string(text)
		return err
	}))
	return texts
}

// pack makes the archive. The same files make the same bytes.
func pack(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, flate.BestCompression) })
	for _, release := range qemu.Releases() {
		files, err := qemu.FS(release)
		require.NoError(t, err)
		require.NoError(t, fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := fs.ReadFile(files, path)
			require.NoError(t, err)
			f, err := w.Create(release + "/" + path)
			require.NoError(t, err)
			_, err = f.Write(text)
			return err
		}))
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		_, err := Load("11.1", QMP)
		require.NoError(b, err)
	}
}

package describe

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

	"github.com/goqapi/goqapi/generator/descriptions"
)

// TestTexts compares the archive with the files of package descriptions. UPDATE=1 writes it again.
func TestTexts(t *testing.T) {
	want := map[string]string{}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, flate.BestCompression) })
	for _, target := range []string{"device", "qga", "qmp"} {
		files, err := fs.Glob(descriptions.Files(target), "*")
		require.NoError(t, err)
		for _, file := range files {
			text, err := fs.ReadFile(descriptions.Files(target), file)
			require.NoError(t, err)
			want[target+"/"+file] = string(text)
			f, err := w.Create(target + "/" + file)
			require.NoError(t, err)
			_, err = f.Write(text)
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	if os.Getenv("UPDATE") != "" {
		compressed = out.Bytes()
		require.NoError(t, os.WriteFile("texts.zip", compressed, 0o666))
	}
	got := map[string]string{}
	for _, f := range archive().File {
		text, err := fs.ReadFile(archive(), f.Name)
		require.NoError(t, err)
		got[f.Name] = string(text)
	}
	assert.Equal(t, want, got, "the archive is not current: UPDATE=1 writes it")
}

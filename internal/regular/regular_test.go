package regular_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/regular"
)

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(file("five"), []byte("12345"), 0o600))
	require.NoError(t, os.Mkdir(file("folder"), 0o700))
	require.NoError(t, os.Symlink("five", file("link")))
	require.NoError(t, os.WriteFile(file("sparse"), nil, 0o600))
	require.NoError(t, os.Truncate(file("sparse"), 30<<30)) // takes no space
	fsys := os.DirFS(dir)

	for _, name := range []string{"five", "link"} {
		text, err := regular.ReadFile(fsys, name, 5)
		require.NoError(t, err, name)
		assert.Equal(t, "12345", string(text), name)
	}
	for name, want := range map[string]string{
		"five":   "read five: it has 5 bytes; the limit is 4",
		"sparse": "read sparse: it has 32212254720 bytes; the limit is 4",
		"folder": "read folder: it is a folder, not a regular file",
	} {
		_, err := regular.ReadFile(fsys, name, 4)
		assert.EqualError(t, err, want)
		var named *fs.PathError
		require.ErrorAs(t, err, &named)
		assert.Equal(t, name, named.Path)
	}
	_, err := regular.ReadFile(fsys, "folder", 4)
	assert.ErrorIs(t, err, regular.ErrIrregular)
	_, err = regular.ReadFile(fsys, "none", 4)
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

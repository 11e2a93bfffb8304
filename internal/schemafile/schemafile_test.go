package schemafile

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// writeTree writes the files of a source tree and goes to the folder above it.
func writeTree(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		path := filepath.Join("tree", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
}

var bad = map[string]string{
	"qapi/qapi-schema.json": "{ 'include': 'sub/bad.json' }",
	"qapi/sub/bad.json":     "{ 'command': 'c', 'data': 'Missing' }",
	"qapi/outside.json":     "{ 'include': '../../other.json' }",
}

func TestErrorsNameFilesAsTheUser(t *testing.T) {
	writeTree(t, bad)
	require.NoError(t, os.Mkdir("here", 0o700))
	abs, err := filepath.Abs("tree")
	require.NoError(t, err)

	for _, c := range []struct{ dir, file, folder, want string }{
		{".", "tree/qapi/qapi-schema.json", "tree", "tree/qapi/sub/bad.json:1"},
		{"tree/qapi", "qapi-schema.json", "..", "sub/bad.json:1"},
		{"here", "../tree/qapi/qapi-schema.json", "../tree", "../tree/qapi/sub/bad.json:1"},
		{"here", filepath.Join(abs, "qapi/qapi-schema.json"), abs, filepath.Join(abs, "qapi/sub/bad.json:1")},
		{"here", "../tree/qapi/qapi-schema.json", abs, "../tree/qapi/sub/bad.json:1"},
	} {
		t.Run(c.dir+" "+c.file, func(t *testing.T) {
			t.Chdir(c.dir)
			f, name, err := OpenFile(c.file, c.folder)
			require.NoError(t, err)
			defer f.Close()
			assert.Equal(t, "qapi/qapi-schema.json", name)
			_, err = f.Load(name)
			require.ErrorContains(t, err, "'Missing'")
			assert.True(t, strings.HasPrefix(err.Error(), c.want), err)
			assert.Contains(t, err.Error(), filepath.Join(filepath.Dir(c.file), "qapi-schema.json:1"), "where it is included")
		})
	}

	f, err := Open("tree")
	require.NoError(t, err)
	defer f.Close()
	_, err = f.Load("qapi/qapi-schema.json")
	assert.ErrorContains(t, err, "tree/qapi/sub/bad.json:1")
}

func TestNothingOutside(t *testing.T) {
	writeTree(t, bad)
	require.NoError(t, os.WriteFile("other.json", []byte("{ 'command': 'other' }"), 0o600))
	_, _, err := OpenFile("other.json", "tree")
	require.EqualError(t, err, "the file other.json is not below the folder tree")

	f, name, err := OpenFile("tree/qapi/outside.json", "tree")
	require.NoError(t, err)
	defer f.Close()
	_, err = f.Load(name)
	require.ErrorContains(t, err, "tree/qapi/outside.json:1")

	require.NoError(t, os.Symlink("../../other.json", "tree/qapi/link.json"))
	_, err = f.Load("qapi/link.json")
	require.Error(t, err)
	_, err = fs.ReadFile(f.FS(), "qapi/link.json")
	require.Error(t, err)
}

func TestTree(t *testing.T) {
	for file, want := range map[string]string{
		"/src/qapi/qapi-schema.json":                "/src",
		"/src/storage-daemon/qapi/qapi-schema.json": "/src",
		"/src/own/schema.json":                      "/src/own",
	} {
		abs, err := filepath.Abs(want) // with the drive, on Windows
		require.NoError(t, err)
		dir, err := tree(file)
		require.NoError(t, err)
		assert.Equal(t, abs, dir, file)
	}
}

// The storage daemon's schema includes QEMU's.
func TestOpenFileInTree(t *testing.T) {
	writeTree(t, map[string]string{
		"qapi/common.json":                     "{ 'command': 'shared' }",
		"storage-daemon/qapi/qapi-schema.json": "{ 'include': '../../qapi/common.json' }",
	})
	f, name, err := OpenFile("tree/storage-daemon/qapi/qapi-schema.json", "")
	require.NoError(t, err)
	defer f.Close()
	s, err := f.Load(name)
	require.NoError(t, err)
	assert.NotNil(t, s.Lookup("shared"))
}

func TestVersion(t *testing.T) {
	version, rest, err := Version(fstest.MapFS{"VERSION": {Data: []byte("11.1.0\nfrom its source\n")}})
	require.NoError(t, err)
	assert.Equal(t, "11.1.0", version)
	assert.Equal(t, "from its source", rest)
	_, _, err = Version(fstest.MapFS{})
	require.ErrorIs(t, err, fs.ErrNotExist)
}

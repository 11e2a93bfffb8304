package schema_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema"
)

// TestPipes checks that Load does not wait for a writer to a named pipe.
func TestPipes(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe.json"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.json"), []byte("{ 'include': 'pipe.json' }"), 0o600))
	_, err := schema.Load(os.DirFS(dir), "pipe.json")
	require.EqualError(t, err, "pipe.json: the schema cannot be read: it is a named pipe, not a regular file")
	_, err = schema.Load(os.DirFS(dir), "a.json")
	require.EqualError(t, err, "a.json:1: the included file 'pipe.json' cannot be read: it is a named pipe, not a regular file")
}

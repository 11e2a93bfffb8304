package regular_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/regular"
)

// A pipe without a writer, and a file that does not report how long it is.
func TestPipesAndProc(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	_, err := regular.ReadFile(os.DirFS(dir), "pipe", 10)
	assert.EqualError(t, err, "read pipe: it is a named pipe, not a regular file")
	_, err = regular.Open(filepath.Join(dir, "pipe"))
	assert.EqualError(t, err, "open "+filepath.Join(dir, "pipe")+": it is a named pipe, not a regular file")
	f, err := regular.Open("/proc/self/status")
	require.NoError(t, err)
	f.Close()

	_, err = regular.ReadFile(os.DirFS("/proc/self"), "status", 10)
	assert.EqualError(t, err, "read status: it has more than 10 bytes")
	text, err := regular.ReadFile(os.DirFS("/proc/self"), "status", 1<<20)
	require.NoError(t, err)
	assert.NotEmpty(t, text)
}

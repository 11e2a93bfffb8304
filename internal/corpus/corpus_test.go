package corpus

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// outcome stands for another test, and keeps how that test ends.
type outcome struct {
	testing.TB
	skipped, failed bool
}

func (o *outcome) Helper()               {}
func (o *outcome) Skipf(string, ...any)  { o.skipped = true }
func (o *outcome) Fatalf(string, ...any) { o.failed = true }

func TestPath(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("x"), 0o600))
	t.Setenv("QAPI_TESTDATA", dir)
	t.Setenv("QAPI_REQUIRE_TESTDATA", "")
	assert.Equal(t, filepath.Join(dir, "a"), Path(t, "a"))
	assert.Equal(t, "x", Read(t, "a"))

	missing := &outcome{TB: t}
	Path(missing, "b", "c")
	assert.Equal(t, outcome{TB: t, skipped: true}, *missing)
	t.Setenv("QAPI_REQUIRE_TESTDATA", "1")
	missing = &outcome{TB: t}
	Path(missing, "b", "c")
	assert.Equal(t, outcome{TB: t, failed: true}, *missing)
}

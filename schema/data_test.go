package schema_test

import (
	"os"
	"path/filepath"
	"testing"
)

// testData is the folder of QEMU's own schemas and test cases, without which a
// test skips.
func testData(t testing.TB, elem ...string) string {
	t.Helper()
	root := os.Getenv("QAPI_TESTDATA")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "qemu")
	}
	path := filepath.Join(append([]string{root}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no test data: set QAPI_TESTDATA (%v)", err)
	}
	return path
}

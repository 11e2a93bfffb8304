package wiretest

import (
	"os"
	"path/filepath"
	"testing"
)

// Data is the path of something in the shared test data, which the variable
// QAPI_TESTDATA names; by default it lies beside the checkout. The test is
// skipped where the data is not at hand, as with everybody but the makers.
func Data(t testing.TB, elem ...string) string {
	t.Helper()
	root := os.Getenv("QAPI_TESTDATA")
	if root == "" {
		root = filepath.Join(moduleRoot(t), "..", "shared", "qemu")
	}
	path := filepath.Join(append([]string{root}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no shared test data (see QAPI_TESTDATA): %v", err)
	}
	return path
}

// moduleRoot is the folder of go.mod, above the test's own.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}

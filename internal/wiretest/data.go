package wiretest

import (
	"os"
	"path/filepath"
	"testing"
)

// Data returns a path in the shared test data, whose folder the variable QAPI_TESTDATA
// names; by default it is next to the checkout. Without the data, which only the authors
// of the module have, the test is skipped.
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

// ReadData returns the text of a file of the shared test data: see [Data].
func ReadData(t testing.TB, elem ...string) string {
	t.Helper()
	text, err := os.ReadFile(Data(t, elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Reference returns the text of a reference, whose folder is next to the shared data.
func Reference(t testing.TB, name string) string {
	t.Helper()
	return ReadData(t, "..", "reference", name)
}

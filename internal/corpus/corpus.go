// Package corpus finds, for tests, what real QEMUs said, and QEMU's own files.
//
// What servers said are facts, which are in testdata here. QEMU's schemas and test cases are under
// its licence, and so they are not in this module: make testdata fetches the schemas; only the
// authors have the rest. A test whose data are missing is skipped; with QAPI_REQUIRE_TESTDATA set
// it fails.
package corpus

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/goqapi/goqapi/internal/gotool"
)

// Path returns the path of a file or folder of the corpus, whose names are elem.
func Path(t testing.TB, elem ...string) string {
	t.Helper()
	name := filepath.Join(elem...)
	for _, folder := range folders(t) {
		path := filepath.Join(folder, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	missing(t)("no test data %s: set QAPI_TESTDATA, or run make testdata if it is a schema", name)
	return ""
}

// missing returns what ends a test whose data are missing.
func missing(t testing.TB) func(format string, args ...any) {
	if os.Getenv("QAPI_REQUIRE_TESTDATA") != "" {
		return t.Fatalf
	}
	return t.Skipf
}

// folders returns the folders where the corpus can be: the authors' folder, which has
// everything, and which QAPI_TESTDATA names or which is next to the module; testdata of
// this package; and the folder of make testdata.
func folders(t testing.TB) []string {
	t.Helper()
	root := gotool.Root(t)
	all := os.Getenv("QAPI_TESTDATA")
	if all == "" {
		all = filepath.Join(root, "..", "shared", "qemu")
	}
	return []string{all, own(root), filepath.Join(root, "bin", "testdata")}
}

func own(root string) string { return filepath.Join(root, "internal", "corpus", "testdata") }

// Read returns the text of a file of the corpus.
func Read(t testing.TB, elem ...string) string {
	t.Helper()
	text, err := os.ReadFile(Path(t, elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Package gotool runs the go command in tests.
//
// Go caches the results of tests, and uses them again while the packages of a test and the
// files that it has read are the same. Packages that a sub-process compiles are not among
// them: without Watch, go test would print the cached success of a test that runs go, even
// after the code that this test compiles has changed.
package gotool

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Module is the path of the library's module.
const Module = "github.com/goqapi/goqapi"

// Root returns the folder of the library's module, for a test that runs in a package of it or of
// a module in it.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for dir != filepath.Dir(dir) {
		if text, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && strings.HasPrefix(string(text), "module "+Module+"\n") {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	t.Fatalf("no folder above the test has the go.mod of %s", Module)
	return ""
}

// watched has the packages of the calls of Watch.
var watched sync.Map

// Watch makes the result of the running test depend on the sources of packages of this
// checkout, given by import path or by path from the module's root, and of those that they
// import. Go notes which folders a test has read, and whether a file in them has changed.
func Watch(t testing.TB, packages ...string) {
	t.Helper()
	if _, done := watched.LoadOrStore(strings.Join(packages, " "), true); done {
		return // Go notes it for all tests of a package together
	}
	root := Root(t)
	cmd := exec.Command("go", append([]string{"list", "-deps", "-f", "{{if .Module}}{{.Module.Path}} {{.Dir}}{{end}}"}, packages...)...)
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err, "go list %v", packages)
	found := 0
	for line := range strings.Lines(string(out)) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		if path == Module || strings.HasPrefix(path, Module+"/") {
			_, err := os.ReadDir(dir)
			require.NoError(t, err)
			found++
		}
	}
	require.NotZero(t, found, "go list %v: no package of this checkout", packages)
}

// Package arch has tests of the module as a whole: which package may import which, what a
// checkout may contain, and what the bindings cost.
package arch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/build"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/gotool"
)

const (
	module = gotool.Module
	root   = "../.."
)

// An arrow lists what a package may import in addition to the standard library; its tests
// may import anything. Packages of this module are written without the module's path,
// and a name that ends in /... also stands for all packages below it.
type arrow struct {
	pkg     string
	imports []string
}

var arrows = []arrow{
	{"internal/schemafile", []string{"internal/regular", "schema"}},
	{"internal/versions", nil},
	{"internal/wirejson", []string{jsonModule}},
	{"internal/jsondiff", nil},
	{"internal/address", []string{"internal/edits"}},
	{"internal/edits", nil},
	{"internal/poll", nil},
	{"internal/printable", nil},
	{"internal/progress", nil},
	{"internal/refusal", []string{"qmp"}},
	{"internal/retry", []string{"internal/poll", "qmp"}},
	{"internal/undo", nil},
	{"internal/regular", nil},
	{"internal/redact", []string{jsonModule, "internal/wirejson"}},
	{"qmp", []string{jsonModule, "internal/address", "internal/printable", "internal/wirejson", "qmp/codec", "qmp/internal/hook", "qmp/internal/wire"}},
	{"qmp/bind", []string{"internal/poll", "qmp", "qmp/codec", "qmp/internal/hook", "qmp/internal/wire"}},
	{"qmp/internal/hook", []string{"qmp/codec"}},
	{"qmp/internal/wire", []string{jsonModule, "internal/printable", "internal/wirejson", "qmp/codec"}},
	{"qmp/internal/wire/streams", nil},
	{"qmp/qmplog", []string{"qmp", "internal/redact"}},
	{"qmp/codec", []string{jsonModule, "internal/wirejson"}},
	{"qmp/deviceadd", []string{jsonModule, "internal/wirejson", "qmp/codec"}},
	{"qmp/redacted", []string{jsonModule, "internal/redact", "internal/wirejson", "qmp/codec"}},
	{"qmp/libvirt", []string{jsonModule, "internal/printable", "internal/virrpc", "internal/wirejson", "qmp"}},
	{"qmp/libvirt/libvirttls", []string{"qmp/libvirt"}},
	{"internal/virrpc", nil},
	{"qmp/qmptls", []string{"internal/printable", "qmp"}},
	{"qmp/qmptest/...", []string{jsonModule, "internal/address", "internal/jsondiff", "internal/redact", "internal/regular", "internal/versions", "internal/virrpc", "internal/wirejson", "qapi/...", "qmp", "qmp/qmptest", "qmp/qmptest/internal/...", "schema/..."}},
	{"qapi/cmdline", []string{jsonModule, "internal/printable", "internal/redact", "internal/wirejson", "qapi", "qmp"}},
	{"qapi/device", []string{jsonModule, "internal/edits", "internal/printable", "internal/wirejson", "qapi", "qmp", "qmp/bind", "qmp/codec"}},
	{"qapi/disk", []string{"internal/poll", "internal/printable", "internal/redact", "internal/retry", "internal/undo", "qapi", "qapi/job", "qmp"}},
	{"qapi/job", []string{"internal/poll", "internal/printable", "internal/progress", "internal/retry", "internal/undo", "qapi", "qapi/migration", "qmp"}},
	{"qapi/migration", []string{"internal/poll", "internal/printable", "internal/progress", "internal/retry", "internal/undo", "qapi", "qmp"}},
	{"qapi/hotplug", []string{"internal/poll", "internal/printable", "internal/retry", "internal/undo", "qapi", "qapi/device", "qmp"}},
	{"qapi/...", []string{jsonModule, "internal/printable", "internal/progress", "internal/refusal", "qmp", "qmp/bind", "qmp/codec", "qmp/deviceadd", "qmp/redacted"}},
	{"raw", []string{jsonModule, "internal/printable", "qmp", "qmp/codec"}},
	{"schema", []string{"internal/edits", "internal/printable", "internal/regular"}},
	{"schema/merge", []string{"internal/versions", "schema"}},
	{"schema/devices", nil},
	{"schema/devices/rules", []string{"internal/versions", "schema/devices"}},
	{"schema/qemu", []string{"internal/releases", "internal/versions", "schema", "schema/devices", "schema/merge"}},
	{"internal/releases", []string{"internal/versions", "schema", "schema/devices", "schema/merge"}},
	{"internal/deviceprobe", []string{"internal/printable", "internal/versions", "qapi", "qmp", "schema/devices"}},
	{"generator/...", []string{"generator/...", "schema/...", "internal/redact", "internal/regular", "internal/schemafile", "internal/versions", "github.com/dave/jennifer/..."}},
}

const jsonModule = "github.com/go-json-experiment/json/..."

// unbound are the packages without a row in arrows: programs, and packages that only
// tests import.
var unbound = []string{"", "examples/...", "internal/api", "internal/arch", "internal/bench", "internal/corpus", "internal/cut", "internal/deadline", "internal/gotool", "internal/growth", "internal/qemutest", "internal/short", "internal/wiretest"}

// A listed package is one as the go command describes it.
type listed struct {
	ImportPath string // with a variant after a space, if it is compiled for a test
	Imports    []string
	Deps       []string
	Standard   bool
	Module     struct{ Path string }
}

// listAll asks the go command for the packages of the library and of the tool, with their tests, and for all
// that these import.
var listAll = sync.OnceValues(func() (map[string]listed, error) {
	cmd := exec.Command("go", "list", "-deps", "-test", "-json=ImportPath,Imports,Deps,Standard,Module", "./...", "./cmd/qapi/...")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%v: %w", cmd.Args, err)
	}
	all := map[string]listed{}
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p listed
		if err := dec.Decode(&p); err != nil {
			return nil, err
		}
		all[p.ImportPath] = p
	}
	return all, nil
})

// list returns what listAll does, except what is compiled for tests only.
func list(t *testing.T) map[string]listed {
	t.Helper()
	gotool.Watch(t, "./...", "./cmd/qapi")
	all, err := listAll()
	require.NoError(t, err)
	plain := maps.Clone(all)
	maps.DeleteFunc(plain, func(path string, _ listed) bool {
		return strings.Contains(path, " ") || strings.HasSuffix(path, ".test")
	})
	return plain
}

// below reports whether pattern matches a package.
func below(pattern, pkg string) bool {
	tree, all := strings.CutSuffix(pattern, "/...")
	return pkg == tree || all && strings.HasPrefix(pkg, tree+"/")
}

func anyBelow(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return below(p, pkg) })
}

// inModule returns a package's path as it is written in arrows.
func inModule(path string) string {
	if path == module {
		return ""
	}
	return strings.TrimPrefix(path, module+"/")
}

func TestArrows(t *testing.T) {
	all := list(t)
	used := make([]bool, len(arrows))
	for _, p := range all {
		if p.Module.Path != module {
			continue
		}
		pkg := inModule(p.ImportPath)
		at := slices.IndexFunc(arrows, func(a arrow) bool { return below(a.pkg, pkg) })
		if at < 0 {
			assert.True(t, anyBelow(unbound, pkg), "package %s: say in arrows what it may import", pkg)
			continue
		}
		used[at] = true
		for _, path := range p.Imports {
			assert.True(t, path == "C" || all[path].Standard || anyBelow(arrows[at].imports, inModule(path)),
				"package %s must not import %s", pkg, path)
		}
	}
	for i, a := range arrows {
		assert.True(t, used[i], "arrows: the package %s does not exist", a.pkg)
	}
}

// A program that imports qapi compiles only the standard library and the JSON module.
func TestUsersCompile(t *testing.T) {
	all := list(t)
	ours := []string{
		jsonModule, module + "/qmp", module + "/qmp/bind", module + "/qmp/codec", module + "/qmp/deviceadd", module + "/qmp/redacted", module + "/qmp/internal/...", module + "/raw", module + "/qapi/...", module + "/internal/address", module + "/internal/edits", module + "/internal/poll", module + "/internal/printable",
		module + "/internal/progress", module + "/internal/redact", module + "/internal/refusal", module + "/internal/retry", module + "/internal/undo", module + "/internal/wirejson",
	}
	users := 0
	for path, p := range all {
		if !anyBelow([]string{"qmp", "raw", "qapi/..."}, inModule(path)) {
			continue
		}
		users++
		for _, path := range p.Deps {
			assert.True(t, all[path].Standard || anyBelow(ours, path), "users of the bindings would compile %s", path)
		}
	}
	require.NotZero(t, users)
}

// A program has TLS, which is large, only if it asks for it. No package that most programs need may
// import crypto/tls, directly or not.
func TestTLSIsOptional(t *testing.T) {
	with := []string{"qmp", "qmp/libvirt", "qmp/qmplog", "raw", "qapi/...", "cmd/qapi"}
	found := 0
	for path, p := range list(t) {
		if !anyBelow(with, inModule(path)) {
			continue
		}
		found++
		assert.NotContains(t, p.Deps, "crypto/tls", "%s: TLS belongs to qmp/qmptls and qmp/libvirt/libvirttls", p.ImportPath)
	}
	require.GreaterOrEqual(t, found, len(with))
}

// TestBindingsCompileOnce fails if the tests compile qapi more than once, which takes 10 s each
// time: Go does so for a package whose tests, in the package itself, are together with tests that
// import qapi, if qapi imports the package.
func TestBindingsCompileOnce(t *testing.T) {
	gotool.Watch(t, "./...")
	all, err := listAll()
	require.NoError(t, err)
	for id := range all {
		path, variant, _ := strings.Cut(id, " ")
		if path == module+"/qapi" {
			assert.Empty(t, variant, "%s is compiled again for the tests of a package", path)
		}
	}
}

// Go silently ignores files whose name ends in a system or an architecture, such as
// machine_s390x.go.
func TestGeneratedFilesAreBuiltEverywhere(t *testing.T) {
	cmd := exec.Command("go", "tool", "dist", "list")
	out, err := cmd.Output()
	require.NoError(t, err)
	platforms := strings.Fields(string(out))
	require.Greater(t, len(platforms), 30)

	files := 0
	walk(t, func(path string) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		if filepath.Ext(path) != ".go" || !bytes.HasPrefix(text, []byte("// Code generated ")) {
			return
		}
		files++
		for _, platform := range platforms {
			ctx := build.Default
			ctx.GOOS, ctx.GOARCH, _ = strings.Cut(platform, "/")
			match, err := ctx.MatchFile(filepath.Split(path))
			require.NoError(t, err)
			assert.True(t, match, "%s is left out on %s", path, platform)
		}
	})
	require.Greater(t, files, 40)
}

// TestNoPathsOfOneMachine finds paths and hosts that exist on one machine only.
func TestNoPathsOfOneMachine(t *testing.T) {
	// Written in parts, so that the test does not find itself. A path begins where no other goes on.
	bad := regexp.MustCompile(`(?:^|[^\w.~/-])(/(?:ro` + `ot|ho` + `me|Us` + `ers)/)` + `|(proxy\.gol` + `ang\.org|deb\.deb` + `ian\.org)`)
	hint := [][]byte{[]byte("/ro" + "ot/"), []byte("/ho" + "me/"), []byte("/Us" + "ers/"), []byte(".org")}
	walk(t, func(path string) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		if !slices.ContainsFunc(hint, func(part []byte) bool { return bytes.Contains(text, part) }) {
			return // most files: this is faster than the pattern
		}
		for i, line := range bytes.Split(text, []byte("\n")) {
			assert.Empty(t, string(bad.Find(line)), "%s:%d", path, i+1)
		}
	})
}

// walk calls f for each file of the checkout.
func walk(t *testing.T, f func(path string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && (name == ".git" || name == "bin"):
			return filepath.SkipDir
		case name == ".git": // of a worktree
		case d.Type().IsRegular():
			f(path)
		}
		return nil
	})
	require.NoError(t, err)
}

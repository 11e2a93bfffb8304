//go:build unix

package cli

import (
	"bytes"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/internal/gotool"
)

// fakeGo is a go command that records its arguments; the variables say what it answers.
const fakeGo = `#!/bin/sh
echo "$@" >>"$FAKE_LOG"
case "$*" in
"env "*) echo "$FAKE_VERSION"; echo "$FAKE_TOOLCHAIN" ;;
"list -deps "*) exit "$FAKE_HAS_GENERATOR" ;;
"list -m "*) echo "$FAKE_REQUIRED"; exit "$FAKE_HAS_LIBRARY" ;;
"run "*) cat; echo 'a warning' >&2; [ "$FAKE_STATUS" = 0 ] || { echo "exit status $FAKE_STATUS" >&2; exit 1; } ;;
esac
`

// generateWith runs qapi generate with a fake go, whose variables are changed by some "NAME=VALUE". It returns what
// go was to run last.
func generateWith(t *testing.T, own string, changes []string, args ...string) (code int, out, errs, ran string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), []byte(fakeGo), 0o755))
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	for _, variable := range append([]string{"LOG=" + log, "VERSION=go1.26.1", "TOOLCHAIN=local", "HAS_GENERATOR=1", "HAS_LIBRARY=1", "REQUIRED=", "STATUS=0"}, changes...) {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv("FAKE_"+name, value)
	}
	var stdout, stderr bytes.Buffer
	a := newWorld(t).app("what it reads\n", &stdout, &stderr)
	a.library = own
	code = a.run(t.Context(), append([]string{"generate"}, args...))
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return code, stdout.String(), stderr.String(), lines[len(lines)-1]
}

func TestGenerate(t *testing.T) {
	args := []string{"-schema", "x.json", "--package=x", "-out", "a b"}
	for name, c := range map[string]struct {
		own     string
		changes []string
		ran     string // after "run github.com/goqapi/goqapi/generator"
		code    int
	}{
		"a release":                      {own: "v0.2.0", ran: "@v0.2.0"},
		"a module with the generator":    {own: "v0.2.0", changes: []string{"HAS_GENERATOR=0"}},
		"a module with the library":      {own: "v0.2.0", changes: []string{"HAS_LIBRARY=0", "REQUIRED=v0.3.0"}, ran: "@v0.3.0"},
		"a module with another's copy":   {own: "v0.2.0", changes: []string{"HAS_LIBRARY=0"}},
		"wrong usage":                    {own: "v0.2.0", changes: []string{"STATUS=2"}, ran: "@v0.2.0", code: exit.Usage},
		"an older go that fetches newer": {own: "v0.2.0", changes: []string{"VERSION=go1.24", "TOOLCHAIN=auto"}, ran: "@v0.2.0"},
		"and never an older":             {own: "v0.2.0", changes: []string{"VERSION=go1.24", "TOOLCHAIN=go1.24+path"}, ran: "@v0.2.0"},
		"a go of a distributor's":        {own: "v0.2.0", changes: []string{"VERSION=devel go1.27-abc"}, ran: "@v0.2.0"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs, ran := generateWith(t, c.own, c.changes, args...)
			assert.Equal(t, c.code, code)
			assert.Equal(t, "run github.com/goqapi/goqapi/generator"+c.ran+" -schema x.json --package=x -out a b", ran)
			assert.Equal(t, "what it reads\n", out)
			assert.Equal(t, "a warning\n", errs, "no error of qapi's own, and no status")
		})
	}
}

func TestGenerateFails(t *testing.T) {
	for _, c := range []struct {
		own     string
		changes []string
		err     string
	}{
		{"", nil, "qapi: generate: this qapi was not installed as a release, so it does not know the generator's version: run it in a module " +
			"that has the generator (go get -tool github.com/goqapi/goqapi/generator)\n"},
		{"v0.2.0", []string{"VERSION=go1.24.3"}, "the generator needs Go 1.26 or newer, and PATH/go is go1.24.3\n"},
		{"v0.2.0", []string{"VERSION=go1.20", "TOOLCHAIN="}, "the generator needs Go 1.26 or newer, and PATH/go is go1.20\n"},
	} {
		code, out, errs, ran := generateWith(t, c.own, c.changes, "-known")
		assert.Equal(t, exit.Failed, code)
		dir, _, _ := strings.Cut(os.Getenv("PATH"), string(filepath.ListSeparator))
		assert.Contains(t, strings.ReplaceAll(errs, dir, "PATH"), c.err)
		assert.Empty(t, out)
		assert.NotContains(t, ran, "run ")
	}
	t.Setenv("PATH", t.TempDir())
	code, _, errs := newWorld(t).run("", "generate", "-known")
	assert.Equal(t, exit.Failed, code)
	assert.Equal(t, "qapi: generate: the generator is run with the go command, which is not on PATH; https://go.dev/dl has it\n", errs)
}

// An interrupt ends go, and the exit code says so.
func TestGenerateInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	script := strings.Replace(fakeGo, `"run "*) cat;`, `"run "*) trap 'exit 1' INT; echo runs; while :; do sleep 0.01; done;`, 1)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), []byte(script), 0o755))
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("FAKE_LOG", filepath.Join(dir, "log"))
	t.Setenv("FAKE_HAS_GENERATOR", "0")
	var errs bytes.Buffer
	a := newWorld(t).app("", writer(func([]byte) { cancel() }), &errs)
	assert.Equal(t, exit.Interrupted, a.run(ctx, []string{"generate", "-known"}))
	assert.Equal(t, "qapi: it was interrupted\n", errs.String())
}

// A writer is a function that is called with what is written.
type writer func([]byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

// TestGenerateHere runs the generator of this checkout.
func TestGenerateHere(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it compiles the generator")
	}
	gotool.Watch(t, "./generator")
	root, out := gotool.Root(t), t.TempDir()
	code, stdout, stderr := newWorld(t).run("", "generate",
		"-schema", filepath.Join(root, "generator/generate/testdata/example/qapi/schema.json"), "-package", "x", "-out", out)
	require.Equal(t, exit.OK, code, stderr)
	assert.Contains(t, stdout, "generator: "+out+": ")
	assert.FileExists(t, filepath.Join(out, "client_gen.go"))

	code, _, stderr = newWorld(t).run("", "generate", "-nope")
	assert.Equal(t, exit.Usage, code)
	assert.Contains(t, stderr, "flag provided but not defined: -nope\nUsage: generator ")
	assert.NotContains(t, stderr, "exit status")
}

func TestStatusFilter(t *testing.T) {
	for _, c := range []struct {
		in     []string
		out    string
		status int
	}{
		{[]string{"x\nexit status 2\n"}, "x\n", 2},
		{[]string{"ex", "it status ", "12", "\n"}, "", 12},
		{[]string{"exit status 2\n", "y\n"}, "exit status 2\ny\n", 0},
		{[]string{"exit status 2\nexit status 3\n"}, "exit status 2\n", 3},
		{[]string{"exit", " status 1", "3 of x\n"}, "exit status 13 of x\n", 0},
		{[]string{"it ends in e"}, "it ends in e", 0},
		{[]string{"x\nexit"}, "x\nexit", 0},
		{nil, "", 0},
	} {
		var out bytes.Buffer
		f := &statusFilter{to: &out}
		for _, text := range c.in {
			_, err := io.WriteString(f, text)
			require.NoError(t, err)
		}
		assert.Equal(t, c.status, f.end(), "%q", c.in)
		assert.Equal(t, c.out, out.String(), "%q", c.in)
	}
}

func TestLibraryVersion(t *testing.T) {
	in := func(m debug.Module) string {
		return libraryVersion(&debug.BuildInfo{Main: debug.Module{Path: library + "/cmd/qapi", Version: "v9.0.0"}, Deps: []*debug.Module{{Path: "x", Version: "v1.0.0"}, &m}})
	}
	assert.Equal(t, "v0.2.0", in(debug.Module{Path: library, Version: "v0.2.0"}))
	assert.Empty(t, in(debug.Module{Path: library, Version: "(devel)"}))
	assert.Empty(t, in(debug.Module{Path: library, Version: "v0.2.0", Replace: &debug.Module{Path: "../x"}}))
	assert.Empty(t, in(debug.Module{Path: "y", Version: "v0.2.0"}))
}

// What the command says about the generator is true.
func TestGenerateFacts(t *testing.T) {
	root := gotool.Root(t)
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	assert.Contains(t, string(text), "\ngo "+strings.TrimPrefix(oldestGo, "go")+"\n")

	var flags, completed []string
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "generator/generate/main.go"), nil, 0)
	require.NoError(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) < 3 {
			return true
		}
		if f, ok := call.Fun.(*ast.SelectorExpr); ok && strings.HasSuffix(f.Sel.Name, "Var") {
			name, err := strconv.Unquote(call.Args[1].(*ast.BasicLit).Value)
			require.NoError(t, err)
			flags = append(flags, "-"+name)
		}
		return true
	})
	for _, f := range generatorFlags {
		completed = append(completed, f.Word)
	}
	assert.Contains(t, flags, "-check")
	for _, name := range flags {
		assert.Contains(t, completed, name)
	}
}

func TestGenerateCompletes(t *testing.T) {
	words := func(args []string, last string) (words []string) {
		for _, f := range (&completion{ctx: t.Context()}).generator(args, last) {
			words = append(words, f.Word)
		}
		return words
	}
	assert.Len(t, words(nil, ""), len(generatorFlags))
	assert.Equal(t, []string{"-descriptions", "-devices"}, words([]string{"-known"}, "-de"))
	assert.Equal(t, []string{"qga"}, words([]string{"-target"}, "qg"))
	assert.Equal(t, []string{"11.1"}, words([]string{"--release"}, "11.1"))
	assert.Empty(t, words([]string{"-package"}, ""))
	assert.Contains(t, words([]string{"-out"}, "generate.g"), "generate.go")
	assert.Equal(t, []string{"-out"}, words([]string{"-package", "x"}, "-o"))
}

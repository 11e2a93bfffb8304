package generate

import (
	"bytes"
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// example is a schema with each construct of the language.
const example = "testdata/example/qapi/schema.json"

// TestExample compares the bindings of a small schema with files that people
// can read. UPDATE=1 writes them again.
func TestExample(t *testing.T) {
	files, err := generate(config{schemas: list{example}, root: "testdata/example", target: "qmp", pkg: "example", release: "0.1"})
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
		path := filepath.Join("testdata/example/golden", f.Name+".txt")
		if os.Getenv("UPDATE") == "1" {
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
			require.NoError(t, os.WriteFile(path, f.Text, 0o666))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, string(want), string(f.Text), path)
		formatted, err := format.Source(f.Text)
		require.NoError(t, err)
		assert.Equal(t, string(formatted), string(f.Text), "%s is gofmt-clean", f.Name)
	}
	assert.Equal(t, []string{"schema_gen.go", "shapes_gen.go", "machine_s390x_gen.go", "client_gen.go", "values_gen.go"}, names)
}

func TestSameInputSameBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it generates everything three times; TestBindings compares with what an earlier run wrote")
	}
	c := config{known: true, target: "qmp", pkg: "qapi"}
	first, err := generate(c)
	require.NoError(t, err)
	for range 2 {
		again, err := generate(c)
		require.NoError(t, err)
		require.Equal(t, first, again)
	}
}

func TestRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "new", "folder")
	args := []string{"-schema", example, "-package", "example", "-out", out}
	var stdout, stderr bytes.Buffer
	require.NoError(t, Run("generator", args, &stdout, &stderr))
	assert.Equal(t, "generator: "+out+": 5 files, 5 changed\n", stdout.String())

	stdout.Reset()
	require.NoError(t, Run("generator", args, &stdout, &stderr))
	assert.Contains(t, stdout.String(), "5 files, 0 changed")
	require.NoError(t, Run("generator", append(args, "-check"), &stdout, &stderr))

	// Files that are no longer generated are removed; hand-written ones stay.
	stale := filepath.Join(out, "old_gen.go")
	require.NoError(t, os.WriteFile(stale, []byte(generatedBy+"from x\npackage example\n"), 0o666))
	own := filepath.Join(out, "own_gen.go")
	require.NoError(t, os.WriteFile(own, []byte("package example\n"), 0o666))
	require.NoError(t, os.Remove(filepath.Join(out, "values_gen.go")))
	require.NoError(t, os.WriteFile(filepath.Join(out, "client_gen.go"), []byte("package example\n"), 0o666))
	err := Run("generator", append(args, "-check"), &stdout, &stderr)
	require.Error(t, err)
	assert.Contains(t, err.Error(), "old_gen.go is no longer generated")
	assert.Contains(t, err.Error(), "values_gen.go is missing")
	assert.Contains(t, err.Error(), "client_gen.go differs from the schema")
	require.NoError(t, Run("generator", args, &stdout, &stderr))
	assert.NoFileExists(t, stale)
	assert.FileExists(t, own)
	require.NoError(t, Run("generator", append(args, "-check"), &stdout, &stderr))
}

func TestUsage(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
		is   error
	}{
		"nothing":              {nil, "qapi generate: -schema or -known is needed", ErrUsage},
		"no package":           {[]string{"-known"}, "-package and -out are needed", ErrUsage},
		"unknown flag":         {[]string{"-frobnicate"}, "not defined: -frobnicate", ErrUsage},
		"stray argument":       {[]string{"-schema", "a", "b"}, `unexpected argument "b"`, ErrUsage},
		"unknown target":       {[]string{"-schema", "a", "-package", "b", "-out", "c", "-target", "d"}, "qmp or qga", ErrUsage},
		"package of two words": {[]string{"-schema", "a", "-package", "b c", "-out", "c"}, `-package must be a Go name, not "b c"`, ErrUsage},
		"package of a keyword": {[]string{"-schema", "a", "-package", "type", "-out", "c"}, `not "type"`, ErrUsage},
		"package of a digit":   {[]string{"-schema", "a", "-package", "1x", "-out", "c"}, `not "1x"`, ErrUsage},
		"blank package":        {[]string{"-schema", "a", "-package", "_", "-out", "c"}, `not "_"`, ErrUsage},
		"release of a word":    {[]string{"-schema", "a", "-package", "b", "-out", "c", "-release", "foo"}, `-release must be a version such as 11.1, not "foo"`, ErrUsage},
		"release of dots":      {[]string{"-schema", "a", "-package", "b", "-out", "c", "-release", ".."}, `not ".."`, ErrUsage},
		"release with a word":  {[]string{"-schema", "a", "-package", "b", "-out", "c", "-release", "11.x"}, `not "11.x"`, ErrUsage},
		"release of one part":  {[]string{"-schema", "a", "-package", "b", "-out", "c", "-release", "11"}, `not "11"`, ErrUsage},
		"help":                 {[]string{"-help"}, "Usage: qapi generate -schema", nil},
	} {
		var stdout, stderr bytes.Buffer
		assert.ErrorIs(t, Run("qapi generate", c.args, &stdout, &stderr), c.is, name)
		assert.Contains(t, stderr.String(), c.want, name)
	}
}

// TestNothingIsWrittenOnError leaves the folder as it was.
func TestNothingIsWrittenOnError(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "s", "bad.json")
	require.NoError(t, os.MkdirAll(filepath.Dir(bad), 0o777))
	for text, want := range map[string]string{
		"{ 'command': 'a', 'data': 'NoSuchType' }": "bad.json:1: in command 'a'",
		"{ 'teleport': 'a' }":                      "bad.json:1",
		"{ 'include': '../../outside.json' }":      "bad.json:1",
	} {
		require.NoError(t, os.WriteFile(bad, []byte(text), 0o666))
		out := filepath.Join(dir, "out")
		err := Run("generator", []string{"-schema", bad, "-package", "p", "-out", out}, new(bytes.Buffer), new(bytes.Buffer))
		require.Error(t, err, text)
		assert.Contains(t, err.Error(), want)
		assert.NoDirExists(t, out)
	}
	err := Run("generator", []string{"-schema", filepath.Join(dir, "none.json"), "-package", "p", "-out", dir}, new(bytes.Buffer), new(bytes.Buffer))
	require.Error(t, err)
	assert.Contains(t, err.Error(), "none.json")
}

// TestRoot finds the folder that includes must stay below, from any working folder, and
// names files in errors as the user does.
func TestRoot(t *testing.T) {
	root := t.TempDir()
	folder := filepath.Join(root, "qapi")
	require.NoError(t, os.Mkdir(folder, 0o777))
	for name, text := range map[string]string{
		"qapi/good.json":    "{ 'include': '../common.json' }",
		"qapi/include.json": "{ 'include': '../common.json' }\n{ 'teleport': 'a' }",
		"qapi/load.json":    "{ 'command': 'a', 'data': 'NoSuchType' }",
		"qapi/plan.json":    "{ 'command': 'close' }",
		"common.json":       "{ 'command': 'a' }",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o666))
	}
	generateIn := func(folder string, args ...string) error {
		t.Chdir(folder)
		return Run("generator", append(args, "-package", "p", "-out", filepath.Join(t.TempDir(), "out")), new(bytes.Buffer), new(bytes.Buffer))
	}
	require.NoError(t, generateIn(folder, "-schema", "good.json"))
	require.NoError(t, generateIn(folder, "-schema", "good.json", "-root", ".."))
	require.NoError(t, generateIn(folder, "-schema", "good.json", "-root", "../.."))
	require.NoError(t, generateIn(folder, "-schema", filepath.Join(folder, "good.json"), "-root", ".."))
	require.NoError(t, generateIn(root, "-schema", "qapi/good.json"))
	require.NoError(t, generateIn(root, "-schema", "./qapi/good.json", "-root", root))

	for _, c := range []struct{ in, schema, want string }{
		{folder, "load.json", "generator: load.json:1: in command 'a'"},
		{root, "qapi/load.json", "generator: qapi/load.json:1: in command 'a'"},
		{root, folder + "/load.json", "generator: " + folder + "/load.json:1: in command 'a'"},
		{folder, "plan.json", "generator: plan.json:1: command 'close' becomes Close in Go"},
		{root, "qapi/include.json", "generator: qapi/include.json:2: "},
		{root, "qapi/none.json", "generator: qapi/none.json: "},
	} {
		err := generateIn(c.in, "-schema", c.schema)
		require.Error(t, err)
		assert.True(t, strings.HasPrefix(err.Error(), c.want), "%s: %v", c.schema, err)
	}
	require.NoError(t, os.Rename(folder, filepath.Join(root, "own")))
	assert.ErrorContains(t, generateIn(root, "-schema", "own/good.json"), "'../common.json' is not below the root of the schema")
	require.NoError(t, generateIn(root, "-schema", "own/good.json", "-root", "."))
	folder = filepath.Join(root, "own")
	assert.EqualError(t, generateIn(folder, "-schema", "good.json", "-root", "other"), "generator: the file good.json is not below the folder other")
}

// TestNoWayOut keeps includes from leaving the root by a symbolic link.
func TestNoWayOut(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "s", "q"), 0o777))
	secret := filepath.Join(dir, "secret.json")
	require.NoError(t, os.WriteFile(secret, []byte("{ 'command': 'stolen' }"), 0o666))
	require.NoError(t, os.Symlink(secret, filepath.Join(dir, "s", "q", "x.json")))
	root := filepath.Join(dir, "s", "q", "s.json")
	require.NoError(t, os.WriteFile(root, []byte("{ 'include': 'x.json' }"), 0o666))
	err := Run("generator", []string{"-schema", root, "-package", "p", "-out", filepath.Join(dir, "out")}, new(bytes.Buffer), new(bytes.Buffer))
	require.Error(t, err)
	assert.Contains(t, err.Error(), "x.json")
	assert.Contains(t, err.Error(), "escapes")
}

// TestNoDescriptions fails if the folder of descriptions has none.
func TestNoDescriptions(t *testing.T) {
	dir := t.TempDir()
	for folder, want := range map[string]string{
		filepath.Join(dir, "none"): "none: ",
		dir:                        "the folder " + dir + " has no *.md file with descriptions",
	} {
		err := Run("generator", []string{"-schema", example, "-package", "p", "-out", filepath.Join(dir, "out"), "-descriptions", folder}, new(bytes.Buffer), new(bytes.Buffer))
		require.Error(t, err)
		assert.Contains(t, err.Error(), want)
	}
}

func BenchmarkGenerate(b *testing.B) {
	c := config{known: true, target: "qmp", pkg: "qapi"}
	for b.Loop() {
		if _, err := generate(c); err != nil {
			b.Fatal(err)
		}
	}
}

// TestKnown adds the earlier releases to a user's own schema, here a changed QEMU 7.2.
func TestKnown(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it generates everything three times")
	}
	root := t.TempDir()
	require.NoError(t, os.CopyFS(root, os.DirFS("../../schema/qemu/7.2")))
	control := filepath.Join(root, "qapi", "control.json")
	text, err := os.ReadFile(control)
	require.NoError(t, err)
	text = append(text, "\n##\n# @x-own:\n#\n# @speed:\n##\n{ 'command': 'x-own', 'data': { '*speed': 'int' } }\n"...)
	require.NoError(t, os.WriteFile(control, text, 0o666))
	own := filepath.Join(root, "qapi", "qapi-schema.json")

	generated := func(args ...string) string {
		out := filepath.Join(t.TempDir(), "out")
		args = append(args, "-package", "p", "-out", out)
		require.NoError(t, Run("generator", args, new(bytes.Buffer), new(bytes.Buffer)))
		text, err := os.ReadFile(filepath.Join(out, "control_gen.go"))
		require.NoError(t, err)
		return string(text)
	}
	with := generated("-known", "-schema", own)
	assert.Contains(t, with, "from control.json of QEMU 5.2 to 7.2; DO NOT EDIT.")
	assert.Contains(t, with, "QEMU 7.2 and later.\nfunc (c *Client) XOwn(ctx context.Context, args ...XOwnArgs) error {")
	assert.Contains(t, with, "// QEMU 5.2 only.\n//\n// Deprecated: QEMU removed it in 6.0; use [Client.QueryQMPSchema].")
	withoutKnown := generated("-schema", own)
	assert.Contains(t, withoutKnown, "from control.json of QEMU 7.2.0; DO NOT EDIT.")
	assert.NotContains(t, withoutKnown, "QEMU 7.2 and later")

	// Two schemas, without those of this module.
	two := generated("-schema", "../../schema/qemu/7.1/qapi/qapi-schema.json", "-schema", own)
	assert.Contains(t, two, "QEMU 7.1 to 7.2")
	assert.NotContains(t, two, "QEMU 5.2")

	require.NoError(t, os.Remove(filepath.Join(root, "VERSION")))
	err = Run("generator", []string{"-known", "-schema", own, "-package", "p", "-out", root}, new(bytes.Buffer), new(bytes.Buffer))
	assert.EqualError(t, err, "generator: -known needs the release of the first schema: add a file VERSION, or use -release")
}

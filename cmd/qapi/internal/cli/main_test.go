package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
)

// run runs the tool, and returns its exit code and what it writes.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{out: &out, errOut: &errs, finder: new(world)}
	code = a.run(context.Background(), args)
	return code, out.String(), errs.String()
}

// writeFiles writes files into a new folder.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		text string // in either output
	}{
		{nil, exit.Usage, "Usage:"},
		{[]string{"help"}, exit.OK, "qapi finds running QEMUs"},
		{[]string{"--help"}, exit.OK, "qapi finds running QEMUs"},
		{[]string{"nope"}, exit.Usage, `unknown command "nope"`},
		{[]string{"check"}, exit.Usage, "qapi: check: wrong number of arguments: 0"},
		{[]string{"check", "-h"}, exit.OK, "qapi check WHAT... [flags]"},
		{[]string{"check", "--nope", "x"}, exit.Usage, "unknown flag: --nope"},
		{[]string{"schema"}, exit.Usage, "Usage:"},
		{[]string{"schema", "chek", "x"}, exit.Usage, `unknown command "chek" of qapi schema; did you mean check?`},
		{[]string{"schema", "check", "11.1"}, exit.OK, "QEMU 11.1: QMP: 243 commands"},
		{[]string{"dump", "a", "b"}, exit.Usage, "wrong number of arguments: 2"},
		{[]string{"diff", "a"}, exit.Usage, "wrong number of arguments: 1"},
		{[]string{"import"}, exit.Usage, "wrong number of arguments: 0"},
		{[]string{"record", "unix:x"}, exit.Usage, "wrong number of arguments: 1"},
		{[]string{"record", "x", "y", "z"}, exit.Usage, `listen: address "x": it does not begin with its kind`},
		{[]string{"record", "unix:/none/x", "unix:y", "/none/z"}, exit.Failed, "open /none/z: no such file"},
		{[]string{"check", "no-such-file"}, exit.Failed, "no-such-file is neither a file, nor a folder, nor a known release (5.2, 6.0, "},
		{[]string{"check", "."}, exit.Failed, "the folder . contains no schema: neither qapi/qapi-schema.json nor qga/qapi-schema.json"},
	} {
		code, stdout, stderr := run(t, c.args...)
		require.Equal(t, c.code, code, "%q", c.args)
		require.Contains(t, stdout+stderr, c.text, "%q", c.args)
	}
}

func TestCheck(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"good.json":             "{ 'command': 'a' }",
		"bad.json":              "{ 'include': 'sub/inc.json' }",
		"sub/inc.json":          "{ 'command': 'a_b' }\n{ 'event': 'e' }",
		"layout.json":           "##\n# One. Two.\n##",
		"qapi/qapi-schema.json": "{ 'include': '../sub/inc2.json' }",
		"sub/inc2.json":         "{ 'event': 'E' }",
		"sub/out.json":          "{ 'include': '../good.json' }",
	})
	file := func(name string) string { return filepath.Join(dir, name) }

	code, stdout, stderr := run(t, "check", file("good.json"))
	require.Equal(t, exit.OK, code)
	require.Equal(t, file("good.json")+": good.json: 1 commands, 0 events, 0 enums, 0 structs, 0 unions, 0 alternates; files: 1\n", stdout)
	require.Empty(t, stderr)

	code, stdout, stderr = run(t, "check", "-q", file("good.json"), file("bad.json"), file("nope.json"))
	require.Equal(t, exit.Failed, code)
	require.Empty(t, stdout)
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	require.Len(t, lines, 3)
	from := " (included from " + file("bad.json") + ":1)"
	require.Equal(t, file("sub/inc.json")+":1: in command 'a_b': the command must be named in lower case, with '-' between words and not '_'"+from, lines[0])
	require.Equal(t, file("sub/inc.json")+":2: in event 'e': the event must be named in upper case, with '_' between words and not '-'"+from, lines[1])
	require.Contains(t, lines[2], "nope.json is neither")

	code, _, _ = run(t, "check", file("layout.json"))
	require.Equal(t, exit.OK, code)
	code, _, stderr = run(t, "check", "-layout", file("layout.json"))
	require.Equal(t, exit.Failed, code)
	require.Contains(t, stderr, "layout.json:2:7: two spaces are expected between sentences")

	// A file of a source tree may include files next to its folder; another file may
	// not, unless a flag allows it.
	code, _, stderr = run(t, "check", file("qapi/qapi-schema.json"))
	require.Equal(t, exit.OK, code, stderr)
	code, stdout, stderr = run(t, "check", dir)
	require.Equal(t, exit.OK, code, stderr)
	require.Contains(t, stdout, ": QMP: 0 commands, 1 events")
	code, _, stderr = run(t, "check", file("sub/out.json"))
	require.Equal(t, exit.Failed, code)
	require.Contains(t, stderr, "the included file '../good.json' is not below the root of the schema")
	code, _, stderr = run(t, "check", "-root", dir, file("sub/out.json"))
	require.Equal(t, exit.OK, code, stderr)
	code, _, stderr = run(t, "check", "-root", file("sub"), file("good.json"))
	require.Equal(t, exit.Failed, code)
	require.Contains(t, stderr, "is not below the folder")

	// Symbolic links do not lead out of the folder either.
	require.NoError(t, os.Symlink(file("good.json"), file("sub/link.json")))
	require.NoError(t, os.WriteFile(file("sub/follow.json"), []byte("{ 'include': 'link.json' }"), 0o644))
	code, _, stderr = run(t, "check", file("sub/follow.json"))
	require.Equal(t, exit.Failed, code)
	require.Contains(t, stderr, "the included file 'link.json' cannot be read")

	// The working folder only changes the names in messages.
	t.Chdir(file("qapi"))
	code, stdout, stderr = run(t, "check", "qapi-schema.json")
	require.Equal(t, exit.OK, code, stderr)
	require.Contains(t, stdout, "qapi-schema.json: QMP: 0 commands, 1 events")
	code, _, stderr = run(t, "check", "-root", "../sub", "../sub/out.json")
	require.Equal(t, exit.Failed, code)
	require.Contains(t, stderr, filepath.FromSlash("../sub/out.json:1: "))
	for _, args := range [][]string{{"../bad.json"}, {"-root", "..", "../bad.json"}, {"-root", dir, "../bad.json"}} {
		code, _, stderr = run(t, append([]string{"check"}, args...)...)
		require.Equal(t, exit.Failed, code)
		require.True(t, strings.HasPrefix(stderr, filepath.FromSlash("../sub/inc.json:1: ")), "%q: %s", args, stderr)
		require.Contains(t, stderr, filepath.FromSlash("(included from ../bad.json:1)"))
	}
	code, _, stderr = run(t, "check", "-root", "..", "../sub/out.json")
	require.Equal(t, exit.OK, code, stderr)

	code, stdout, _ = run(t, "check", "11.1")
	require.Equal(t, exit.OK, code)
	require.Contains(t, stdout, "QEMU 11.1: guest agent: 44 commands")
}

func TestDump(t *testing.T) {
	dir := writeFiles(t, map[string]string{"a.json": `
##
# @c:
#
# Does it.
#
# @m: (since 1.1)
#
# Features:
#
# @f: -
#
# Since: 1.0
##
{ 'command': 'c', 'data': { '*m': ['En'] }, 'if': { 'any': [ 'A', { 'not': 'B' } ] },
  'returns': 'Un', 'features': [ 'f' ], 'gen': false }
{ 'enum': 'En', 'data': [ 'a' ], 'prefix': 'P' }
{ 'struct': 'St', 'base': 'Ba', 'data': {} }
{ 'struct': 'Ba', 'data': { 'x': 'int' } }
{ 'union': 'Un', 'base': { 't': 'En' }, 'discriminator': 't', 'data': { 'a': 'St' } }
{ 'alternate': 'Al', 'data': { 's': 'str' } }
{ 'event': 'EV', 'data': 'St', 'boxed': true }
`})
	code, stdout, stderr := run(t, "dump", "-docs", filepath.Join(dir, "a.json"))
	require.Equal(t, exit.OK, code, stderr)
	require.JSONEq(t, `{
		"modules": [ { "path": "a.json" } ],
		"definitions": [
			{ "kind": "command", "name": "c", "file": "a.json", "line": 15, "since": "1.0",
			  "members": [ { "name": "m", "type": "[En]", "optional": true, "since": "1.1" } ],
			  "if": { "any": [ "A", { "not": "B" } ] }, "returns": "Un", "features": [ { "name": "f" } ], "flags": [ "no-gen" ],
			  "doc": { "Body": "Does it.", "Members": { "m": "(since 1.1)" }, "Features": { "f": "-" }, "Sections": [ { "Tag": "Since", "Text": "1.0" } ] } },
			{ "kind": "enum", "name": "En", "file": "a.json", "line": 17, "prefix": "P", "values": [ { "name": "a" } ] },
			{ "kind": "struct", "name": "St", "file": "a.json", "line": 18, "base": "Ba" },
			{ "kind": "struct", "name": "Ba", "file": "a.json", "line": 19, "members": [ { "name": "x", "type": "int" } ] },
			{ "kind": "union", "name": "Un", "file": "a.json", "line": 20, "members": [ { "name": "t", "type": "En" } ],
			  "discriminator": "t", "branches": [ { "name": "a", "type": "St" } ] },
			{ "kind": "alternate", "name": "Al", "file": "a.json", "line": 21, "branches": [ { "name": "s", "type": "str" } ] },
			{ "kind": "event", "name": "EV", "file": "a.json", "line": 22, "data": "St", "flags": [ "boxed" ] }
		] }`, stdout)

	for _, args := range [][]string{{"5.2"}, {"-qga", "11.1"}} {
		code, stdout, stderr = run(t, append([]string{"dump"}, args...)...)
		require.Equal(t, exit.OK, code, stderr)
		require.True(t, json.Valid([]byte(stdout)))
	}
	code, _, stderr = run(t, "dump", "-qga", filepath.Join(dir, "a.json"))
	require.Equal(t, exit.Failed, code)
	require.Contains(t, stderr, "holds no schema of the guest agent")
}

func TestDiff(t *testing.T) {
	dir := writeFiles(t, map[string]string{"a.json": "{ 'command': 'a' }", "b.json": "{ 'command': 'b' }"})
	a, b := filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")
	code, stdout, _ := run(t, "diff", a, b)
	require.Equal(t, exit.OK, code)
	require.Equal(t, "b.json: from "+a+" to "+b+"\n\nBreaks Go code (1)\n  the command 'a' is gone\n\nNew (1)\n  the command 'b' is new\n", stdout)

	code, stdout, _ = run(t, "diff", "-markdown", "10.2", "11.1")
	require.Equal(t, exit.OK, code)
	require.Contains(t, stdout, "## QMP: from QEMU 10.2 to QEMU 11.1\n\n### Breaks Go code")
	require.Contains(t, stdout, "\n## guest agent: from QEMU 10.2 to QEMU 11.1\n\n")

	code, _, stderr := run(t, "diff", a, "11.1")
	require.Equal(t, exit.Failed, code)
	require.Contains(t, stderr, "have no schema in common")
}

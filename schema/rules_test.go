package schema_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema"
)

func loadText(text string, opts ...schema.Option) (*schema.Schema, error) {
	return schema.Load(fstest.MapFS{"a.json": {Data: []byte(text)}}, "a.json", opts...)
}

// TestRules has the rules that QEMU's test suite does not check here. Each rejected
// text has the whole error.
func TestRules(t *testing.T) {
	const (
		old      = "{ 'pragma': { 'returns-whitelist': [] } }\n"
		enumE    = "{ 'enum': 'En', 'data': [ 'a', 'b' ] }\n"
		structS  = "{ 'struct': 'St', 'data': { 'x': 'int' } }\n"
		required = "{ 'pragma': { 'doc-required': true } }\n"
	)
	for _, c := range []struct{ name, text, err string }{
		{"nothing", "", ""},
		{"only comments", "# a\n#b\n#\n\n", ""},
		{"lines that end as elsewhere", "##\r\n# @a:\r\n##\r{ 'command': 'a' }\r\n\r;", "a.json:6:1: \";\" does not belong here"},
		{"no newline at the end", "{ 'command': 'a' }", ""},
		{"escaped backslash", `{ 'command': 'a\\b' }`, `a.json:1: in command 'a\b': the command has a name that is not allowed: it must begin with a letter, and hold letters, digits, '-' and '_' only`},
		{"trailing backslash", `{ 'command': 'a\`, `a.json:1:14: the string holds the escape \; the only one is \\`},
		{"comment in a string", "{ 'command': 'a#b' }", "a.json:1: in command 'a#b': the command has a name that is not allowed: it must begin with a letter, and hold letters, digits, '-' and '_' only"},
		{"comment after a value", "{ 'command': # here\n 'a' } # there", ""},
		{"documentation in a value", "{ 'command':\n## here\n 'a' }", "a.json:2:1: a value is expected, not a documentation comment"},
		{"double quotes", `{ "command": "a" }`, `a.json:1:3: "\"command\"" does not belong here`},
		{"number", "{ 'command': 1 }", `a.json:1:14: "1" does not belong here`},
		{"null", "{ 'command': null }", `a.json:1:14: "null" does not belong here`},
		{"NUL", "{ \x00", `a.json:1:3: the character '\x00' does not belong here`},
		{"byte order mark", "\uFEFF{}", `a.json:1:1: the character '\ufeff' does not belong here`},
		{"UTF-8 in a comment", "# é\n{ 'command': 'é' }", `a.json:2:14: the string holds the character 'é'; only printable ASCII is allowed`},
		{"columns count characters", "{ 'command': 'a' } # é\n ;", `a.json:2:2: ";" does not belong here`},
		{"bad UTF-8 in a comment", "{}# \xc3\x28", "a.json:1:5: the text is not UTF-8"},
		{"bad UTF-8 in a string", "{ 'command': '\xff' }", "a.json:1:14: the string holds the byte 0xff; only printable ASCII is allowed"},
		{"bad UTF-8 outside", "\xff", "a.json:1:1: the byte 0xff does not belong here"},
		{"empty object", "{}", "a.json:1: a definition needs one of the keys 'enum', 'struct', 'union', 'alternate', 'command', 'event'"},
		{"stray closing", "}", "a.json:1:1: a value is expected, not '}'"},

		{"pragma not an object", "{ 'pragma': [] }", "a.json:1: 'pragma' must be an object"},
		{"pragma not a boolean", "{ 'pragma': { 'doc-required': 'yes' } }", "a.json:1: the pragma 'doc-required' must be true or false"},
		{"later pragma wins", required + "{ 'pragma': { 'doc-required': false } }\n{ 'command': 'a' }", ""},
		{"include not a string", "{ 'include': [] }", "a.json:1: 'include' must be a string"},

		{"type named like a list", "{ 'struct': 'FooList', 'data': {} }", "a.json:1: in struct 'FooList': the struct must not have a name that ends in 'List'"},
		{"type named like a kind", "{ 'struct': 'FooKind', 'data': {} }", ""},
		{"type named like a kind, old", old + "{ 'struct': 'FooKind', 'data': {} }", "a.json:2: in struct 'FooKind': the struct must not have a name that ends in 'Kind'"},
		{"event with a hyphen", "{ 'event': 'A-B' }", "a.json:1: in event 'A-B': the event must be named in upper case, with '_' between words and not '-'"},
		{"command with '_'", "{ 'command': 'a_b' }", "a.json:1: in command 'a_b': the command must be named in lower case, with '-' between words and not '_'"},
		{"command with '_', excepted", "{ 'pragma': { 'command-name-exceptions': [ 'a_b' ] } }\n{ 'command': 'a_b' }", ""},
		{"command in capitals, excepted", "{ 'pragma': { 'command-name-exceptions': [ 'aB' ] } }\n{ 'command': 'aB' }", "a.json:2: in command 'aB': the command must be named in lower case, with '-' between words and not '_'"},
		{"command with '_', old", old + "{ 'command': 'a_b' }", ""},
		{"value that begins with a digit", "{ 'enum': 'En', 'data': [ '3des' ] }", ""},
		{"empty name", "{ 'enum': 'En', 'data': [ '' ] }", "a.json:1: in enum 'En': the value '' has a name that is not allowed: it must begin with a letter, and hold letters, digits, '-' and '_' only"},
		{"experimental name", "{ 'command': 'x-a' }", ""},
		{"downstream name", "{ 'command': '__com.example_a' }", ""},
		{"member named u", "{ 'struct': 'St', 'data': { 'u': 'int' } }", "a.json:1: in struct 'St': the member 'u' has a name that is reserved ('u', 'has-...')"},
		{"member named has_", "{ 'pragma': { 'member-name-exceptions': [ 'St' ] } }\n{ 'struct': 'St', 'data': { 'has_a': 'int' } }", "a.json:2: in struct 'St': the member 'has_a' has a name that is reserved ('u', 'has-...')"},
		{"feature in capitals", "{ 'command': 'a', 'features': [ 'B' ] }", "a.json:1: in command 'a': the feature 'B' must be named in lower case, with '-' between words and not '_'"},
		{"features not a list", "{ 'command': 'a', 'features': 'b' }", "a.json:1: in command 'a': the 'features' of the command must be a list"},

		{"enum prefix not a string", "{ 'enum': 'En', 'data': [], 'prefix': [] }", "a.json:1: in enum 'En': the 'prefix' must be a string"},
		{"value not of a base type", "{ 'struct': 'St', 'base': 'En', 'data': {} }\n" + enumE, "a.json:1: in struct 'St': the 'base' must be a struct, not the enum type 'En'"},
		{"empty base", "{ 'struct': 'St', 'base': '', 'data': {} }", "a.json:1: in struct 'St': the 'base' of a struct must be the name of a struct"},
		{"base in place", "{ 'struct': 'St', 'base': {}, 'data': {} }", "a.json:1: in struct 'St': the 'base' of a struct must be the name of a struct"},
		{"command as a type", "{ 'command': 'a', 'data': 'b' }\n{ 'command': 'b' }", "a.json:1: in command 'a': 'data' uses 'b' as a type, which is the command 'b'"},
		{"name used twice across kinds", "{ 'command': 'a' }\n{ 'command': 'b' }\n{ 'command': 'a' }", "a.json:3: in command 'a': the name is taken by the command that is defined at a.json:1"},

		{"name of a simple union's tag", "{ 'enum': 'UnKind', 'data': [] }\n##\n# @Un:\n#\n# Note: old\n##\n{ 'union': 'Un', 'data': { 'a': 'int' } }",
			"a.json:7: in union 'Un': the name of its tag's type, 'UnKind', is taken by the enum that is defined at a.json:1"},
		{"type named like a kind, with simple unions", "{ 'enum': 'FooKind', 'data': [] }\n##\n# @Un:\n#\n# Note: old\n##\n{ 'union': 'Un', 'data': { 'a': 'int' } }",
			"a.json:1: in enum 'FooKind': the enum must not have a name that ends in 'Kind'"},
		{"union base not an object", "{ 'union': 'Un', 'base': [], 'discriminator': 'a', 'data': {} }", "a.json:1: in union 'Un': the 'base' of a union must be an object, or the name of a struct"},
		{"union without discriminator", structS + "{ 'union': 'Un', 'base': 'St', 'data': {} }", "a.json:2: in union 'Un': the union lacks the key 'discriminator'"},
		{"discriminator not an enum", structS + "{ 'union': 'Un', 'base': 'St', 'discriminator': 'x', 'data': {} }", "a.json:2: in union 'Un': the discriminator 'x' in the base 'St' must be of an enum type, not 'int'"},
		{"enum without values", "{ 'enum': 'En', 'data': [] }\n{ 'union': 'Un', 'base': { 't': 'En' }, 'discriminator': 't', 'data': {} }", "a.json:2: in union 'Un': the union has no branches, since the enum 'En' has no values"},
		{"union contains itself", enumE + "{ 'union': 'Un', 'base': { 't': 'En' }, 'discriminator': 't', 'data': { 'a': 'Un' } }", "a.json:2: in union 'Un': the union contains itself"},
		{"member of itself", "{ 'struct': 'St', 'data': { '*x': 'St' } }", ""},
		{"union in a union, same tag", enumE + "{ 'union': 'Un', 'base': { 't': 'En' }, 'discriminator': 't', 'data': { 'a': 'Vn' } }\n{ 'union': 'Vn', 'base': { 't': 'En' }, 'discriminator': 't', 'data': {} }", "a.json:2: in union 'Un': the member 't' clashes with the member 't'"},
		{"simple union, new", structS + "{ 'union': 'Un', 'data': { 'a': 'St' } }", "a.json:2: in union 'Un': the union lacks the key 'base'"},
		{"simple union, old", old + structS + "{ 'union': 'Un', 'data': { 'a': 'St', 'b': ['int'] } }", ""},
		{"kind of a simple union", old + "{ 'union': 'Un', 'data': { 'a': 'int' } }\n{ 'command': 'c', 'data': { 'k': 'UnKind' } }", ""},
		{"alternate without branches", "{ 'alternate': 'Al', 'data': {} }", "a.json:1: in alternate 'Al': an alternate needs at least one branch"},
		{"alternate with any", "{ 'alternate': 'Al', 'data': { 'a': 'any' } }", "a.json:1: in alternate 'Al': the branch 'a' can't be of the built-in type 'any'"},
		{"alternate of a string and a number", "{ 'alternate': 'Al', 'data': { 'a': 'int', 'b': 'str' } }", "a.json:1: in alternate 'Al': the branch 'b' can't be distinguished from the branch 'a'"},

		{"boxed without a type", "{ 'command': 'a', 'boxed': true }", "a.json:1: in command 'a': 'boxed' needs 'data'"},
		{"boxed false", "{ 'event': 'A', 'boxed': false, 'data': 'St' }", "a.json:1: in event 'A': 'boxed' can only be true"},
		{"event of an enum", enumE + "{ 'event': 'A', 'data': 'En' }", "a.json:2: in event 'A': the 'data' can't be of the enum type 'En'"},
		{"data as a list", structS + "{ 'command': 'a', 'data': ['St'] }", "a.json:2: in command 'a': the 'data' of a command must be an object or a type's name"},
		{"returns in place", "{ 'command': 'a', 'returns': {} }", "a.json:1: in command 'a': the type of 'returns' must be a type's name, or such a name in a list"},
		{"gen true", "{ 'command': 'a', 'gen': true }", "a.json:1: in command 'a': 'gen' can only be false"},

		{"condition as a list", "{ 'command': 'a', 'if': ['A'] }", "a.json:1: in command 'a': the 'if' of the command must be a string or an object"},
		{"condition as a list, old", old + "{ 'command': 'a', 'if': ['defined(A)', 'defined(B)'] }", ""},
		{"condition in C", "{ 'command': 'a', 'if': 'defined(A)' }", "a.json:1: in command 'a': the condition 'defined(A)' of the command is not a symbol (capitals, digits and '_')"},
		{"condition in C, old", old + "{ 'command': 'a', 'if': '!defined(A) && (defined B || defined( C ))' }", ""},
		{"condition in bad C", old + "{ 'command': 'a', 'if': 'defined(A) &&' }", "a.json:2: in command 'a': the condition 'defined(A) &&' of the command is neither a symbol nor an expression of defined(SYMBOL), !, && and ||"},
		{"condition with an unknown key", "{ 'command': 'a', 'if': { 'xor': 'A' } }", "a.json:1: in command 'a': the 'if' of the command can't have the key 'xor'"},
		{"condition of a discriminated branch", enumE + structS + "{ 'union': 'Un', 'base': { 't': 'En' }, 'discriminator': 't', 'data': { 'a': { 'type': 'St', 'if': { 'not': 'A' } } } }", ""},

		{"documentation of nothing", "##\n# @a:\n##", "a.json:1: the definition of 'a' does not follow its documentation"},
		{"documentation twice", "##\n# @a:\n##\n##\n# @a:\n##\n{ 'command': 'a' }", "a.json:1: the definition of 'a' does not follow its documentation"},
		{"documentation of another", "##\n# @b:\n##\n{ 'command': 'a' }", "a.json:4: in command 'a': the documentation before it is about 'b'"},
		{"documentation missing", required + "{ 'command': 'a' }", "a.json:2: in command 'a': it has no documentation, which the pragma 'doc-required' requires"},
		{"documentation of no name", "##\n# @:\n##", "a.json:2:1: a name is expected after '@'"},
		{"junk at the end", "##\n# a\n## b", "a.json:3:1: a line that ends a documentation comment must hold nothing but '##'"},
		{"no space", "##\n#a\n##", "a.json:2:1: a space is expected after '#' in a documentation comment"},
		{"blank line inside", "##\n# a\n\n# b\n##", ""},
		{"definition inside", "##\n# a\n{}", "a.json:3:1: the documentation comment is not closed with '##'"},
		{"member in free text", "##\n# a\n# @b: c\n##", "a.json:3:1: '@b:' is not allowed in documentation that is not about a definition"},
		{"member not documented", "##\n# @St:\n##\n" + structS, "a.json:4: in struct 'St': 'x' is not documented"},
		{"member not documented, excepted", "{ 'pragma': { 'documentation-exceptions': [ 'St' ] } }\n##\n# @St:\n##\n" + structS, ""},
		{"member not documented, old", "##\n# @St:\n#\n# Note: x\n##\n" + structS, ""},
		{"heading in a definition", "##\n# @a:\n#\n# = b\n##\n{ 'command': 'a' }", "a.json:4:1: a heading is not allowed in the documentation of a definition"},
		{"since twice", "##\n# @a:\n#\n# Since: 1.0\n#\n# Since: 1.1\n##\n{ 'command': 'a' }", "a.json:6: there is more than one section 'Since:'"},
		{"to-do twice", "##\n# @a:\n#\n# TODO: a\n#\n# TODO: b\n##\n{ 'command': 'a' }", ""},
		{"returns of an event", "##\n# @A:\n#\n# Returns: a\n##\n{ 'event': 'A' }", "a.json:4: in event 'A': only a command can have the section 'Returns:'"},
		{"features without descriptions at the end", "##\n# @a:\n#\n# Features:\n##\n{ 'command': 'a' }", "a.json:5:1: descriptions of features are expected after 'Features:'"},
		{"feature documented twice", "##\n# @a:\n#\n# Features:\n#\n# @b: c\n# @b: d\n##\n{ 'command': 'a', 'features': ['b'] }", "a.json:7: the feature 'b' is documented twice"},
		{"URL of any length", "##\n# https://example.com/" + strings.Repeat("x", 80) + "\n##", ""},
		{"example of any length", "##\n# .. qmp-example::\n#\n#     " + strings.Repeat("x. Y ", 30) + "\n#\n# Text.  Text.\n##", ""},
		{"text after an example", "##\n# .. qmp-example::\n#\n#     x\n#\n# Text. Text.\n##", "a.json:6:8: two spaces are expected between sentences"},
		{"abbreviation", "##\n# Such, e.g. QEMU.\n# 1. List\n##", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := loadText(c.text, schema.CheckLayout())
			if c.err == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, c.err)
			}
		})
	}
}

// TestSeveralErrors reports one error for each definition with an error, and none for
// definitions that only use it.
func TestSeveralErrors(t *testing.T) {
	_, err := loadText(`{ 'struct': 'Aa', 'data': { 'x': 'int', 'x_': 'Nope' } }
{ 'enum': 'Bb', 'data': {} }
{ 'command': 'c', 'data': 'Aa' }
`)
	require.EqualError(t, err, `a.json:1: in struct 'Aa': the member 'x_' must be named in lower case, with '-' between words and not '_'
a.json:2: in enum 'Bb': the 'data' of an enum must be a list`)

	_, err = loadText(`{ 'struct': 'Loop', 'base': 'Loop', 'data': {} }
{ 'struct': 'User', 'base': 'Loop', 'data': {} }
{ 'command': 'user', 'data': 'User' }
{ 'struct': 'Other', 'base': 'Base', 'data': { 'a': 'str' } }
{ 'struct': 'Base', 'data': { 'a': 'str' } }
`)
	require.EqualError(t, err, `a.json:1: in struct 'Loop': the struct contains itself
a.json:4: in struct 'Other': the member 'a' clashes with the member 'a' of 'Base'`)
}

// TestIncludes is about what includes may reach.
func TestIncludes(t *testing.T) {
	load := func(files map[string]string) (*schema.Schema, error) {
		fsys := make(fstest.MapFS)
		for name, text := range files {
			fsys[name] = &fstest.MapFile{Data: []byte(text)}
		}
		return schema.Load(fsys, "a/b/root.json")
	}
	s, err := load(map[string]string{
		"a/b/root.json":   "{ 'include': '../c/x.json' }\n{ 'include': './root2.json' }\n{ 'command': 'z' }",
		"a/c/x.json":      "{ 'include': '../b/root2.json' }\n{ 'command': 'x' }",
		"a/b/root2.json":  "{ 'command': 'y' }",
		"a/b/unread.json": "}",
	})
	require.NoError(t, err)
	var names []string
	for _, def := range s.Definitions() {
		names = append(names, def.Def().Name)
	}
	require.Equal(t, []string{"z", "x", "y"}, names)
	require.Len(t, s.Modules, 3)
	require.Equal(t, "a/b/root2.json", s.Modules[0].Includes[1].Path)
	again, err := schema.Load(formatted(s), "a/b/root.json")
	require.NoError(t, err)
	requireSameModel(t, s, again)

	for include, want := range map[string]string{
		"../../../etc/passwd": "a/b/root.json:1: the included file '../../../etc/passwd' is not below the root of the schema",
		"/etc/passwd":         "a/b/root.json:1: the included file '/etc/passwd' is not below the root of the schema",
		"../..":               "a/b/root.json:1: the included file '../..' is not below the root of the schema",
		"":                    "a/b/root.json:1: the included file '' cannot be read: it is a folder, not a regular file",
		"nope.json":           "a/b/root.json:1: the included file 'nope.json' cannot be read: file does not exist",
		"root.json":           "a/b/root.json:1: the file 'a/b/root.json' includes itself",
	} {
		_, err := load(map[string]string{"a/b/root.json": "{ 'include': '" + include + "' }"})
		require.EqualError(t, err, want)
	}

	for _, root := range []string{"", ".", "..", "/a", "a/../b", "nope.json"} {
		_, err := schema.Load(fstest.MapFS{}, root)
		require.Error(t, err, root)
	}
}

// TestBombs feeds what is made to exhaust a parser.
func TestBombs(t *testing.T) {
	const many = 200_000
	for _, text := range []string{
		strings.Repeat("[", many),
		strings.Repeat("{'a':", many),
		"{ 'command': 'a', 'if': " + strings.Repeat("{ 'not': ", many),
		"{ 'pragma': { 'returns-whitelist': [] } }{ 'command': 'a', 'if': '" + strings.Repeat("(", many) + "' }",
		"{ 'pragma': { 'returns-whitelist': [] } }{ 'command': 'a', 'if': '" + strings.Repeat("!", many) + "' }",
	} {
		_, err := loadText(text)
		require.Error(t, err)
		require.Less(t, len(err.Error()), many+500)
	}
	var unions strings.Builder // each of the one before it, twice
	unions.WriteString("{ 'struct': 'Un0', 'data': {} }")
	for i := range 60 {
		fmt.Fprintf(&unions, "{ 'enum': 'En%[1]d', 'data': [ 'a', 'b' ] }\n"+
			"{ 'union': 'Un%[1]d', 'base': { 't%[1]d': 'En%[1]d' }, 'discriminator': 't%[1]d', 'data': { 'a': 'Un%[2]d', 'b': 'Un%[2]d' } }\n", i+1, i)
	}
	_, err := loadText(unions.String())
	require.NoError(t, err)
	_, err = loadText("{ 'command': '" + strings.Repeat("a", 10*many) + "' }")
	require.NoError(t, err)

	files := fstest.MapFS{}
	name := func(i int) string { return "f" + strings.Repeat("x", i) }
	for i := range 300 {
		files[name(i)] = &fstest.MapFile{Data: []byte("{ 'include': '" + name(i+1) + "' }")}
	}
	_, err = schema.Load(files, name(0))
	require.ErrorContains(t, err, "includes nest deeper than 100 levels")
}

package schema_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/growth"
	"github.com/goqapi/goqapi/schema"
)

// numbered writes a text for each number up to n, in which it replaces "#" by the number
// and "<" by the number before it.
func numbered(n int, text string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(strings.ReplaceAll(text, "#", strconv.Itoa(i+1)), "<", strconv.Itoa(i)))
	}
	return b.String()
}

const baseChain = "{ 'struct': 'Ab#', 'base': 'Ab<', 'data': { 'm#': 'int' } }\n"

// TestDeepBases refuses chains of bases that are far deeper than in any real schema, in
// either order, with one error.
func TestDeepBases(t *testing.T) {
	const first = "{ 'struct': 'Ab0', 'data': {} }\n"
	_, err := loadText(first + numbered(100, baseChain))
	require.NoError(t, err)
	_, err = loadText(first + numbered(10_000, baseChain))
	require.EqualError(t, err, "a.json:102: in struct 'Ab101': its bases and branches nest deeper than 100 levels")

	lines := strings.SplitAfter(numbered(10_000, baseChain), "\n")
	for i, j := 0, len(lines)-1; i < j; i, j = i+1, j-1 {
		lines[i], lines[j] = lines[j], lines[i]
	}
	_, err = loadText(strings.Join(lines, "") + first)
	require.EqualError(t, err, "a.json:9900: in struct 'Ab101': its bases and branches nest deeper than 100 levels")

	// Unions nest, too, as branches.
	const unions = "{ 'enum': 'En#', 'data': [ 'v' ] } { 'union': 'Un#', 'base': { 't#': 'En#' }, 'discriminator': 't#', 'data': { 'v': 'Un<' } }\n"
	_, err = loadText("{ 'struct': 'Un0', 'data': {} }\n" + numbered(1000, unions))
	require.EqualError(t, err, "a.json:102: in union 'Un101': its bases and branches nest deeper than 100 levels")
}

// TestLongDefinitions has definitions with very many parts: the time to load them, right or
// wrong, grows with their number and no faster.
func TestLongDefinitions(t *testing.T) {
	for name, text := range map[string]func(n int) string{
		"members": func(n int) string {
			return "{ 'struct': 'St', 'data': { 'm0': 'int'" + numbered(n, ", 'm#': 'int'") + " } }"
		},
		"values": func(n int) string {
			return "{ 'enum': 'En', 'data': [ 'v0'" + numbered(n, ", 'v#'") + " ] }\n" +
				"{ 'union': 'Un', 'base': { 't': 'En' }, 'discriminator': 't', 'data': { 'v0': 'St'" + numbered(n, ", 'v#': 'St'") + " } }\n" +
				"{ 'struct': 'St', 'data': {} }"
		},
		"docs": func(n int) string {
			return "##\n!! @c:\n!!" + numbered(n, "\n!! @d#:") + "\n!!" + numbered(n, "\n!! TODO: t\n!!\n!! (since#, since 1.0\n!!") + "\n##\n{ 'command': 'c' }"
		},
		"features": func(n int) string {
			return "{ 'command': 'c', 'features': [ 'f0'" + numbered(n, ", 'f#'") + " ] }"
		},
		"commands": func(n int) string {
			return "{ 'pragma': { 'command-name-exceptions': [ 'x'" + numbered(n, ", 'c_#'") + " ] } }" + numbered(n, "{ 'command': 'c_#' }\n")
		},
		"keys": func(n int) string { return "{ 'command': 'c'" + numbered(n, ", 'k#': true") + " }" },
	} {
		t.Run(name, func(t *testing.T) {
			growth.Linear(t, 2000, func(n int) func() {
				text := strings.ReplaceAll(text(n), "!!", "#")
				return func() { loadText(text) }
			})
		})
	}
}

// TestTooManyParts refuses schemas with a short text whose definitions take so many
// parts from others that going through all of them would take far too long.
func TestTooManyParts(t *testing.T) {
	const n = 5000
	members := numbered(n, "'m#': 'int',")
	values := numbered(n, "'v#',")
	for name, c := range map[string]struct{ text, in string }{
		"many structs of a large base": {
			"{ 'struct': 'Base', 'data': { " + members + " 'last': 'int' } }\n" + numbered(n, "{ 'struct': 'Ab#', 'base': 'Base', 'data': {} }\n"), "struct"},
		"many unions of a large enum": {
			"{ 'enum': 'En', 'data': [ " + values + " 'last' ] }\n" + numbered(n, "{ 'union': 'Un#', 'base': { 't': 'En' }, 'discriminator': 't', 'data': {} }\n"), "union"},
		"many branches of a large type": {
			"{ 'enum': 'En', 'data': [ " + values + " 'last' ] } { 'struct': 'St', 'data': { " + members + " 'last': 'int' } }\n" +
				"{ 'union': 'Un', 'base': { 't': 'En' }, 'discriminator': 't', 'data': { " + numbered(n, "'v#': 'St',") + " 'last': 'St' } }\n", "union"},
		"many commands of a large type": {
			"{ 'struct': 'St', 'data': { " + members + " 'last': 'int' } }\n" + numbered(n, "{ 'command': 'c#', 'data': 'St' }\n"), "command"},
		"many boxed events of a large type": {
			"{ 'struct': 'St', 'data': { " + members + " 'last': 'int' } }\n" + numbered(n, "{ 'event': 'E#', 'data': 'St', 'boxed': true }\n"), "event"},
	} {
		_, err := loadText(c.text)
		require.Error(t, err, name)
		assert.Regexp(t, "^a.json:[0-9]+: in "+c.in+" '[^']*': with it the schema has more than 500000 members, values and branches, "+
			"counting those that definitions take from others$", err.Error(), name)
	}
}

// TestManyAlternates has many alternates of one large enum.
func TestManyAlternates(t *testing.T) {
	growth.Linear(t, 2000, func(n int) func() {
		text := "{ 'enum': 'En', 'data': [ " + numbered(n, "'v#',") + " 'last' ] }\n" +
			numbered(n, "{ 'alternate': 'Al#', 'data': { 'e': 'En', 'o': 'int' } }\n")
		return func() {
			_, err := loadText(text)
			require.NoError(t, err)
		}
	})
}

// TestDiffOfMuch compares definitions with many parts.
func TestDiffOfMuch(t *testing.T) {
	diff := func(old, new string) func() {
		a, err := loadText(old)
		require.NoError(t, err)
		b, err := loadText(new)
		require.NoError(t, err)
		return func() { require.NotEmpty(t, schema.Diff(a, b)) }
	}
	for name, text := range map[string]func(n int, last string) string{
		"values": func(n int, last string) string {
			return "{ 'enum': 'En', 'data': [ " + numbered(n, "'v#',") + last + " ] }"
		},
		"members": func(n int, last string) string {
			return "{ 'struct': 'St', 'data': { " + numbered(n, "'m#': 'int',") + last + ": 'int' } }"
		},
		"branches": func(n int, last string) string {
			return "{ 'enum': 'En', 'data': [ " + numbered(n, "'v#',") + last + " ] } { 'struct': 'St', 'data': {} }" +
				"{ 'union': 'Un', 'base': { 't': 'En' }, 'discriminator': 't', 'data': { " + numbered(n, "'v#': 'St',") + last + ": 'St' } }"
		},
	} {
		t.Run(name, func(t *testing.T) {
			growth.Linear(t, 2000, func(n int) func() { return diff(text(n, "'old'"), text(n, "'new'")) })
		})
	}
	// All types have other names.
	t.Run("renamed", func(t *testing.T) {
		const text = "{ 'struct': 'Ab#', 'data': { 'a': 'int' } } { 'command': 'c#', 'returns': 'Ab#' }\n"
		growth.Linear(t, 500, func(n int) func() { return diff(numbered(n, text), numbered(n, strings.ReplaceAll(text, "Ab", "Cd"))) })
	})
	// Each type shows that the next one was renamed.
	t.Run("renamed one after another", func(t *testing.T) {
		const first, text = "{ 'command': 'c', 'returns': 'Ab1' }\n", "{ 'struct': 'Ab<', 'data': { 'a': 'Ab#' } }\n"
		growth.Linear(t, 300, func(n int) func() {
			last := fmt.Sprintf("{ 'struct': 'Ab%d', 'data': {} }\n", n)
			old := first + numbered(n, text) + last
			return diff(old, strings.ReplaceAll(old, "Ab", "Cd"))
		})
	})
}

// TestFormatOfMuch prints a schema of many files.
func TestFormatOfMuch(t *testing.T) {
	growth.Linear(t, 500, func(n int) func() {
		files := fstest.MapFS{"a.json": {Data: []byte(numbered(n, "{ 'include': 'b#.json' }\n"))}}
		for i := range n {
			files[fmt.Sprintf("b%d.json", i+1)] = &fstest.MapFile{Data: fmt.Appendf(nil, "{ 'command': 'c%d' }\n", i)}
		}
		s, err := schema.Load(files, "a.json")
		require.NoError(t, err)
		return func() {
			for _, m := range s.Modules {
				s.Format(m)
			}
		}
	})
}

// TestLargeFiles checks that no file is read that is larger than the limit for a
// schema, and that all files together are not read beyond it.
func TestLargeFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.json")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.NoError(t, os.Truncate(file, 30<<30)) // the file is sparse: it takes no space
	_, err := schema.Load(os.DirFS(dir), "a.json")
	require.EqualError(t, err, "a.json: the schema cannot be read: it has 32212254720 bytes; the limit is 16777216")

	files := fstest.MapFS{"a.json": {Data: []byte(numbered(20, "{ 'include': 'b#.json' }\n"))}}
	for i := range 20 {
		files[fmt.Sprintf("b%d.json", i+1)] = &fstest.MapFile{Data: make([]byte, 0, 1<<20)}
		files[fmt.Sprintf("b%d.json", i+1)].Data = []byte(strings.Repeat("\n", 1<<20))
	}
	_, err = schema.Load(files, "a.json")
	require.Error(t, err)
	assert.Regexp(t, "^a.json:16: the included file 'b16.json' cannot be read: it has 1048576 bytes; the limit is [0-9]+$", err.Error())
}

// TestErrorsArePrintable checks that what an error quotes from a schema neither moves
// the cursor of a terminal nor begins a new line.
func TestErrorsArePrintable(t *testing.T) {
	_, err := loadText("##\n# @a\x1b[2J\u202eb:\n##\n{ 'command': 'c' }")
	require.EqualError(t, err, `a.json:4: in command 'c': the documentation before it is about 'a\x1b[2J\u202eb'`)
	_, err = schema.Load(fstest.MapFS{"a\nb.json": {Data: []byte("}")}}, "a\nb.json")
	require.EqualError(t, err, `a\nb.json:1:1: a value is expected, not '}'`)
}

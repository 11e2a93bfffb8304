package schema_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/schema"
)

// seeds are texts of our own that contain every construct.
var seeds = []string{
	"{ 'pragma': { 'doc-required': true, 'command-name-exceptions': [ 'a_b' ], 'documentation-exceptions': [ 'a_b' ] } }\n" +
		"##\n# Text\n##\n##\n# @a_b:\n#\n# Body.\n#\n# @c: text\n#     more (since 1.2)\n#\n# Features:\n#\n# @deprecated: -\n#\n# Returns: x\n#\n# Since: 1.0\n##\n" +
		"{ 'command': 'a_b', 'data': { '*c': { 'type': ['str'], 'features': [ { 'name': 'deprecated', 'if': 'A' } ] } }, 'returns': 'St' }\n" +
		"##\n# @St:\n#\n# @x: y\n##\n{ 'struct': 'St', 'data': { 'x': 'int' } }",
	"{ 'enum': 'En', 'prefix': 'E', 'data': [ 'a', { 'name': '2b', 'if': { 'any': [ 'A', { 'not': 'B' } ] } } ] }\n" +
		"{ 'struct': 'St', 'base': 'Ba', 'data': {} } { 'struct': 'Ba', 'data': { 'x': 'any' }, 'if': { 'all': [ 'A', 'B' ] } }\n" +
		"{ 'union': 'Un', 'base': { 't': 'En' }, 'discriminator': 't', 'data': { 'a': 'St', '2b': { 'type': 'St', 'if': 'A' } } }\n" +
		"{ 'alternate': 'Al', 'data': { 'o': 'St', 'e': 'En', 'n': 'null', 'l': ['int'] } }\n" +
		"{ 'command': 'c', 'boxed': true, 'data': 'Un', 'gen': false, 'success-response': false, 'allow-oob': true, 'allow-preconfig': true }\n" +
		"{ 'event': 'E', 'data': { 'a': 'Al' }, 'features': [ 'unstable' ] } { 'command': 'd', 'coroutine': true, 'returns': ['Un'] }",
	"{ 'pragma': { 'returns-whitelist': [ 'a' ], 'name-case-whitelist': [ 'S' ] } }\n" +
		"##\n# @S:\n# @A: text\n# Note: x\n# Since 1.0.0\n##\n{ 'struct': 'S', 'data': { 'A': 'str' } }\n" +
		"{ 'union': 'U', 'data': { 'a': 'S', 'b': { 'type': ['int'], 'if': 'defined(A) && !(defined(B) || defined C)' } } }\n" +
		"{ 'command': 'a', 'returns': 'str', 'data': { 'k': 'UKind' }, 'if': [ 'defined(A)' ] }",
	"{ 'include': 'b.json' }\n{ 'include': 'a.json' }",
	"{ 'include': 'b.json' }\n{ 'command': 'a' }",
	"##\n# @%!d(x):\n##\n{ 'command': '%!s' }",
}

// FuzzParse looks for input that makes Load panic or hang.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		files := fstest.MapFS{
			"x/a.json": {Data: []byte(text)},
			"x/b.json": {Data: []byte("{ 'include': 'c.json' }\n")},
			"x/c.json": {Data: []byte("{ 'event': 'C' }\n")},
		}
		s, err := schema.Load(recorder{t, files}, "x/a.json", schema.CheckLayout(), schema.KeepDocs())
		if err != nil {
			require.NotEmpty(t, err.Error())
			if !strings.Contains(text, "%!") { // errors quote the text
				require.NotContains(t, err.Error(), "%!", "a message has other arguments than its format")
			}
			return
		}
		for _, def := range s.Definitions() {
			require.Equal(t, def, s.Lookup(def.Def().Name))
		}
	})
}

// A recorder fails the test if an invalid path is opened.
type recorder struct {
	t  *testing.T
	fs fs.FS
}

func (r recorder) Open(name string) (fs.File, error) {
	require.True(r.t, fs.ValidPath(name), name)
	return r.fs.Open(name)
}

// FuzzFormat looks for schemas that are not the same after being printed and
// read again.
func FuzzFormat(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := loadText(text)
		if err != nil {
			return
		}
		files := formatted(s)
		again, err := schema.Load(files, "a.json", schema.CheckLayout())
		if err != nil && strings.Contains(err.Error(), "the documentation line has") {
			again, err = schema.Load(files, "a.json") // names can be as long as a line
		}
		require.NoError(t, err, "%s", files["a.json"].Data)
		requireSameModel(t, s, again)
		for _, m := range again.Modules {
			require.Equal(t, string(files[m.Path].Data), string(again.Format(m)))
		}
	})
}

func TestSeeds(t *testing.T) {
	for i, s := range seeds[:3] {
		_, err := loadText(s)
		require.NoError(t, err, i)
	}
}

// BenchmarkLoad reads the whole QMP schema of a release: upstream's with all its
// text, and ours.
func BenchmarkLoad(b *testing.B) {
	b.Run("upstream", func(b *testing.B) {
		fsys := os.DirFS(corpus.Path(b, "schema", "10.2"))
		for b.Loop() {
			_, err := schema.Load(fsys, "qapi/qapi-schema.json")
			require.NoError(b, err)
		}
	})
	b.Run("snapshot", func(b *testing.B) {
		fsys := os.DirFS("qemu/10.2")
		for b.Loop() {
			_, err := schema.Load(fsys, "qapi/qapi-schema.json")
			require.NoError(b, err)
		}
	})
}

func BenchmarkFormat(b *testing.B) {
	s, err := schema.Load(os.DirFS("qemu/10.2"), "qapi/qapi-schema.json")
	require.NoError(b, err)
	for b.Loop() {
		for _, m := range s.Modules {
			s.Format(m)
		}
	}
}

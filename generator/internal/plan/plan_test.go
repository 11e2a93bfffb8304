package plan

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/generator/descriptions"
	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/internal/short"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/merge"
	"github.com/goqapi/goqapi/schema/qemu"
)

// load loads a schema that is given in place.
func load(t *testing.T, text string) *schema.Schema {
	t.Helper()
	s, err := schema.Load(fstest.MapFS{"qapi/test.json": {Data: []byte(text)}}, "qapi/test.json")
	require.NoError(t, err)
	return s
}

func build(t *testing.T, text string) *Package {
	t.Helper()
	p, err := Build(single(load(t, text)), Options{Package: "p", Schema: "a test"})
	require.NoError(t, err)
	return p
}

// merged returns the merged schema of all releases.
func merged(t *testing.T, root string) *merge.Merged {
	t.Helper()
	m, err := qemu.Merge(root)
	require.NoError(t, err)
	return m
}

// single returns a single schema, without other releases.
func single(s *schema.Schema) *merge.Merged { return merge.One(merge.Release{Schema: s}) }

// find returns the declaration of a Go name.
func find[T Decl](t *testing.T, p *Package, name string) T {
	t.Helper()
	for _, f := range p.Files {
		for _, decl := range f.Decls {
			if d, ok := decl.(T); ok && nameOf(decl) == name {
				return d
			}
		}
	}
	t.Fatalf("no %s is planned", name)
	panic("unreachable")
}

func nameOf(d Decl) string {
	switch d := d.(type) {
	case *Enum:
		return d.Name
	case *Struct:
		return d.Name
	case *Union:
		return d.Name
	case *Alternate:
		return d.Name
	case *Command:
		return d.Name
	case *Event:
		return d.Name
	}
	return ""
}

func declared(p *Package) []string {
	var names []string
	for _, f := range p.Files {
		for _, decl := range f.Decls {
			names = append(names, nameOf(decl))
		}
	}
	return names
}

const shapes = `
{ 'enum': 'Tag', 'data': [ 'one', 'two', 'three', 'four', 'none', 'six' ] }
{ 'struct': 'OneOptions', 'data': { 'a': 'int' } }
{ 'struct': 'Shared', 'data': { '*b': 'str' } }
{ 'struct': 'UniTHREE', 'data': { 'c': 'bool' } }
{ 'struct': 'Base', 'data': { 'kind': 'Tag', '*id': 'str' } }
{ 'struct': 'Wrapper', 'data': { 'data': 'Shared' } }
{ 'union': 'Uni', 'base': 'Base', 'discriminator': 'kind',
  'data': { 'one': 'OneOptions', 'two': 'Shared', 'three': 'UniTHREE',
            'four': 'Wrapper', 'six': 'Inner' } }
{ 'enum': 'InnerTag', 'data': [ 'x' ] }
{ 'union': 'Inner', 'base': { 'type': 'InnerTag' }, 'discriminator': 'type', 'data': {} }
{ 'command': 'go', 'data': { 'uni': 'Uni', 'three': 'UniTHREE', 'inner': 'Inner' } }
`

// TestVariants has the rules for the type of a variant.
func TestVariants(t *testing.T) {
	p := build(t, shapes)
	u := find[*Union](t, p, "Uni")
	type variant struct {
		name    string
		form    Form
		wrapped bool
		over    string
	}
	var got []variant
	for _, v := range u.Variants {
		got = append(got, variant{v.Name, v.Form, v.Wrapped, v.Over.Name})
	}
	assert.Equal(t, []variant{
		{"UniOne", Itself, false, ""},      // the struct is used for this tag only
		{"UniTwo", Over, false, "Shared"},  // two tags share the struct
		{"UniThree", Itself, false, ""},    // its name differs from the variant's only in case
		{"UniFour", Over, true, "Shared"},  // a wrapper is looked through
		{"UniNone", Empty, false, ""},      // a tag without a branch
		{"UniSix", Nested, false, "Inner"}, // a union in a union
	}, got)
	assert.Equal(t, []string{
		"Tag", "UniOne", "Shared", "UniThree", "Uni", "InnerTag", "Inner", "Go",
	}, declared(p), "neither the base nor the wrapper has a Go type")
	assert.Equal(t, "UniVariant", u.Sum)
	assert.Equal(t, "Kind", u.Discriminator.Name)
}

// TestNotes checks that the description of variants without members reaches those variants.
func TestNotes(t *testing.T) {
	said := descriptions.Descriptions{"Uni": {Members: map[string]string{descriptions.Empty: "Refused."}}}
	p, err := Build(single(load(t, shapes)), Options{Package: "p", Schema: "a test", Descriptions: said})
	require.NoError(t, err)
	notes := map[string]string{}
	for _, v := range find[*Union](t, p, "Uni").Variants {
		notes[v.Name] = v.Note
	}
	assert.Equal(t, map[string]string{
		"UniOne": "", "UniTwo": "", "UniThree": "", "UniFour": "", "UniNone": "Refused.", "UniSix": "",
	}, notes)
}

func TestOptional(t *testing.T) {
	p := build(t, `
{ 'enum': 'Enu', 'data': [ 'e' ] }
{ 'alternate': 'Alt', 'data': { 's': 'str', 'n': 'null' } }
{ 'struct': 'Some', 'data': { '*i': 'int', '*e': 'Enu', '*l': [ 'str' ], '*a': 'Alt', '*any': 'any', 'r': 'int', '*s': 'Some' } }
{ 'command': 'set', 'data': 'Some' }
`)
	var pointers []string
	for _, f := range find[*Struct](t, p, "Some").Fields {
		if f.Pointer() {
			pointers = append(pointers, f.Name)
		}
	}
	assert.Equal(t, []string{"I", "E", "S"}, pointers)
}

// TestAny keeps what a server sends unchanged, and lets callers pass anything.
func TestAny(t *testing.T) {
	p := build(t, `
{ 'struct': 'Sent', 'data': { 'v': 'any' } }
{ 'struct': 'Got', 'data': { 'v': 'any' } }
{ 'struct': 'Both', 'data': { 'v': 'any' } }
{ 'command': 'send', 'data': { 'sent': 'Sent', 'both': 'Both' }, 'returns': [ 'Got' ] }
{ 'event': 'HAPPENED', 'data': { 'both': 'Both', 'v': 'any' } }
`)
	assert.Equal(t, Any, find[*Struct](t, p, "Sent").Fields[0].Type.Kind)
	assert.Equal(t, Raw, find[*Struct](t, p, "Got").Fields[0].Type.Kind)
	assert.Equal(t, Raw, find[*Struct](t, p, "Both").Fields[0].Type.Kind)
	assert.Equal(t, Raw, find[*Event](t, p, "Happened").Struct.Fields[1].Type.Kind)
}

// TestBytes keeps a list of bytes from becoming base64.
func TestBytes(t *testing.T) {
	p := build(t, `{ 'command': 'c', 'data': { 'l': [ 'uint8' ] } }`)
	assert.Equal(t, "uint16", find[*Command](t, p, "C").Own.Fields[0].Type.Elem.Name)
}

// TestClashes has schemas with two names that would be the same in Go, or would differ
// only in case. The errors contain both names and the place.
func TestClashes(t *testing.T) {
	for name, c := range map[string]struct{ schema, want string }{
		"types": {`{ 'struct': 'VncInfo', 'data': {} }
{ 'struct': 'VNCInfo', 'data': {} }`, "qapi/test.json:2: struct 'VNCInfo' becomes VNCInfo in Go, and so does struct 'VncInfo'"},
		"only in case": {`{ 'struct': 'FooBar', 'data': {} }
{ 'struct': 'Foobar', 'data': {} }`, "becomes Foobar in Go, and so does struct 'FooBar' (as FooBar)"},
		"value and type": {`{ 'enum': 'Run', 'data': [ 'state' ] }
{ 'struct': 'RunState', 'data': {} }`, "RunState"},
		"arguments and type": {`{ 'struct': 'EjectArgs', 'data': {} }
{ 'command': 'eject', 'data': { 'id': 'str' } }`, "command 'eject' becomes EjectArgs"},
		"commands":          {"{ 'command': 'add-fd' }\n{ 'command': 'addfd' }", "addfd"},
		"reserved type":     {`{ 'struct': 'Client', 'data': {} }`, "the client's type"},
		"reserved method":   {`{ 'command': 'close' }`, "the method that closes the connection"},
		"command and event": {"{ 'command': 'on-stop' }\n{ 'event': 'STOP' }", "event 'STOP' becomes OnStop"},
		"members":           {`{ 'command': 'c', 'data': { 'id': 'str', 'i-d': 'str' } }`, "qapi/test.json:1: CArgs: member 'i-d' becomes ID"},
		"member and method": {`{ 'enum': 'Tag', 'data': [ 'a' ] }
{ 'union': 'Uni', 'base': { 't': 'Tag', 'string': 'str' }, 'discriminator': 't', 'data': {} }`, "member 'string' becomes String"},
		"member of an event": {`{ 'event': 'EVE', 'data': { 'timestamp': 'int' } }`, "member 'timestamp' becomes Timestamp"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := schema.Load(fstest.MapFS{"qapi/test.json": {Data: []byte(c.schema)}}, "qapi/test.json")
			require.NoError(t, err, "the language forbids it already")
			_, err = Build(single(s), Options{Package: "p"})
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.want)
		})
	}
}

// TestFileClashes has modules whose files would overwrite each other, or would not be a
// part of the package.
func TestFileClashes(t *testing.T) {
	for module, want := range map[string]string{
		"client.json":   "qapi/client.json: the module becomes the file client_gen.go, and so does what all modules share",
		"Values.json":   "qapi/Values.json: the module becomes the file Values_gen.go, and so does what all modules share",
		"sub/test.json": "qapi/sub/test.json: the module becomes the file test_gen.go, and so does module qapi/test.json",
		"_x.json":       "qapi/_x.json: the module becomes the file _x_gen.go, which Go does not compile",
		".x.json":       "qapi/.x.json: the module becomes the file .x_gen.go, which Go does not compile",
	} {
		s, err := schema.Load(fstest.MapFS{
			"qapi/main.json": {Data: []byte("{ 'include': 'test.json' }\n{ 'include': '" + module + "' }")},
			"qapi/test.json": {Data: []byte("{ 'command': 'one' }")},
			"qapi/" + module: {Data: []byte("{ 'command': 'two' }")},
		}, "qapi/main.json")
		require.NoError(t, err)
		_, err = Build(single(s), Options{Package: "p"})
		assert.EqualError(t, err, want)
	}
}

// TestEndless refuses types without a finite value.
func TestEndless(t *testing.T) {
	for name, c := range map[string]struct{ schema, want string }{
		"direct": {`{ 'struct': 'Aa', 'data': { 'a': 'Aa' } }
{ 'command': 'c', 'data': 'Aa' }`, "qapi/test.json:1: struct 'Aa' has no finite value: its mandatory member 'a' contains another 'Aa'"},
		"through others": {`{ 'struct': 'Aa', 'data': { '*o': 'Aa', 'b': 'Bb' } }
{ 'struct': 'Bb', 'data': { 'c': 'Cc' } }
{ 'struct': 'Cc', 'data': { 'a': 'Aa' } }
{ 'command': 'c', 'data': 'Aa' }`, "qapi/test.json:1: struct 'Aa' has no finite value: its mandatory member 'b' contains another 'Aa'"},
		"by a base": {`{ 'struct': 'Base', 'data': { 'd': 'Derived' } }
{ 'struct': 'Derived', 'base': 'Base', 'data': { } }
{ 'command': 'c', 'data': 'Derived' }`, "qapi/test.json:1: struct 'Derived' has no finite value: its mandatory member 'd' contains another 'Derived'"},
		"union": {`{ 'enum': 'Kind', 'data': [ 'a' ] }
{ 'union': 'Uu', 'base': { 'k': 'Kind', 'uu': 'Uu' }, 'discriminator': 'k', 'data': {} }
{ 'command': 'c', 'data': { 'uu': 'Uu' } }`, "qapi/test.json:2: union 'Uu' has no finite value: its mandatory member 'uu' contains another 'Uu'"},
	} {
		_, err := Build(single(load(t, c.schema)), Options{Package: "p"})
		assert.EqualError(t, err, c.want, name)
	}
	build(t, `
{ 'enum': 'Kind', 'data': [ 'a' ] }
{ 'struct': 'Aa', 'data': { '*a': 'Aa', 'l': [ 'Aa' ], 'uu': 'Uu', 'alt': 'Alt' } }
{ 'union': 'Uu', 'base': { 'k': 'Kind' }, 'discriminator': 'k', 'data': { 'a': 'Aa' } }
{ 'alternate': 'Alt', 'data': { 's': 'str', 'a': 'Aa' } }
{ 'command': 'c', 'data': { 'a': 'Aa' } }`)
}

// TestReleases plans every known release, without a clash.
func TestReleases(t *testing.T) {
	for _, release := range short.Ends(qemu.Releases()) {
		for _, target := range []string{"qapi", "qga"} {
			fsys, err := qemu.FS(release)
			require.NoError(t, err)
			s, err := schema.Load(fsys, target+"/qapi-schema.json")
			require.NoError(t, err)
			_, err = Build(single(s), Options{Package: target, Agent: target == "qga"})
			assert.NoError(t, err, "%s %s", target, release)
		}
	}
}

// TestVariantNames compares the names of the variants of 11.1 with those that a trial of the
// naming rules gave.
func TestVariantNames(t *testing.T) {
	want := corpus.Read(t, "..", "reference", "variant-names.txt")
	fsys, err := qemu.FS("11.1")
	require.NoError(t, err)
	s, err := schema.Load(fsys, "qapi/qapi-schema.json")
	require.NoError(t, err)
	p, err := Build(single(s), Options{Package: "qapi"})
	require.NoError(t, err)
	got := map[string]bool{}
	for _, u := range p.Unions {
		for _, v := range u.Variants {
			got[u.QAPI+" "+v.QAPI+" "+v.Name] = true
		}
	}
	union := ""
	for _, line := range strings.Split(want, "\n") {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || strings.HasPrefix(line, "#"):
		case !strings.HasPrefix(line, " "):
			union = fields[0]
		default:
			assert.True(t, got[union+" "+fields[0]+" "+fields[1]], "%s: %s", union, line)
		}
	}
}

// TestLinks checks that links lead to a place that QEMU's manual has.
func TestLinks(t *testing.T) {
	anchors := map[string]bool{}
	for _, line := range strings.Fields(corpus.Read(t, "schema", "11.1", "manual-anchors.txt")) {
		anchors[line] = true
	}
	for target, root := range map[string]string{"qapi": qemu.QMP, "qga": qemu.QGA} {
		m := merged(t, root)
		p, err := Build(m, Options{Package: target, Agent: target == "qga"})
		require.NoError(t, err)
		for _, f := range p.Files {
			for _, decl := range f.Decls {
				if decl.about().Link == "" {
					assert.Nil(t, m.Newest.Lookup(decl.about().QAPI), "%s has no link", decl.about().QAPI)
					continue
				}
				page, anchor, _ := strings.Cut(decl.about().Link, "#")
				assert.True(t, strings.HasPrefix(page, "https://www.qemu.org/"), page)
				assert.True(t, anchors[anchor], anchor)
			}
		}
	}
}

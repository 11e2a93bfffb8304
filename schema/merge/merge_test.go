package merge_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/merge"
)

// releases loads schemas that are given in place, the oldest first, as releases 1.0, 1.1
// and so on.
func releases(t *testing.T, texts ...string) []merge.Release {
	t.Helper()
	var list []merge.Release
	for i, text := range texts {
		s, err := schema.Load(fstest.MapFS{"qapi/test.json": {Data: []byte(text)}}, "qapi/test.json")
		require.NoError(t, err)
		list = append(list, merge.Release{Name: fmt.Sprintf("1.%d", i), Schema: s})
	}
	return list
}

func merged(t *testing.T, texts ...string) *merge.Merged {
	t.Helper()
	m, err := merge.Schemas(releases(t, texts...))
	require.NoError(t, err)
	return m
}

// show prints a definition with the releases that have it and its parts.
func show(m *merge.Merged, name string) string {
	def := m.Lookup(name)
	if def == nil {
		return "none"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s", def.Kind(), set(m, m.Has(def)))
	members := func(list []*schema.Member) {
		for _, member := range list {
			mark := ""
			if member.Optional {
				mark = "*"
			}
			fmt.Fprintf(&b, " %s%s:%s%s", mark, member.Name, typeName(member.Type), set(m, m.Part(def, member.Name)))
		}
	}
	switch d := def.(type) {
	case *schema.Enum:
		for _, v := range d.Values {
			fmt.Fprintf(&b, " %s%s", v.Name, set(m, m.Part(d, v.Name)))
		}
	case *schema.Struct:
		members(d.AllMembers())
	case *schema.Union:
		members(d.Base.AllMembers())
		for _, branch := range d.Branches {
			fmt.Fprintf(&b, " =%s:%s%s", branch.Name, typeName(branch.Type), set(m, m.Part(d, "="+branch.Name)))
		}
	case *schema.Alternate:
		for _, branch := range d.Branches {
			fmt.Fprintf(&b, " =%s:%s", branch.Name, typeName(branch.Type))
		}
	case *schema.Command:
		if st, ok := d.Args.(*schema.Struct); ok && st.Implicit {
			members(st.AllMembers())
		} else if d.Args != nil {
			b.WriteString(" (" + d.Args.TypeName() + ")")
		}
		if d.Returns != nil {
			b.WriteString(" -> " + typeName(d.Returns))
		}
	case *schema.Event:
		if st, ok := d.Data.(*schema.Struct); ok {
			members(st.AllMembers())
		}
	}
	return b.String()
}

func typeName(t schema.Type) string {
	if st, ok := t.(*schema.Struct); ok && st.Implicit {
		var names []string
		for _, m := range st.Members {
			names = append(names, m.Name+":"+m.Type.TypeName())
		}
		return "{" + strings.Join(names, ",") + "}"
	}
	return t.TypeName()
}

// set writes releases as <0-1>; "" if all have it.
func set(m *merge.Merged, in merge.Set) string {
	if in == 1<<len(m.Releases)-1 {
		return ""
	}
	var names []string
	for i := range m.Releases {
		if in.Has(i) {
			names = append(names, fmt.Sprint(i))
		}
	}
	return "<" + strings.Join(names, "") + ">"
}

func aliases(m *merge.Merged) []string {
	var list []string
	for _, a := range m.Aliases {
		list = append(list, a.Old+a.Args+"="+a.Now.TypeName())
	}
	return list
}

func TestUnion(t *testing.T) {
	for name, c := range map[string]struct {
		releases []string
		want     map[string]string // by definition
		aliases  []string
	}{
		"things that only one release has": {
			[]string{`{ 'command': 'old', 'data': { 'x': 'Gone' } }
{ 'struct': 'Gone', 'data': { 'a': 'int' } }`, `{ 'command': 'new', 'returns': 'Fresh' }
{ 'struct': 'Fresh', 'data': { 'b': 'int' } }`},
			map[string]string{"old": "command<0> x:Gone<0>", "Gone": "struct<0> a:int<0>", "new": "command<1> -> Fresh", "Fresh": "struct<1> b:int<1>"}, nil,
		},
		"members come and go; what is sent can be left out": {
			[]string{`{ 'command': 'c', 'data': { 'a': 'int', 'b': 'int', '*c': 'int' }, 'returns': 'Rr' }
{ 'struct': 'Rr', 'data': { 'a': 'int', '*b': 'int', 'c': 'int' } }`, `{ 'command': 'c', 'data': { 'b': 'int', 'c': 'int', 'd': 'int' }, 'returns': 'Rr' }
{ 'struct': 'Rr', 'data': { 'b': 'int', '*c': 'int', 'd': 'int' } }`},
			map[string]string{
				"c":  "command b:int *c:int *d:int<1> *a:int<0> -> Rr",
				"Rr": "struct *b:int *c:int d:int<1> a:int<0>",
			}, nil,
		},
		"the first argument": {
			[]string{`{ 'command': 'c' }`, `{ 'command': 'c', 'data': { '*a': 'int' } }`},
			map[string]string{"c": "command *a:int<1>"}, nil,
		},
		"values": {
			[]string{`{ 'enum': 'Ee', 'data': [ 'a', 'b' ] }
{ 'command': 'c', 'returns': 'Ee' }
{ 'pragma': { 'command-returns-exceptions': [ 'c' ] } }`, `{ 'enum': 'Ee', 'data': [ 'c', 'b' ] }
{ 'command': 'c', 'returns': 'Ee' }
{ 'pragma': { 'command-returns-exceptions': [ 'c' ] } }`},
			map[string]string{"Ee": "enum c<1> b a<0>"}, nil,
		},
		"a type that is renamed, and one inside it": {
			[]string{`{ 'command': 'c', 'returns': 'Outer' }
{ 'struct': 'Outer', 'data': { 'i': [ 'Inner' ] } }
{ 'struct': 'Inner', 'data': { 'a': 'int' } }`, `{ 'command': 'c', 'returns': 'OuterInfo' }
{ 'struct': 'OuterInfo', 'data': { 'i': [ 'InnerInfo' ] } }
{ 'struct': 'InnerInfo', 'data': { 'a': 'int' } }`},
			map[string]string{"c": "command -> OuterInfo", "OuterInfo": "struct i:[InnerInfo]", "InnerInfo": "struct a:int", "Outer": "none", "Inner": "none"},
			[]string{"Inner=InnerInfo", "Outer=OuterInfo"},
		},
		"a type that is renamed, of which some places are gone": {
			[]string{`{ 'command': 'c', 'returns': 'Rr' }
{ 'struct': 'Rr', 'data': { 'ram': 'Stats', '*disk': 'Stats' } }
{ 'struct': 'Stats', 'data': { 'a': 'int' } }`, `{ 'command': 'c', 'returns': 'Rr' }
{ 'struct': 'Rr', 'data': { 'ram': 'RamStats' } }
{ 'struct': 'RamStats', 'data': { 'a': 'int' } }`},
			map[string]string{"Rr": "struct ram:RamStats *disk:RamStats<0>", "Stats": "none"},
			[]string{"Stats=RamStats"},
		},
		"a type that is split has no alias": {
			[]string{`{ 'command': 'c', 'data': { 'a': 'Text', 'b': 'Text' } }
{ 'struct': 'Text', 'data': { 'str': 'str' } }`, `{ 'command': 'c', 'data': { 'a': 'Aa', 'b': 'Bb' } }
{ 'struct': 'Aa', 'data': { 'str': 'str' } }
{ 'struct': 'Bb', 'data': { 'str': 'str' } }`},
			map[string]string{"c": "command a:Aa b:Bb", "Text": "none"}, nil,
		},
		"a place that changes to another of two types": {
			[]string{`{ 'command': 'c', 'data': { 'a': 'Common', 'b': 'Common' } }
{ 'struct': 'Common', 'data': { '*x': 'int' } }`, `{ 'command': 'c', 'data': { 'a': 'Own', 'b': 'Common' } }
{ 'struct': 'Common', 'data': { '*x': 'int' } }
{ 'struct': 'Own', 'data': { '*x': 'int', '*y': 'int' } }`},
			map[string]string{"c": "command a:Own b:Common", "Own": "struct *x:int *y:int<1>", "Common": "struct *x:int"}, nil,
		},
		"numbers": {
			[]string{`{ 'command': 'c', 'data': { 'a': 'int', 'b': 'uint8', 'c': 'int', 'd': 'int', 'e': 'uint32', 'f': 'uint8' } }`,
				`{ 'command': 'c', 'data': { 'a': 'uint8', 'b': 'uint32', 'c': 'size', 'd': 'number', 'e': 'int', 'f': 'int8' } }`},
			map[string]string{"c": "command a:uint8 b:uint32 c:size d:number e:int f:int8"}, nil,
		},
		"a string and an enum": {
			[]string{`{ 'command': 'c', 'data': { 'a': 'str', 'b': 'Ee' } }
{ 'enum': 'Ee', 'data': [ 'x' ] }`, `{ 'command': 'c', 'data': { 'a': 'Ee', 'b': 'str' } }
{ 'enum': 'Ee', 'data': [ 'x' ] }`},
			map[string]string{"c": "command a:Ee b:Ee", "Ee": "enum x"}, nil,
		},
		"places that became an alternate, or were one": {
			[]string{`{ 'command': 'c', 'data': { 'a': 'str', 'b': 'Alt', 'o': 'Old' } }
{ 'alternate': 'Alt', 'data': { 's': 'str', 'n': 'null' } }
{ 'struct': 'Old', 'data': { 'x': 'int' } }`, `{ 'command': 'c', 'data': { 'a': 'Alt', 'b': 'str', 'o': 'AltO' } }
{ 'alternate': 'Alt', 'data': { 's': 'str', 'n': 'null' } }
{ 'alternate': 'AltO', 'data': { 's': 'str', 'o': 'Obj' } }
{ 'struct': 'Obj', 'data': { 'x': 'int' } }`},
			map[string]string{"c": "command a:Alt b:Alt o:AltO", "Obj": "struct x:int", "Old": "none"}, []string{"Old=Obj"},
		},
		"a struct that became a union": {
			[]string{`{ 'command': 'c', 'returns': 'Info' }
{ 'struct': 'Info', 'data': { 'on': 'bool', 'policy': 'int', 'extra': 'int' } }`, `{ 'command': 'c', 'returns': 'Info' }
{ 'enum': 'Kind', 'data': [ 'a', 'b' ] }
{ 'union': 'Info', 'base': { 'on': 'bool', 'kind': 'Kind' }, 'discriminator': 'kind', 'data': { 'a': 'Aa' } }
{ 'struct': 'Aa', 'data': { 'policy': 'int' } }`},
			map[string]string{"Info": "union on:bool kind:Kind<1> extra:int<0> =a:Aa<1>", "Aa": "struct<1> policy:int<1>"}, nil,
		},
		"branches": {
			[]string{`{ 'command': 'c', 'data': 'Uu', 'boxed': true }
{ 'enum': 'Kind', 'data': [ 'a', 'b', 'c' ] }
{ 'union': 'Uu', 'base': { 'k': 'Kind' }, 'discriminator': 'k', 'data': { 'a': 'Aa', 'b': 'Bb' } }
{ 'struct': 'Aa', 'data': { 'x': 'int' } }
{ 'struct': 'Bb', 'data': { 'x': 'int' } }`, `{ 'command': 'c', 'data': 'Uu', 'boxed': true }
{ 'enum': 'Kind', 'data': [ 'a', 'c' ] }
{ 'union': 'Uu', 'base': { 'k': 'Kind' }, 'discriminator': 'k', 'data': { 'a': 'Aa', 'c': 'Cc' } }
{ 'struct': 'Aa', 'data': { 'x': 'int' } }
{ 'struct': 'Cc', 'data': { 'y': 'int' } }`},
			map[string]string{"Uu": "union k:Kind =a:Aa =c:Cc =b:Bb<0>", "Kind": "enum a c b<0>", "Cc": "struct *y:int<1>"}, nil,
		},
		"inline arguments that became a type": {
			[]string{`{ 'command': 'c', 'data': { 'a': 'int', '*b': 'int' } }`, `{ 'command': 'c', 'data': 'Args' }
{ 'struct': 'Args', 'data': { 'a': 'int' } }`},
			map[string]string{"c": "command (Args)", "Args": "struct a:int *b:int<0>"}, []string{"c=Args"},
		},
		"a base": {
			[]string{`{ 'command': 'c', 'data': { 'd': 'Dd', 'e': 'Ee' } }
{ 'struct': 'Base', 'data': { '*a': 'int', '*b': 'int' } }
{ 'struct': 'Dd', 'base': 'Base', 'data': { '*x': 'int' } }
{ 'struct': 'Ee', 'base': 'Base', 'data': { } }`, `{ 'command': 'c', 'data': { 'd': 'Dd', 'e': 'Ee', 'f': 'Ff' } }
{ 'struct': 'Base', 'data': { '*a': 'int' } }
{ 'struct': 'Dd', 'base': 'Base', 'data': { '*x': 'int' } }
{ 'struct': 'Ee', 'base': 'Base', 'data': { } }
{ 'struct': 'Ff', 'base': 'Base', 'data': { } }`},
			map[string]string{"Dd": "struct *a:int *x:int *b:int<0>", "Ee": "struct *a:int *b:int<0>", "Ff": "struct<1> *a:int<1>", "Base": "struct *a:int"}, nil,
		},
		"a base that is a type, too": {
			[]string{`{ 'command': 'c', 'data': { 'b': 'Base' } }
{ 'struct': 'Base', 'data': { '*a': 'int', '*b': 'int' } }`, `{ 'command': 'c', 'data': { 'b': 'Base', 'd': 'Dd' } }
{ 'struct': 'Base', 'data': { '*a': 'int' } }
{ 'struct': 'Dd', 'base': 'Base', 'data': { '*x': 'int' } }`},
			map[string]string{"Base": "struct *a:int *b:int<0>", "Dd": "struct<1> *a:int<1> *x:int<1>"}, nil,
		},
		"arguments that are not all listed": {
			[]string{`{ 'command': 'add', 'data': { 'kind': 'str', '*props': 'any' }, 'gen': false }`, `
{ 'command': 'add', 'data': 'Options', 'boxed': true }
##
# @Kind:
#
# @old: old
#
# @new: new (since 1.1)
##
{ 'enum': 'Kind', 'data': [ 'old', 'new' ] }
{ 'union': 'Options', 'base': { 'kind': 'Kind' }, 'discriminator': 'kind', 'data': { 'old': 'Old', 'new': 'New' } }
##
# @Old:
#
# @x: x
#
# @y: y (since 1.1)
#
# Since: 0.9
##
{ 'struct': 'Old', 'data': { 'x': 'int', '*y': 'int' } }
##
# @New:
#
# @z: z
#
# Since: 1.1
##
{ 'struct': 'New', 'data': { '*z': 'int' } }`},
			map[string]string{
				"Options": "union kind:Kind *props:any<0> =old:Old =new:New<1>", "Kind": "enum old new<1>",
				"Old": "struct x:int *y:int<1>", "New": "struct<1> *z:int<1>",
			}, []string{"add=Options"},
		},
		"a type that nothing uses is kept": {
			[]string{`{ 'struct': 'Idle', 'data': { 'a': 'int' } }
{ 'struct': 'Lost', 'data': { } }
{ 'command': 'c' }`, `{ 'struct': 'Idle', 'data': { 'b': 'Below' } }
{ 'struct': 'Below', 'data': { } }
{ 'command': 'c' }`},
			map[string]string{"Idle": "struct b:Below<1> a:int<0>", "Below": "struct<1>", "Lost": "struct<0>"}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := merged(t, c.releases...)
			for def, want := range c.want {
				assert.Equal(t, want, show(m, def), def)
			}
			assert.Equal(t, c.aliases, aliases(m))
		})
	}
}

// TestCannotBeMerged has places whose types cannot be merged, and that no table decides.
func TestCannotBeMerged(t *testing.T) {
	for _, c := range []struct{ old, now, want string }{
		{`{ 'command': 'c', 'data': { 'a': 'int' } }`, `{ 'command': 'c', 'data': { 'a': [ 'int' ] } }`,
			"c().a: QEMU 1.0 has int, which cannot be merged with [int]"},
		{`{ 'command': 'c', 'data': { 'a': 'bool' } }`, `{ 'command': 'c', 'data': { 'a': 'Alt' } }
{ 'alternate': 'Alt', 'data': { 's': 'str' } }`, "Alt: bool is not one of its forms"},
	} {
		_, err := merge.Schemas(releases(t, c.old, c.now))
		assert.ErrorContains(t, err, c.want)
	}
	_, err := merge.Schemas(nil)
	assert.Error(t, err)
}

// A single release is not changed.
func TestOne(t *testing.T) {
	list := releases(t, `{ 'command': 'c' }`)
	m, err := merge.Schemas(list)
	require.NoError(t, err)
	assert.Same(t, list[0].Schema, m.Schema)
	assert.Zero(t, m.Has(m.Lookup("c")))
}

// TestPlain checks in which releases a member that is an alternate has only one form.
func TestPlain(t *testing.T) {
	m := merged(t, `{ 'command': 'c', 'data': { 'a': 'str', '*l': [ 'str' ], 'both': 'Alt' } }
{ 'alternate': 'Alt', 'data': { 's': 'str', 'n': 'null' } }
{ 'struct': 'Old', 'data': { 'x': 'str' } }
{ 'command': 'd', 'data': 'Old' }`, `{ 'command': 'c', 'data': { 'a': 'Alt', '*l': [ 'Alt' ], 'both': 'Alt' } }
{ 'alternate': 'Alt', 'data': { 's': 'str', 'n': 'null' } }
{ 'struct': 'Old', 'data': { 'x': 'Alt' } }
{ 'command': 'd', 'data': 'Old' }`)
	for of, parts := range map[string]map[string]merge.Set{"c": {"a": 1, "l": 1, "both": 0}, "Old": {"x": 1}, "d": {"x": 1}} {
		for part, want := range parts {
			in, form := m.Plain(m.Lookup(of), part)
			assert.Equal(t, want, in, "%s %s", of, part)
			if want != 0 {
				assert.Equal(t, schema.Type(schema.Str), form)
			}
		}
	}
}

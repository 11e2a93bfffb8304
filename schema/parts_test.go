package schema_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema"
)

func TestParts(t *testing.T) {
	s, err := schema.Load(fstest.MapFS{"s.json": {Data: []byte(`
{ 'enum': 'Tag', 'data': [ 'one', 'two' ] }
{ 'struct': 'Base', 'data': { 'tag': 'Tag', 'id': 'str' } }
{ 'struct': 'Derived', 'base': 'Base', 'data': { 'size': 'int' } }
{ 'union': 'Named', 'base': 'Base', 'discriminator': 'tag', 'data': {} }
{ 'union': 'Inline', 'base': { 'kind': 'Tag' }, 'discriminator': 'kind', 'data': {} }
{ 'alternate': 'Either', 'data': { 'text': 'str', 'flag': 'Base' } }
{ 'command': 'place', 'data': { 'x': 'int' } }
{ 'command': 'named', 'data': 'Derived' }
{ 'command': 'boxed', 'data': 'Named', 'boxed': true }
{ 'command': 'nothing' }
{ 'event': 'HAPPENED', 'data': 'Base' }
`)}}, "s.json")
	require.NoError(t, err)
	for name, want := range map[string]struct {
		parts     []string
		inherited string
	}{
		"Tag": {[]string{"one", "two"}, ""}, "Base": {[]string{"tag", "id"}, ""},
		"Derived": {[]string{"size"}, "Base"}, "Named": {nil, "Base"}, "Inline": {[]string{"kind"}, ""},
		"Either": {[]string{"text", "flag"}, ""}, "place": {[]string{"x"}, ""},
		"named": {nil, "Derived"}, "boxed": {nil, "Named"}, "nothing": {nil, ""}, "HAPPENED": {nil, "Base"},
	} {
		def := s.Lookup(name)
		assert.Equal(t, want.parts, schema.Parts(def), name)
		from := ""
		if other := schema.Inherited(def); other != nil {
			from = other.Def().Name
		}
		assert.Equal(t, want.inherited, from, name)
	}
}

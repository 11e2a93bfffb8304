package plan

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

// TestReplacements holds that the table tells of each thing that the newest
// release deprecates, and of nothing else.
func TestReplacements(t *testing.T) {
	names := qemu.Releases()
	s, err := qemu.Load(names[len(names)-1], qemu.QMP)
	require.NoError(t, err)
	deprecated := map[string]bool{}
	note := func(name string, features []*schema.Feature) {
		for _, f := range features {
			if f.Name == "deprecated" {
				deprecated[name] = true
			}
		}
	}
	members := func(owner string, t schema.Type) {
		if st, ok := t.(*schema.Struct); ok && (st.Implicit || st.Name == owner) {
			for _, m := range st.Members {
				note(owner+"/"+m.Name, m.Features)
			}
		}
	}
	for _, def := range s.Definitions() {
		name := def.Def().Name
		note(name, def.Def().Features)
		switch d := def.(type) {
		case *schema.Enum:
			for _, v := range d.Values {
				note(name+"/"+v.Name, v.Features)
			}
		case *schema.Struct:
			members(name, d)
		case *schema.Union:
			members(name, d.Base)
		case *schema.Command:
			members(name, d.Args)
		case *schema.Event:
			members(name, d.Data)
		}
	}
	assert.Equal(t, slices.Sorted(maps.Keys(deprecated)), slices.Sorted(maps.Keys(replacements)))
}

package plan

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

// TestReplacements checks that the table has a row for each thing that the newest release
// deprecates, and for each command, event and argument that QEMU has removed, and that each row is
// for something deprecated or removed.
func TestReplacements(t *testing.T) {
	used := map[string]bool{}
	for _, root := range []string{qemu.QMP, qemu.QGA} {
		m := merged(t, root)
		p, err := Build(m, Options{Package: "p"})
		require.NoError(t, err)
		note := func(key string, f Facts, call bool) {
			if !f.Deprecated && f.Gone == "" {
				return
			}
			if f.Deprecated && f.Gone == "" || call {
				assert.NotEmpty(t, f.Instead, key)
			}
			used[key] = true
			name, part, _ := strings.Cut(key, "/")
			for def := m.Lookup(name); def != nil; def = schema.Inherited(def) {
				used[def.Def().Name+"/"+part] = true
			}
		}
		fields := func(owner string, list []*Field, call bool) {
			for _, f := range list {
				note(owner+"/"+f.QAPI, f.Facts, call)
			}
		}
		for _, f := range p.Files {
			for _, decl := range f.Decls {
				name := decl.about().QAPI
				switch d := decl.(type) {
				case *Enum:
					note(name, d.Facts, false)
					for _, v := range d.Values {
						note(name+"/"+v.QAPI, v.Facts, false)
					}
				case *Struct:
					note(name, d.Facts, false)
					fields(name, d.Fields, false)
				case *Union:
					note(name, d.Facts, false)
					fields(name, d.Fields, false)
				case *Command:
					note(name, d.Facts, true)
					if d.Own != nil {
						fields(name, d.Own.Fields, true)
					}
				case *Event:
					note(name, d.Facts, true)
					fields(name, d.Struct.Fields, true)
				}
			}
		}
	}
	for key := range replacements {
		assert.True(t, used[key], "%s is neither deprecated nor removed", key)
	}
}

// TestDifferInCase fails for a row of the table that no name needs.
func TestDifferInCase(t *testing.T) {
	m := merged(t, qemu.QMP)
	for name, reason := range differInCase {
		assert.NotEmpty(t, reason)
		delete(differInCase, name)
		_, err := Build(m, Options{Package: "p"})
		assert.ErrorContains(t, err, name)
		differInCase[name] = reason
	}
}

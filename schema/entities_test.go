package schema_test

import (
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/schema"
)

// TestEntities compares the whole model of two releases with that of QEMU's own
// parser.
func TestEntities(t *testing.T) {
	asked := []string{"7.2", "10.0"}
	if testing.Short() {
		asked = asked[1:]
	}
	for _, release := range asked {
		for _, target := range []string{"qmp", "qga", "qsd"} {
			t.Run(release+"/"+target, func(t *testing.T) {
				text, err := os.ReadFile(corpus.Path(t, "entities", release+"."+target+".json"))
				require.NoError(t, err)
				var oracle struct {
					Files  []string
					Schema struct{ Types, Commands, Events object }
				}
				require.NoError(t, json.Unmarshal(text, &oracle))
				maps.DeleteFunc(oracle.Schema.Types, func(_ string, v any) bool {
					return v.(object)["module"] == nil // built-in types
				})
				s := loadRelease(t, release, target)
				got := entitiesOf(s)
				for _, part := range []struct {
					name      string
					want, got object
				}{
					{"types", oracle.Schema.Types, got.types},
					{"commands", oracle.Schema.Commands, got.commands},
					{"events", oracle.Schema.Events, got.events},
				} {
					require.Len(t, part.got, len(part.want), part.name)
					assert.Empty(t, cmp.Diff(part.want, part.got), "%s (-QEMU +ours)", part.name)
				}
				files := make(map[string]bool)
				for _, m := range s.Modules {
					files[m.Path] = true
				}
				for _, f := range oracle.Files {
					require.True(t, files[f], f)
				}
			})
		}
	}
}

type (
	object = map[string]any
	list   = []any
)

var qtypes = map[schema.JSONKind]string{
	schema.JSONObject: "QTYPE_QDICT", schema.JSONArray: "QTYPE_QLIST", schema.JSONString: "QTYPE_QSTRING",
	schema.JSONNumber: "QTYPE_QNUM", schema.JSONBool: "QTYPE_QBOOL", schema.JSONNull: "QTYPE_QNULL",
}

// entities is a model in the form in which QEMU's parser printed it.
type entities struct{ types, commands, events object }

func entitiesOf(s *schema.Schema) *entities {
	e := &entities{object{}, object{}, object{}}
	for _, def := range s.Definitions() {
		c := def.Def()
		o := common(c)
		switch def := def.(type) {
		case *schema.Enum:
			o["kind"] = "enum"
			o["prefix"] = nullable(def.Prefix)
			values := list{}
			for _, v := range def.Values {
				values = append(values, object{"name": v.Name, "feats": features(v.Features), "cond": cond(v.If)})
			}
			o["values"] = values
			o["builtin"] = false
			e.types[c.Name] = o
		case *schema.Struct:
			e.addStruct(c, c.Name, def)
		case *schema.Union:
			base := def.Base.Name
			if def.Base.Implicit {
				base = "q_obj_" + c.Name + "-base"
				e.addStruct(c, base, def.Base)
			}
			o["kind"] = "union"
			o["implicit"] = false
			o["base"] = base
			o["members"] = members(base, def.Base)
			o["local"] = list{}
			o["tag"] = def.Discriminator.Name
			o["tag_type"] = def.Tag().Name
			branches := object{}
			for _, v := range def.Tag().Values {
				branches[v.Name] = object{"type": "q_empty", "cond": cond(v.If)}
			}
			for _, b := range def.Branches {
				branches[b.Name] = object{"type": b.Type.TypeName(), "cond": cond(b.If)}
			}
			o["branches"] = branches
			e.types[c.Name] = o
		case *schema.Alternate:
			o["kind"] = "alternate"
			branches := object{}
			for _, b := range def.Branches {
				branches[b.Name] = object{
					"type": b.Type.TypeName(), "cond": cond(b.If),
					"json": strings.Replace(string(schema.KindOf(b.Type)), "number", "int", 1), "qtype": qtypes[schema.KindOf(b.Type)],
				}
			}
			o["branches"] = branches
			e.types[c.Name] = o
		case *schema.Command:
			o["arg"] = e.arguments(c, def.Args)
			o["ret"] = nil
			if def.Returns != nil {
				o["ret"] = def.Returns.TypeName()
			}
			o["boxed"], o["gen"], o["success"] = def.Boxed, def.Gen, def.SuccessResponse
			o["oob"], o["preconfig"], o["coroutine"] = def.AllowOOB, def.AllowPreconfig, def.Coroutine
			e.commands[c.Name] = o
		case *schema.Event:
			o["arg"] = e.arguments(c, def.Data)
			o["boxed"] = def.Boxed
			e.events[c.Name] = o
		}
	}
	return e
}

func common(c *schema.Common) object {
	return object{"module": c.Module.Path, "line": float64(c.Pos.Line), "cond": cond(c.If), "feats": features(c.Features)}
}

func (e *entities) addStruct(c *schema.Common, name string, s *schema.Struct) {
	o := common(c)
	o["kind"] = "struct"
	o["implicit"] = s.Implicit
	o["base"] = nil
	if s.Base != nil {
		o["base"] = s.Base.Name
	}
	if s.Implicit {
		o["feats"] = list{}
	}
	o["members"] = members(name, s)
	local := list{}
	for _, m := range s.Members {
		local = append(local, m.Name)
	}
	o["local"] = local
	e.types[name] = o
}

// members lists all members; name is that of a struct that has none itself.
func members(name string, s *schema.Struct) list {
	l := list{}
	if s.Base != nil {
		l = members(s.Base.Name, s.Base)
	}
	for _, m := range s.Members {
		l = append(l, object{
			"name": m.Name, "type": m.Type.TypeName(), "optional": m.Optional,
			"feats": features(m.Features), "cond": cond(m.If), "defined_in": name,
		})
	}
	return l
}

func (e *entities) arguments(c *schema.Common, t schema.Type) any {
	if t == nil {
		return nil
	}
	if s, ok := t.(*schema.Struct); ok && s.Implicit {
		name := "q_obj_" + c.Name + "-arg"
		e.addStruct(c, name, s)
		return name
	}
	return t.TypeName()
}

func features(features []*schema.Feature) list {
	l := list{}
	for _, f := range features {
		l = append(l, f.Name)
	}
	return l
}

func cond(c *schema.Cond) any {
	if c == nil {
		return nil
	}
	conds := func(conds []*schema.Cond) list {
		l := list{}
		for _, c := range conds {
			l = append(l, cond(c))
		}
		return l
	}
	switch {
	case c.Not != nil:
		return object{"not": cond(c.Not)}
	case c.All != nil:
		return object{"all": conds(c.All)}
	case c.Any != nil:
		return object{"any": conds(c.Any)}
	default:
		return c.Symbol
	}
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

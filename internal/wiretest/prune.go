// Package wiretest checks bindings against the schema that they come from,
// without using the generator: which JSON a type of the schema
// allows, and which parts of a given JSON value the schema knows.
package wiretest

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/goqapi/goqapi/schema"
)

// Prune returns the part of a JSON value that a type of the schema knows, and
// the paths of what it does not.
func Prune(t schema.Type, v any) (known any, unknown []string) {
	p := &pruner{}
	return p.value(t, v, ""), p.unknown
}

type pruner struct{ unknown []string }

func (p *pruner) value(t schema.Type, v any, path string) any {
	switch t := t.(type) {
	case schema.Builtin:
		if n, ok := v.(json.Number); ok && t == schema.Number {
			f, err := n.Float64() // the same number has many spellings
			if err == nil {
				return f
			}
		}
		return v
	case *schema.Array:
		list, ok := v.([]any)
		if !ok {
			return v
		}
		out := make([]any, len(list))
		for i, elem := range list {
			out[i] = p.value(t.Elem, elem, path+"/"+strconv.Itoa(i))
		}
		return out
	case *schema.Struct:
		return p.members(v, path, memberTypes(t, nil), false)
	case *schema.Union:
		object, ok := v.(map[string]any)
		if !ok {
			return v
		}
		types := memberTypes(t.Base, nil)
		return p.members(v, path, types, !addVariant(types, t, object))
	case *schema.Alternate:
		for _, b := range t.Branches {
			if KindOf(b.Type) == kindOfValue(v) {
				return p.value(b.Type, v, path)
			}
		}
	}
	return v
}

// members prunes an object. If open is set, members that types does not have are kept:
// they belong to a variant that the schema does not know.
func (p *pruner) members(v any, path string, types map[string]schema.Type, open bool) any {
	object, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for name, value := range object {
		t, ok := types[name]
		switch {
		case ok:
			out[name] = p.value(t, value, path+"/"+name)
		case open:
			out[name] = value
		default:
			p.unknown = append(p.unknown, path+"/"+name)
		}
	}
	return out
}

// memberTypes adds the members of a struct, its bases' too.
func memberTypes(st *schema.Struct, types map[string]schema.Type) map[string]schema.Type {
	if types == nil {
		types = map[string]schema.Type{}
	}
	for _, m := range st.AllMembers() {
		types[m.Name] = m.Type
	}
	return types
}

// addVariant adds the members that an object's tag brings, and reports
// whether the tag is known.
func addVariant(types map[string]schema.Type, u *schema.Union, object map[string]any) bool {
	tag, _ := object[u.Discriminator.Name].(string)
	for _, b := range u.Branches {
		if b.Name != tag {
			continue
		}
		switch t := b.Type.(type) {
		case *schema.Struct:
			memberTypes(t, types)
		case *schema.Union:
			memberTypes(t.Base, types)
			return addVariant(types, t, object)
		}
		return true
	}
	for _, v := range u.Discriminator.Type.(*schema.Enum).Values {
		if v.Name == tag {
			return true
		}
	}
	return false
}

// KindOf returns the kind of JSON value that a type has: one of {, [, ", 0, t, n.
func KindOf(t schema.Type) byte {
	switch t := t.(type) {
	case *schema.Array:
		return '['
	case *schema.Struct, *schema.Union:
		return '{'
	case schema.Builtin:
		switch t {
		case schema.Str:
			return '"'
		case schema.Bool:
			return 't'
		case schema.Null:
			return 'n'
		case schema.Any:
			return 0
		}
		return '0'
	}
	return '"'
}

func kindOfValue(v any) byte {
	switch v.(type) {
	case map[string]any:
		return '{'
	case []any:
		return '['
	case string:
		return '"'
	case bool:
		return 't'
	case nil:
		return 'n'
	case json.Number:
		return '0'
	}
	panic(fmt.Sprintf("%T is not what Parse returns", v))
}

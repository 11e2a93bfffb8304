package merge

import (
	"fmt"
	"slices"

	"github.com/goqapi/goqapi/schema"
)

// A resolved is the type of a place in the merged schema: a built-in one, that of a node, or
// a list of such types.
type resolved struct {
	builtin schema.Builtin
	key     string // of the node
	elem    *resolved
	nodes   map[string][]comp // the types that the node represents at this place
}

// conflict reports types that cannot be merged.
func (m *merger) conflict(at, format string, args ...any) {
	m.errs = append(m.errs, &schema.Error{Msg: fmt.Sprintf("%s: %s", at, fmt.Sprintf(format, args...))})
}

// A class is a set of types that can be merged: lists, alternates, objects, enums with
// strings, and the built-in types.
func classOf(t schema.Type) string {
	switch t := t.(type) {
	case *schema.Array:
		return "list"
	case *schema.Alternate:
		return "alternate"
	case *schema.Struct, *schema.Union:
		return "object"
	case *schema.Enum:
		return "string"
	case schema.Builtin:
		switch schema.KindOf(t) {
		case schema.JSONString:
			return "string"
		case schema.JSONNumber:
			return "number"
		}
		return string(t)
	}
	return ""
}

// resolve finds the merged type of a place, from its types in the releases.
func (m *merger) resolve(at string, comps []comp) resolved {
	if decided, ok := decisions[at]; ok {
		m.used[at] = true
		comps = slices.DeleteFunc(slices.Clone(comps), func(c comp) bool { return c.typ.TypeName() != decided.is })
		if len(comps) == 0 {
			return resolved{builtin: schema.Builtin(decided.is)}
		}
	}
	kind := classOf(comps[len(comps)-1].typ)
	for _, c := range comps {
		if classOf(c.typ) == "alternate" {
			kind = "alternate"
		}
	}
	if kind != "alternate" {
		for _, c := range comps {
			if classOf(c.typ) != kind {
				m.conflict(at, "QEMU %s has %s, which cannot be merged with %s", m.releases[c.release].Name, c.typ.TypeName(), comps[len(comps)-1].typ.TypeName())
				return resolved{builtin: schema.Any}
			}
		}
	}
	switch kind {
	case "list":
		var elems []comp
		for _, c := range comps {
			elems = append(elems, comp{c.release, c.typ.(*schema.Array).Elem})
		}
		elem := m.resolve(at+"[]", elems)
		return resolved{elem: &elem, nodes: elem.nodes}
	case "alternate":
		return m.resolveTo(at, comps, func(t schema.Type) bool { _, ok := t.(*schema.Alternate); return ok })
	case "object":
		return m.resolveTo(at, comps, func(schema.Type) bool { return true })
	case "string":
		// In Go an enum can hold any string, and its type is more precise than string.
		isEnum := func(t schema.Type) bool { _, ok := t.(*schema.Enum); return ok }
		if slices.ContainsFunc(comps, func(c comp) bool { return isEnum(c.typ) }) {
			enums := slices.DeleteFunc(slices.Clone(comps), func(c comp) bool { return !isEnum(c.typ) })
			return m.resolveTo(at, enums, isEnum)
		}
	}
	wide := comps[len(comps)-1].typ.(schema.Builtin)
	for _, c := range slices.Backward(comps) {
		wide = wider(wide, c.typ.(schema.Builtin))
	}
	return resolved{builtin: wide}
}

// resolveTo returns the node of the newest type that may give the place its name.
func (m *merger) resolveTo(at string, comps []comp, names func(schema.Type) bool) resolved {
	for _, c := range slices.Backward(comps) {
		if names(c.typ) {
			key := c.typ.TypeName()
			if key == "" {
				key = at
			}
			if now := m.renamed[key]; now != "" {
				key = now
			}
			if older := kept[key]; older != "" && m.named[older] {
				key = older
				m.used[key] = true
			}
			return resolved{key: key, nodes: map[string][]comp{key: comps}}
		}
	}
	panic("unreachable: there is one")
}

// A number's range, by bits.
type span struct {
	signed bool
	bits   int
	float  bool
}

var spans = map[schema.Builtin]span{
	schema.Int: {signed: true, bits: 64}, schema.Int8: {signed: true, bits: 8}, schema.Int16: {signed: true, bits: 16},
	schema.Int32: {signed: true, bits: 32}, schema.Int64: {signed: true, bits: 64},
	schema.Uint8: {bits: 8}, schema.Uint16: {bits: 16}, schema.Uint32: {bits: 32}, schema.Uint64: {bits: 64}, schema.Size: {bits: 64},
	schema.Number: {float: true},
}

// wider returns the type that can hold the values of both; if neither can, the newer one. A
// plain int does not define a range, so the newer type, which has a size, is right.
func wider(newer, older schema.Builtin) schema.Builtin {
	if newer == older || older == schema.Int || schema.KindOf(newer) != schema.JSONNumber {
		return newer
	}
	if holds(spans[older], spans[newer]) && !holds(spans[newer], spans[older]) {
		return older
	}
	return newer
}

// holds reports whether all numbers of b are in a.
func holds(a, b span) bool {
	switch {
	case a.float || b.float:
		return a.float
	case a.signed == b.signed:
		return a.bits >= b.bits
	}
	return a.signed && a.bits > b.bits
}

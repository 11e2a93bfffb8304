package release

import (
	"encoding/json"
	"strconv"

	"github.com/goqapi/goqapi/schema"
)

// An entity is an element of the reply to query-qmp-schema, with its members in
// no particular order.
type entity map[string]any

// introspection makes the reply to query-qmp-schema: commands and events by their
// names, types by numbers, only those that something uses.
type introspection struct {
	rel   *Release
	names map[schema.Type]string
	queue []schema.Type
	list  []entity
	next  int
}

// Introspect returns the release's reply to query-qmp-schema, in JSON. It is shared, so it must not
// be changed.
func (r *Release) Introspect() []byte { return r.types() }

func (r *Release) introspect() []byte {
	in := &introspection{rel: r, names: map[schema.Type]string{}}
	for _, def := range r.schema.Definitions() {
		if !r.holds(def.Def().If) {
			continue
		}
		switch d := def.(type) {
		case *schema.Command:
			e := entity{"meta-type": "command", "arg-type": in.object(d.Args), "ret-type": in.object(d.Returns)}
			if d.AllowOOB {
				e["allow-oob"] = true
			}
			in.add(d.Name, e, d.Features)
		case *schema.Event:
			in.add(d.Name, entity{"meta-type": "event", "arg-type": in.object(d.Data)}, d.Features)
		}
	}
	for len(in.queue) > 0 {
		t := in.queue[0]
		in.queue = in.queue[1:]
		in.describe(t)
	}
	text, err := json.Marshal(in.list)
	if err != nil {
		panic(err) // it is made of strings, lists and maps
	}
	return text
}

func (in *introspection) add(name string, e entity, features []*schema.Feature) {
	e["name"] = name
	in.withFeatures(e, features)
	in.list = append(in.list, e)
}

func (in *introspection) withFeatures(e entity, features []*schema.Feature) entity {
	var names []string
	for _, f := range features {
		if in.rel.holds(f.If) {
			names = append(names, f.Name)
		}
	}
	if names != nil {
		e["features"] = names
	}
	return e
}

// nothing is the type of absent arguments and of an empty reply.
var nothing = &schema.Struct{Implicit: true}

// object names the type of arguments or a reply.
func (in *introspection) object(t schema.Type) string {
	if t == nil {
		t = nothing
	}
	return in.name(t)
}

// name returns the name of a type, and adds the type to the reply.
func (in *introspection) name(t schema.Type) string {
	if b, ok := t.(schema.Builtin); ok {
		if schema.KindOf(b) == schema.JSONNumber && b != schema.Number {
			b = schema.Int // the reply does not have sizes
		}
		t = b
	}
	if a, ok := t.(*schema.Array); ok { // each list is another *Array
		name := "[" + in.name(a.Elem) + "]"
		t = listOf(name)
	}
	if name, ok := in.names[t]; ok {
		return name
	}
	switch t := t.(type) {
	case schema.Builtin:
		in.names[t] = string(t)
	case listOf:
		in.names[t] = string(t)
	default:
		in.names[t] = strconv.Itoa(in.next)
		in.next++
	}
	in.queue = append(in.queue, t)
	return in.names[t]
}

// A listOf is a list type by its name in the reply.
type listOf string

// TypeName returns the name.
func (l listOf) TypeName() string { return string(l) }

func (in *introspection) describe(t schema.Type) {
	name := in.names[t]
	switch t := t.(type) {
	case schema.Builtin:
		in.add(name, entity{"meta-type": "builtin", "json-type": jsonType(t)}, nil)
	case listOf:
		in.add(name, entity{"meta-type": "array", "element-type": name[1 : len(name)-1]}, nil)
	case *schema.Enum:
		e := entity{"meta-type": "enum"}
		values, members := []string{}, []entity{}
		for _, v := range t.Values {
			if in.rel.holds(v.If) {
				values = append(values, v.Name)
				members = append(members, in.withFeatures(entity{"name": v.Name}, v.Features))
			}
		}
		e["values"] = values
		if !in.rel.Before("6.2") { // since then values can have features
			e["members"] = members
		}
		in.add(name, e, t.Features)
	case *schema.Struct:
		in.add(name, entity{"meta-type": "object", "members": in.members(t)}, t.Features)
	case *schema.Union:
		variants := []entity{}
		for _, v := range t.Tag().Values {
			b := t.Branch(v.Name)
			switch {
			case !in.rel.holds(v.If) || b != nil && !in.rel.holds(b.If):
			case b == nil:
				variants = append(variants, entity{"case": v.Name, "type": in.name(nothing)})
			default:
				variants = append(variants, entity{"case": v.Name, "type": in.name(b.Type)})
			}
		}
		in.add(name, entity{
			"meta-type": "object", "members": in.members(t.Base),
			"tag": t.Discriminator.Name, "variants": variants,
		}, t.Features)
	case *schema.Alternate:
		members := []entity{}
		for _, b := range t.Branches {
			if in.rel.holds(b.If) {
				members = append(members, entity{"type": in.name(b.Type)})
			}
		}
		in.add(name, entity{"meta-type": "alternate", "members": members}, t.Features)
	}
}

func (in *introspection) members(t *schema.Struct) []entity {
	list := []entity{}
	for _, m := range t.AllMembers() {
		if !in.rel.holds(m.If) {
			continue
		}
		e := entity{"name": m.Name, "type": in.name(m.Type)}
		if m.Optional {
			e["default"] = nil
		}
		list = append(list, in.withFeatures(e, m.Features))
	}
	return list
}

// jsonType returns what JSON has for a built-in type.
func jsonType(b schema.Builtin) string {
	switch {
	case b == schema.Any:
		return "value"
	case b == schema.Int:
		return "int"
	}
	return string(schema.KindOf(b))
}

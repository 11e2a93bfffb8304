// Package live asks a running QEMU for what completion needs: its own interface, so that
// the commands of a fork are completed, too, and the names of the things in the machine.
package live

import (
	"slices"
	"strings"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/schema"
)

// An Interface is the interface of a server, as its reply to query-qmp-schema describes it. Its
// types have no names.
type Interface struct {
	commands []*schema.Command
	events   []*schema.Event
	byName   map[string]schema.Definition
}

// NewInterface returns the interface that a reply to query-qmp-schema describes. What the reply does not
// contain, such as that a command accepts more arguments than it lists, is taken from known, the
// interface of a release.
func NewInterface(list []qapi.SchemaInfo, known *schema.Schema) *Interface {
	r := reader{infos: map[string]qapi.SchemaInfo{}, types: map[string]schema.Type{}}
	for _, info := range list {
		r.infos[info.Name] = info
	}
	i := &Interface{byName: map[string]schema.Definition{}}
	for _, info := range list {
		switch t := info.MetaType.(type) {
		case qapi.SchemaInfoCommand:
			c := &schema.Command{
				Common: common(info), Args: r.arguments(t.ArgType), Returns: r.typeOf(t.RetType),
				Gen: true, SuccessResponse: true, AllowOOB: qapi.Value(t.AllowOOB),
			}
			if k, ok := known.Lookup(info.Name).(*schema.Command); ok {
				c.Gen, c.SuccessResponse = k.Gen, k.SuccessResponse
			}
			i.commands = append(i.commands, c)
			i.byName[info.Name] = c
		case qapi.SchemaInfoEvent:
			e := &schema.Event{Common: common(info), Data: r.arguments(t.ArgType)}
			i.events = append(i.events, e)
			i.byName[info.Name] = e
		}
	}
	slices.SortFunc(i.commands, func(a, b *schema.Command) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(i.events, func(a, b *schema.Event) int { return strings.Compare(a.Name, b.Name) })
	return i
}

// Lookup returns a command or an event, or nil.
func (i *Interface) Lookup(name string) schema.Definition { return i.byName[name] }

// Commands returns the server's commands in the order of their names.
func (i *Interface) Commands() []*schema.Command { return i.commands }

// Events returns the server's events in the order of their names.
func (i *Interface) Events() []*schema.Event { return i.events }

func common(info qapi.SchemaInfo) schema.Common {
	return schema.Common{Name: info.Name, Features: features(info.Features)}
}

func features(names []string) []*schema.Feature {
	var all []*schema.Feature
	for _, name := range names {
		all = append(all, &schema.Feature{Name: name})
	}
	return all
}

// A reader makes types from entries of the reply. A type can contain itself.
type reader struct {
	infos map[string]qapi.SchemaInfo
	types map[string]schema.Type
}

// typeOf returns the type with a name. If the reply has no entry for the name, it can be any type.
func (r *reader) typeOf(name string) schema.Type {
	if t, ok := r.types[name]; ok {
		return t
	}
	switch m := r.infos[name].MetaType.(type) {
	case qapi.SchemaInfoBuiltin:
		return builtin(m)
	case qapi.SchemaInfoEnum:
		t := &schema.Enum{Values: enumValues(m)}
		r.types[name] = t
		return t
	case qapi.SchemaInfoArray:
		t := &schema.Array{}
		r.types[name] = t
		t.Elem = r.typeOf(m.ElementType)
		return t
	case qapi.SchemaInfoAlternate:
		t := &schema.Alternate{}
		r.types[name] = t
		for _, b := range m.Members {
			t.Branches = append(t.Branches, &schema.AltBranch{Type: r.typeOf(b.Type)})
		}
		return t
	case qapi.SchemaInfoObject:
		return r.object(name, m)
	}
	return schema.Any
}

// arguments returns the type of a command's arguments or an event's data; nil if it has no members.
func (r *reader) arguments(name string) schema.Type {
	t := r.typeOf(name)
	switch s := t.(type) {
	case *schema.Union:
		return t
	case *schema.Struct:
		if len(s.Members) > 0 {
			return t
		}
	}
	return nil
}

func (r *reader) object(name string, o qapi.SchemaInfoObject) schema.Type {
	base := &schema.Struct{Implicit: true}
	tag := o.Members[:0:0]
	for _, m := range o.Members {
		if _, isEnum := r.infos[m.Type].MetaType.(qapi.SchemaInfoEnum); isEnum && o.Tag != nil && m.Name == *o.Tag {
			tag = append(tag, m)
		}
	}
	if len(tag) == 0 {
		r.types[name] = base
		base.Members = r.members(o.Members)
		return base
	}
	u := &schema.Union{Base: base}
	r.types[name] = u
	base.Members = r.members(o.Members)
	for _, m := range base.Members {
		if m.Name == tag[0].Name {
			u.Discriminator = m
		}
	}
	for _, v := range o.Variants {
		t := r.typeOf(v.Type)
		switch t.(type) {
		case *schema.Struct, *schema.Union:
			u.Branches = append(u.Branches, &schema.Branch{Name: v.Case, Type: t})
		}
	}
	return u
}

func (r *reader) members(list []qapi.SchemaInfoObjectMember) []*schema.Member {
	var all []*schema.Member
	for _, m := range list {
		all = append(all, &schema.Member{
			Name: m.Name, Type: r.typeOf(m.Type), Optional: m.Default != nil, Features: features(m.Features),
		})
	}
	return all
}

// enumValues returns the values of an enum; QEMU before 6.2 lists only their names.
func enumValues(e qapi.SchemaInfoEnum) []*schema.EnumValue {
	var values []*schema.EnumValue
	for _, m := range e.Members {
		values = append(values, &schema.EnumValue{Name: m.Name, Features: features(m.Features)})
	}
	if values == nil {
		//lint:ignore SA1019 old releases have nothing else
		for _, name := range e.Values { //nolint:staticcheck // see above
			values = append(values, &schema.EnumValue{Name: name})
		}
	}
	return values
}

// builtin returns a built-in type; the reply has only one type for all integers.
func builtin(b qapi.SchemaInfoBuiltin) schema.Type {
	switch b.JSONType {
	case qapi.JSONTypeString:
		return schema.Str
	case qapi.JSONTypeInt:
		return schema.Int
	case qapi.JSONTypeNumber:
		return schema.Number
	case qapi.JSONTypeBoolean:
		return schema.Bool
	case qapi.JSONTypeNull:
		return schema.Null
	}
	return schema.Any
}

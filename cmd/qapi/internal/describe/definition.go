package describe

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/generator/descriptions"
	"github.com/goqapi/goqapi/schema"
)

// definition returns the entry of a definition.
func (l *Library) definition(b *book, def schema.Definition) *Entry {
	c := def.Def()
	e := &Entry{
		Name: c.Name, Kind: def.Kind(), Release: l.Release, Module: path.Base(c.Module.Path),
		Facts: factsOf(c.Features, c.If),
	}
	b.whole(&e.Facts, def)
	switch d := def.(type) {
	case *schema.Command:
		b.object(e, d.Args, def)
		if d.Returns != nil {
			e.Returns = typeName(d.Returns)
		}
		e.Example = l.commandExample(b, d)
	case *schema.Event:
		b.object(e, d.Data, def)
		e.Example = []string{"qapi events ADDR " + c.Name}
	case *schema.Enum:
		for _, v := range d.Values {
			e.Values = append(e.Values, Value{v.Name, b.valueFacts(def, v)})
		}
	case *schema.Alternate:
		for _, form := range d.Branches {
			f := factsOf(nil, form.If)
			b.part(&f, def, form.Name)
			e.Forms = append(e.Forms, Value{typeName(form.Type), f})
		}
	case schema.Type:
		b.object(e, d, def)
	}
	b.links(e, b.texts[b.today(c.Name)])
	e.UsedBy = b.users(def)
	return e
}

// object adds the members and branches of an object.
func (b *book) object(e *Entry, t schema.Type, of schema.Definition) {
	switch t := t.(type) {
	case *schema.Struct:
		e.Members = append(e.Members, b.members(t.AllMembers(), ownerOf(t, of))...)
	case *schema.Union:
		e.Members = append(e.Members, b.members(t.Base.AllMembers(), ownerOf(t, of))...)
		e.Branches = append(e.Branches, b.branches(t)...)
	}
}

func (b *book) members(members []*schema.Member, owner schema.Definition) []Member {
	var list []Member
	for _, m := range members {
		list = append(list, b.member(m, owner))
	}
	return list
}

// most is the largest number of values of an enum that are shown with a member.
const most = 12

func (b *book) member(m *schema.Member, owner schema.Definition) Member {
	out := Member{Name: m.Name, Type: typeName(m.Type), Optional: m.Optional, Facts: factsOf(m.Features, m.If)}
	if enum, ok := m.Type.(*schema.Enum); ok && len(enum.Values) <= most {
		out.Values = valueNames(enum)
	}
	b.part(&out.Facts, owner, m.Name)
	return out
}

func (b *book) branches(u *schema.Union) []Branch {
	tag := u.Discriminator.Type.(*schema.Enum)
	var list []Branch
	for _, v := range tag.Values {
		out := Branch{Tag: u.Discriminator.Name, Value: v.Name, Facts: b.valueFacts(tag, v)}
		out.Text = "" // it is the condition of the value
		if branch := u.Branch(v.Name); branch != nil {
			out.Type = typeName(branch.Type)
			for _, m := range directMembers(branch.Type) {
				out.Members = append(out.Members, m.Name)
			}
		}
		list = append(list, out)
	}
	return list
}

// directMembers returns the members of an object, without those of its branches.
func directMembers(t schema.Type) []*schema.Member {
	switch t := t.(type) {
	case *schema.Struct:
		return t.AllMembers()
	case *schema.Union:
		return t.Base.AllMembers()
	}
	return nil
}

// memberEntry returns the entry of a member, with its parts.
func (l *Library) memberEntry(b *book, def schema.Definition, at place, name string) *Entry {
	m := b.member(at.member, at.owner)
	e := &Entry{Name: name, Kind: "member", Release: l.Release, Facts: m.Facts, Type: m.Type}
	if _, ok := def.(*schema.Command); ok && !strings.Contains(name, "->") {
		e.Kind = "argument"
	}
	if m.Optional {
		e.Kind = "optional " + e.Kind
	}
	for _, t := range at.types {
		if enum, ok := t.(*schema.Enum); ok {
			for _, v := range enum.Values {
				e.Values = append(e.Values, Value{v.Name, b.valueFacts(enum, v)})
			}
		}
		b.object(e, t, ownerOf(t, at.owner))
	}
	b.mentions(e, e.Text)
	return e
}

// valueEntry returns the entry of a value; for the value of a tag, with the members that it adds.
func (l *Library) valueEntry(b *book, at place, name string) *Entry {
	e := &Entry{Name: name, Kind: "value", Release: l.Release, Facts: b.valueFacts(at.enum, at.value)}
	for _, t := range at.types {
		def, ok := t.(schema.Definition)
		if ok && e.Text == "" {
			if d := b.texts[b.today(def.Def().Name)]; d != nil {
				e.Text = def.Def().Name + " " + descriptions.Plain(d.Text)
			}
		}
		if e.Type = typeName(t); strings.HasPrefix(e.Type, "q_obj") {
			e.Type = ""
		}
		b.object(e, t, at.owner)
	}
	b.mentions(e, e.Text)
	return e
}

// result returns the entry of what a command returns.
func (l *Library) result(b *book, def schema.Definition) (*Entry, error) {
	c, ok := def.(*schema.Command)
	if !ok || c.Returns == nil {
		return nil, fmt.Errorf("%s %s returns nothing", def.Kind(), def.Def().Name)
	}
	e := &Entry{Name: c.Name + "->", Kind: "result", Release: l.Release, Type: typeName(c.Returns)}
	for _, t := range typesOf(c.Returns) {
		if def, ok := t.(schema.Definition); ok {
			if b.whole(&e.Facts, def); e.Text != "" {
				e.Text = def.Def().Name + " " + e.Text
			}
		}
		b.object(e, t, ownerOf(t, def))
	}
	return e, nil
}

// users returns the commands, events and types that have a part with a given type.
func (b *book) users(def schema.Definition) []string {
	if _, ok := def.(schema.Type); !ok {
		return nil
	}
	var names []string
	for _, other := range b.Definitions() {
		var parts []schema.Type
		switch d := other.(type) {
		case *schema.Command:
			parts = append(typesIn(d.Args), typesOf(d.Returns)...)
		case *schema.Event:
			parts = typesIn(d.Data)
		case *schema.Alternate:
			parts = typesOf(d)
		case schema.Type:
			parts = typesIn(d)[1:]
		}
		if slices.Contains(parts, def.(schema.Type)) {
			names = append(names, other.Def().Name)
		}
	}
	return names
}

// typesIn returns a type, then those of its own members and branches.
func typesIn(t schema.Type) []schema.Type {
	all := []schema.Type{t}
	var members []*schema.Member
	switch t := t.(type) {
	case *schema.Struct:
		members = t.Members
	case *schema.Union:
		members = t.Base.Members
		for _, b := range t.Branches {
			all = append(all, b.Type)
		}
	}
	for _, m := range members {
		all = append(all, typesOf(m.Type)...)
	}
	return all
}

// typeName returns the name of a type for people.
func typeName(t schema.Type) string {
	if a, ok := t.(*schema.Array); ok {
		return "list of " + typeName(a.Elem)
	}
	if st, ok := t.(*schema.Struct); ok && st.Implicit {
		return "object"
	}
	return t.TypeName()
}

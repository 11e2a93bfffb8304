package describe

import (
	"fmt"
	"strings"

	"github.com/goqapi/goqapi/internal/edits"
	"github.com/goqapi/goqapi/schema"
)

// A place is what a path leads to.
type place struct {
	owner  schema.Definition // the definition that declares the member
	member *schema.Member
	value  *schema.EnumValue // set if the last step has a value
	enum   *schema.Enum      // the enum of the value
	types  []schema.Type     // the types in which the next step is looked up
}

// part returns the entry of a part of a definition.
func (l *Library) part(b *book, def schema.Definition, from, path string) (*Entry, error) {
	name := def.Def().Name + from
	at := place{owner: def}
	switch d := def.(type) {
	case *schema.Command:
		if at.types = typesOf(d.Args); from == "->" {
			at.types = typesOf(d.Returns)
		}
	case *schema.Event:
		at.types = typesOf(d.Data)
	case *schema.Enum: // a value of it is written like a member
		if v := d.Value(path); v != nil {
			return l.valueEntry(b, place{owner: def, value: v, enum: d}, name+"/"+path), nil
		}
		return nil, fmt.Errorf("enum %s has no value %q%s", name, path, guess(path, valueNames(d)))
	case schema.Type:
		at.types = typesOf(d)
	}
	if path == "" { // the path is only "->", for a result
		return l.result(b, def)
	}
	for step := range strings.SplitSeq(path, "/") {
		next, err := at.step(step)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if !strings.HasSuffix(name, "->") {
			name += "/"
		}
		name, at = name+step, next
	}
	if at.value != nil {
		return l.valueEntry(b, at, name), nil
	}
	return l.memberEntry(b, def, at, name), nil
}

// step follows a step: a member, or a value of a member.
func (at place) step(step string) (place, error) {
	name, value, valued := strings.Cut(step, "=")
	var names []string
	for _, m := range membersOf(at.types, at.owner) {
		names = append(names, m.member.Name)
		if m.member.Name != name {
			continue
		}
		next := place{owner: m.owner, member: m.member, types: typesOf(m.member.Type)}
		if !valued {
			return next, nil
		}
		return next.tagged(value, m.union)
	}
	return place{}, fmt.Errorf("there is no member %q%s", name, guess(name, names))
}

// tagged follows a step to a value; after the value of a tag, the members of its branch follow.
func (at place) tagged(value string, union *schema.Union) (place, error) {
	for _, t := range at.types {
		enum, ok := t.(*schema.Enum)
		if !ok {
			continue
		}
		if at.value, at.enum = enum.Value(value), enum; at.value == nil {
			return place{}, fmt.Errorf("%s has no value %q%s", at.member.Name, value, guess(value, valueNames(enum)))
		}
		at.types = nil
		if union != nil && union.Discriminator.Name == at.member.Name {
			if branch := union.Branch(value); branch != nil {
				at.types = typesOf(branch.Type)
			}
		}
		return at, nil
	}
	return place{}, fmt.Errorf("%s is not an enum", at.member.Name)
}

// A foundMember is a member with the definition that declares it, and the union whose tag it is.
type foundMember struct {
	member *schema.Member
	owner  schema.Definition
	union  *schema.Union
}

// membersOf returns the members of objects, with those of all their branches. Types without
// a name belong to a definition.
func membersOf(types []schema.Type, of schema.Definition) []foundMember {
	var all []foundMember
	seen := map[schema.Type]bool{}
	var look func(t schema.Type)
	look = func(t schema.Type) {
		if seen[t] {
			return
		}
		seen[t] = true
		switch t := t.(type) {
		case *schema.Struct:
			for _, m := range t.AllMembers() {
				all = append(all, foundMember{m, ownerOf(t, of), nil})
			}
		case *schema.Union:
			for _, m := range t.Base.AllMembers() {
				found := foundMember{member: m, owner: t}
				if m == t.Discriminator {
					found.union = t
				}
				all = append(all, found)
			}
			for _, b := range t.Branches {
				look(b.Type)
			}
		}
	}
	for _, t := range types {
		look(t)
	}
	return all
}

// ownerOf returns the definition whose description has a struct's members.
func ownerOf(t schema.Type, of schema.Definition) schema.Definition {
	if st, ok := t.(*schema.Struct); ok && st.Implicit && of != nil {
		return of
	}
	if def, ok := t.(schema.Definition); ok {
		return def
	}
	return of
}

// typesOf returns a type, or those in a list or an alternate.
func typesOf(t schema.Type) []schema.Type {
	switch t := t.(type) {
	case nil:
		return nil
	case *schema.Array:
		return typesOf(t.Elem)
	case *schema.Alternate:
		var all []schema.Type
		for _, b := range t.Branches {
			all = append(all, typesOf(b.Type)...)
		}
		return all
	}
	return []schema.Type{t}
}

func valueNames(e *schema.Enum) []string {
	var names []string
	for _, v := range e.Values {
		names = append(names, v.Name)
	}
	return names
}

// tagValues returns the values of a member of a command.
func tagValues(def schema.Definition, member string) []string {
	c, ok := def.(*schema.Command)
	if !ok {
		return nil
	}
	for _, m := range membersOf(typesOf(c.Args), def) {
		if enum, ok := m.member.Type.(*schema.Enum); ok && m.member.Name == member {
			return valueNames(enum)
		}
	}
	return nil
}

func distance(a, b string) int {
	if max(len(a)-len(b), len(b)-len(a)) > max(1, len(a)/3) {
		return len(a) + len(b) // too long to be a misspelling
	}
	return edits.Distance(a, b)
}

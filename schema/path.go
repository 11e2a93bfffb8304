package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/internal/edits"
)

// CheckPath returns an error if the schema does not have what a path names. The error names
// the part that is missing, and a similar name. Paths have the form of
// Capabilities.Supports of package qapi, such as "blockdev-add/driver=nvme-io_uring",
// "query-block->inserted/ro", "event STOP" and "screendump/format/@unstable".
func (s *Schema) CheckPath(path string) error {
	head, steps, below := strings.Cut(path, "/")
	at, err := s.pathStart(head)
	if err == nil && below {
		for step := range strings.SplitSeq(steps, "/") {
			if at, err = at.step(step); err != nil {
				break
			}
		}
	}
	if err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	return nil
}

// A pathPlace is the command, event or part that is named by the part of a path that was read so
// far.
type pathPlace struct {
	name     string
	features []*Feature
	types    []Type // to look for members in
}

// lacks returns the error for a name that does not exist. It suggests the most similar one of
// names.
func lacks(what, name string, there []string) error {
	if near := edits.Nearest(name, there); near != "" {
		return fmt.Errorf("%s %q; did you mean %q?", what, name, near)
	}
	return fmt.Errorf("%s %q", what, name)
}

func (s *Schema) pathStart(head string) (pathPlace, error) {
	if name, ok := strings.CutPrefix(head, "event "); ok {
		e, ok := s.Lookup(name).(*Event)
		if !ok {
			return pathPlace{}, lacks("there is no event", name, definitionNames(s.Events()))
		}
		return pathPlace{name, e.Features, []Type{e.Data}}, nil
	}
	name, member, reply := strings.Cut(head, "->")
	c, ok := s.Lookup(name).(*Command)
	switch {
	case !ok:
		return pathPlace{}, lacks("there is no command", name, definitionNames(s.Commands()))
	case !reply:
		return pathPlace{name, c.Features, []Type{c.Args}}, nil
	}
	at := pathPlace{name + "->", c.Features, []Type{c.Returns}}
	if member == "" {
		return at, nil
	}
	return at.step(member)
}

func definitionNames[D Definition](defs []D) []string {
	var names []string
	for _, def := range defs {
		names = append(names, def.Def().Name)
	}
	return names
}

// step follows one step of a path: a feature, a member, or a value of a member.
func (at pathPlace) step(step string) (pathPlace, error) {
	if feature, ok := strings.CutPrefix(step, "@"); ok {
		return at.feature(feature)
	}
	name, value, valued := strings.Cut(step, "=")
	members, tagged := pathMembers(at.types)
	var found pathPlace
	for _, m := range members {
		if m.Name == name {
			found.name = name
			found.features = append(found.features, m.Features...)
			found.types = append(found.types, m.Type)
		}
	}
	if found.types == nil {
		var there []string
		for _, m := range members {
			there = append(there, m.Name)
		}
		return pathPlace{}, lacks(at.name+" has no member", name, there)
	}
	if valued {
		return found.value(value, tagged)
	}
	return found, nil
}

func (at pathPlace) feature(name string) (pathPlace, error) {
	features := slices.Clone(at.features)
	for _, t := range through(at.types) {
		if def, ok := t.(Definition); ok {
			features = append(features, def.Def().Features...)
		}
	}
	var there []string
	for _, f := range features {
		there = append(there, f.Name)
	}
	if !slices.Contains(there, name) {
		return pathPlace{}, lacks(at.name+" has no feature", name, there)
	}
	return pathPlace{name: "@" + name}, nil
}

// value follows a step to a value. After the value of a union's tag, the members of the
// variant follow.
func (at pathPlace) value(value string, unions []*Union) (pathPlace, error) {
	var there []string
	found := pathPlace{name: at.name + "=" + value}
	ok := false
	for _, t := range through(at.types) {
		e, isEnum := t.(*Enum)
		if t == Type(Str) {
			return found, nil // every string is a value
		}
		if !isEnum {
			continue
		}
		for _, v := range e.Values {
			there = append(there, v.Name)
			if v.Name == value {
				ok, found.features = true, append(found.features, v.Features...)
			}
		}
	}
	if !ok {
		return pathPlace{}, lacks(at.name+" has no value", value, there)
	}
	for _, u := range unions {
		if b := u.Branch(value); u.Discriminator.Name == at.name && b != nil {
			found.types = append(found.types, b.Type)
		}
	}
	return found, nil
}

// pathMembers returns the members of objects, with those of all their variants, and the unions among the
// objects.
func pathMembers(types []Type) (members []*Member, unions []*Union) {
	seen := map[Type]bool{}
	var look func([]Type)
	look = func(types []Type) {
		for _, t := range through(types) {
			if seen[t] {
				continue
			}
			seen[t] = true
			switch t := t.(type) {
			case *Struct:
				members = append(members, t.AllMembers()...)
			case *Union:
				members = append(members, t.Base.AllMembers()...)
				unions = append(unions, t)
				for _, b := range t.Branches {
					look([]Type{b.Type})
				}
			}
		}
	}
	look(types)
	return members, unions
}

// through returns the types in lists and alternates.
func through(types []Type) []Type {
	var found []Type
	for _, t := range types {
		switch t := t.(type) {
		case nil:
		case *Array:
			found = append(found, through([]Type{t.Elem})...)
		case *Alternate:
			for _, b := range t.Branches {
				found = append(found, through([]Type{b.Type})...)
			}
		default:
			found = append(found, t)
		}
	}
	return found
}

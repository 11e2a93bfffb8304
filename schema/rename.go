package schema

import (
	"maps"
	"slices"
)

// findRenames finds types that were removed and replaced by a new one: most places that
// used the old type use the new one now, and most of their parts are the same.
func (d *differ) findRenames() {
	taken := make(map[string]bool)    // new names
	counted := make(map[string]votes) // by old name
	var pairs [][2]Definition         // pairs of old and new definitions whose uses have not been compared yet
	for _, def := range d.new.Definitions() {
		if old := d.old.Lookup(def.Def().Name); old != nil {
			pairs = append(pairs, [2]Definition{old, def})
		}
	}
	for len(pairs) > 0 {
		changed := make(map[string]bool)
		for _, p := range pairs {
			d.countUses(counted, changed, p[0], p[1])
		}
		pairs = nil
		for _, o := range slices.Sorted(maps.Keys(changed)) {
			n := counted[o].winner()
			old, new := d.old.Lookup(o), d.new.Lookup(n)
			if new == nil || d.renamed[o] != "" || taken[n] || !alike(old, new) {
				continue
			}
			d.renamed[o], taken[n] = n, true
			// Now renamed types in the parts of this type may be recognised as well.
			pairs = append(pairs, [2]Definition{old, new})
		}
	}
}

// votes counts the places where a removed type was used: for each new type the number of
// places that have it now, and for the empty name the number of all places.
type votes map[string]int

// winner returns the new type that most of the places have now, or "".
func (v votes) winner() string {
	for name, n := range v {
		if name != "" && 2*n > v[""] {
			return name
		}
	}
	return ""
}

// countUses compares the places where a definition, of the old schema and of the new,
// uses types.
func (d *differ) countUses(all map[string]votes, changed map[string]bool, old, new Definition) {
	before := uses(old)
	for place, typ := range uses(new) {
		was := before[place]
		if was == nil || typ == nil {
			continue
		}
		o, n := elem(branchType(was)).TypeName(), elem(branchType(typ)).TypeName()
		if !d.gone(o) {
			continue
		}
		if all[o] == nil {
			all[o] = make(votes)
		}
		changed[o] = true
		all[o][""]++
		if d.fresh(n) {
			all[o][n]++
		}
	}
}

func elem(t Type) Type {
	if a, ok := t.(*Array); ok {
		return a.Elem
	}
	return t
}

func (d *differ) gone(name string) bool {
	def := d.old.Lookup(name)
	return def != nil && d.new.Lookup(name) == nil
}

func (d *differ) fresh(name string) bool {
	def := d.new.Lookup(name)
	return def != nil && d.old.Lookup(name) == nil
}

// uses lists the types that a definition uses, by place.
func uses(def Definition) map[string]Type {
	m := make(map[string]Type)
	members := func(list []*Member) {
		for _, member := range list {
			m["member "+member.Name] = member.Type
		}
	}
	args := func(t Type) {
		if list, ok := inPlace(t); ok {
			members(list)
		} else {
			m["arguments"] = t
		}
	}
	switch def := def.(type) {
	case *Struct:
		members(def.AllMembers())
		if def.Base != nil {
			m["base"] = def.Base
		}
	case *Union:
		members(def.Base.AllMembers())
		for _, b := range def.Branches {
			m["branch "+b.Name] = b.Type
		}
	case *Alternate:
		for _, b := range def.Branches {
			m["branch "+b.Name] = b.Type
		}
	case *Command:
		args(def.Args)
		m["returns"] = def.Returns
	case *Event:
		args(def.Data)
	}
	return m
}

// pureBases returns the structs of a schema that are used only as bases: no value has
// such a type.
func pureBases(s *Schema) map[Definition]bool {
	pure := make(map[Definition]bool)
	for _, def := range s.Definitions() {
		switch def := def.(type) {
		case *Struct:
			if def.Base != nil {
				pure[def.Base] = true
			}
		case *Union:
			pure[def.Base] = true
		}
	}
	for _, def := range s.Definitions() {
		for place, t := range uses(def) {
			if used, ok := elem(t).(Definition); ok && place != "base" {
				delete(pure, used)
			}
		}
	}
	return pure
}

// alike reports whether two types are of the same kind and share at least half of
// their parts.
func alike(a, b Definition) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	x, y := partNames(a), partNames(b)
	common := 0
	for name := range x {
		if y[name] {
			common++
		}
	}
	return 2*common >= max(len(x), len(y))
}

func partNames(def Definition) map[string]bool {
	names := make(map[string]bool)
	if e, ok := def.(*Enum); ok {
		for _, v := range e.Values {
			names[v.Name] = true
		}
	}
	for place := range uses(def) {
		names[place] = true
	}
	return names
}

package schema

// findRenames finds the types that are gone of which one that is new takes the
// place: where the old one was used the new one is now, and what they hold is
// mostly the same.
func (d *differ) findRenames() {
	taken := make(map[string]string) // new name to old
	for {
		found := len(d.renamed)
		votes := d.countUses(taken)
		for _, def := range d.old.Definitions() {
			o := def.Def().Name
			best, most := "", 0
			for _, cand := range d.new.Definitions() {
				n := cand.Def().Name
				if v := votes[[2]string{o, n}]; v > most && taken[n] == "" && alike(def, cand) {
					best, most = n, v
				}
			}
			if 2*most > votes[[2]string{o}] && d.renamed[o] == "" {
				d.renamed[o] = best
				taken[best] = o
			}
		}
		if len(d.renamed) == found {
			return
		}
		// What the renamed types hold may now be recognised, too.
	}
}

// countUses counts the places where a type that is gone was used, by its name
// alone, and those where one that is new is used now, by both names.
func (d *differ) countUses(taken map[string]string) map[[2]string]int {
	votes := make(map[[2]string]int)
	for _, def := range d.new.Definitions() {
		name := def.Def().Name
		if o := taken[name]; o != "" {
			name = o
		}
		old := d.old.Lookup(name)
		if old == nil {
			continue
		}
		before := uses(old)
		for place, typ := range uses(def) {
			was := before[place]
			if was == nil || typ == nil {
				continue
			}
			o, n := elem(branchType(was)).TypeName(), elem(branchType(typ)).TypeName()
			if !d.gone(o) {
				continue
			}
			votes[[2]string{o}]++
			if d.fresh(n) {
				votes[[2]string{o, n}]++
			}
		}
	}
	return votes
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

// pureBases are the structs of a schema that only give their members to others:
// no value is of them.
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

// alike tells whether two types are of the same kind and share at least half of
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

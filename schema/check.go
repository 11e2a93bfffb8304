package schema

import (
	"slices"
	"strings"
)

// maxFeatures is how many names of features a schema may have: QEMU keeps them as bits
// of a word, two of which are always in use.
const maxFeatures = 64

// check applies the rules that need to know all types.
func (l *loader) check() {
	byDef := make(map[Definition]*decl)
	for _, d := range l.decls {
		byDef[d.def] = d
	}
	c := &checker{
		byDef:        byDef,
		featureNames: map[string]bool{"deprecated": true, "unstable": true},
		reached:      make(map[Type][]memberOf),
		values:       make(map[*Enum]map[string]bool),
		kinds:        make(map[*Enum][]JSONKind),
	}
	simple := slices.ContainsFunc(l.decls, func(d *decl) bool { return oldForm(d.def) })
	for _, d := range l.decls {
		err := c.features(d)
		if err == nil && simple {
			err = d.reservedKind()
		}
		if err == nil {
			err = c.definition(d)
		}
		if c.tooLarge != nil {
			l.fail(c.tooLarge)
			return
		}
		l.fail(err)
	}
}

type checker struct {
	byDef        map[Definition]*decl
	featureNames map[string]bool

	// What has been found out about types.
	reached map[Type][]memberOf // results of reachable
	values  map[*Enum]map[string]bool
	kinds   map[*Enum][]JSONKind

	parts    int    // how many parts were counted; see maxParts
	tooLarge *Error // set when there were more than maxParts
}

// count counts the parts that d has, or takes from other definitions. It limits the
// work that is done here, and the work of every program that goes through a schema's
// members.
func (c *checker) count(d *decl, parts int) *Error {
	c.parts += parts
	if c.parts > maxParts && c.tooLarge == nil {
		c.tooLarge = d.errorf("with it the schema has more than %d members, values and branches, counting those that definitions take from others", maxParts)
	}
	return c.tooLarge
}

// features checks the number of names, and that the special features are only on things
// that can have them.
func (c *checker) features(d *decl) *Error {
	for _, f := range d.features {
		known := c.featureNames[f.Name]
		c.featureNames[f.Name] = true
		if !known && len(c.featureNames) == maxFeatures+1 {
			return d.errorf("with the feature '%s' the schema has more than %d features", f.Name, maxFeatures)
		}
	}
	if _, isType := d.def.(Type); isType && d.era > eraWhitelists {
		for _, f := range d.def.Def().Features {
			if f.Name == "deprecated" || f.Name == "unstable" {
				return d.errorf("a type can't have the feature '%s'", f.Name)
			}
		}
	}
	return nil
}

func (c *checker) definition(d *decl) *Error {
	switch def := d.def.(type) {
	case *Enum:
		return c.enumClash(d, def)
	case *Struct, *Union:
		return c.object(d)
	case *Alternate:
		return c.alternateClash(d, def)
	case *Command:
		if err := c.arguments(d, def.Args, def.Boxed); err != nil {
			return err
		}
		return d.returns(def)
	case *Event:
		return c.arguments(d, def.Data, def.Boxed)
	}
	return nil
}

func (c *checker) enumClash(d *decl, e *Enum) *Error {
	if err := c.count(d, len(e.Values)); err != nil {
		return err
	}
	seen := make(map[string]string)
	for _, v := range e.Values {
		name := mangle(v.Name)
		if other, ok := seen[name]; ok {
			return d.errorf("the value '%s' clashes with the value '%s'", v.Name, other)
		}
		seen[name] = v.Name
	}
	return nil
}

// object checks a struct or union; before that, the ones that it is made of.
func (c *checker) object(d *decl) *Error {
	if !d.checked {
		d.checking = true
		if err := c.objectParts(d); err != nil {
			d.err = err
		}
		d.checking = false
		d.checked = true
		d.bad = d.bad || d.err != nil
	}
	return d.err
}

func (c *checker) objectParts(d *decl) *Error {
	switch def := d.def.(type) {
	case *Struct:
		if def.Base != nil && !c.part(d, def.Base) {
			return nil
		}
	case *Union:
		if !def.Base.Implicit && !c.part(d, def.Base) {
			return nil
		}
		if err := c.discriminated(d, def); err != nil {
			return err
		}
		for _, b := range def.Branches {
			switch t := b.Type.(type) {
			case *Struct:
				if !t.Implicit && !c.part(d, t) {
					return nil
				}
			case *Union:
				if !c.part(d, t) {
					return nil
				}
			default:
				return d.errorf("the type of the branch '%s' must be a struct or a union, not the %s", b.Name, describe(t))
			}
		}
	}
	return c.memberClash(d, make(memberSet), d.def.(Type))
}

// part checks an object that d is made of. If it is bad, d is bad as well, but only the
// error of the part is reported.
func (c *checker) part(d *decl, def Definition) bool {
	p := c.byDef[def]
	if p.checking {
		p.err = p.errorf("the %s contains itself", p.def.Kind())
		if p != d {
			p.err.Msg += ", through the " + describe(d.def)
		}
		d.bad = true
		return false
	}
	_ = c.object(p) // reported with p
	d.bad = d.bad || p.bad
	if d.nesting = max(d.nesting, p.nesting+1); d.nesting > maxBases && !d.bad {
		d.err = d.errorf("its bases and branches nest deeper than %d levels", maxBases)
		d.bad = true
	}
	return !d.bad
}

// discriminated checks a union's discriminator and the names of its branches.
func (c *checker) discriminated(d *decl, u *Union) *Error {
	base := "the base"
	if !u.Base.Implicit {
		base = "the base '" + u.Base.Name + "'"
	}
	if !u.Simple {
		members := u.Base.AllMembers()
		if err := c.count(d, len(members)); err != nil {
			return err
		}
		i := slices.IndexFunc(members, func(m *Member) bool { return m.Name == d.discriminator })
		if i < 0 {
			return d.errorf("the discriminator '%s' is not a member of %s", d.discriminator, base)
		}
		u.Discriminator = members[i]
	}
	m := u.Discriminator
	tag, isEnum := m.Type.(*Enum)
	switch {
	case !isEnum:
		return d.errorf("the discriminator '%s' in %s must be of an enum type, not '%s'", m.Name, base, m.Type.TypeName())
	case m.Optional:
		return d.errorf("the discriminator '%s' in %s must not be optional", m.Name, base)
	case m.If != nil:
		return d.errorf("the discriminator '%s' in %s must not be conditional", m.Name, base)
	case len(tag.Values) == 0:
		return d.errorf("the union has no branches, since the enum '%s' has no values", tag.Name)
	}
	if err := c.count(d, len(tag.Values)); err != nil { // each value is a variant
		return err
	}
	for _, b := range u.Branches {
		if !c.has(tag, b.Name) {
			return d.errorf("the branch '%s' is not a value of the enum '%s'", b.Name, tag.Name)
		}
	}
	return nil
}

// has reports whether an enum has a value.
func (c *checker) has(e *Enum, value string) bool {
	values := c.values[e]
	if values == nil {
		values = make(map[string]bool, len(e.Values))
		for _, v := range e.Values {
			values[v.Name] = true
		}
		c.values[e] = values
	}
	return values[value]
}

// A memberSet holds the members that an object has, by their names in C.
type memberSet map[string]memberOf

// memberClash checks that the members of t clash neither with those in seen nor with
// each other. Branches can't clash with each other, and each branch was already checked
// on its own.
func (c *checker) memberClash(d *decl, seen memberSet, t Type) *Error {
	switch t := t.(type) {
	case *Struct:
		if t.Base != nil {
			if err := c.memberClash(d, seen, t.Base); err != nil {
				return err
			}
		}
		if err := c.count(d, len(t.Members)); err != nil {
			return err
		}
		for _, m := range t.Members {
			m := memberOf{m, t}
			if err := m.clash(d, seen); err != nil {
				return err
			}
			seen[mangle(m.Name)] = m
		}
	case *Union:
		if err := c.memberClash(d, seen, t.Base); err != nil {
			return err
		}
		for _, b := range t.Branches {
			members := c.reachable(b.Type)
			if err := c.count(d, len(members)); err != nil {
				return err
			}
			for _, m := range members {
				if err := m.clash(d, seen); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// A memberOf is a member of a struct.
type memberOf struct {
	*Member
	owner *Struct
}

// describe names the member as an error in d does.
func (m memberOf) describe(d *decl) string {
	what := "the member '" + m.Name + "'"
	if !m.owner.Implicit && m.owner.Name != d.def.Def().Name {
		what += " of '" + m.owner.Name + "'"
	}
	return what
}

func (m memberOf) clash(d *decl, seen memberSet) *Error {
	if other, ok := seen[mangle(m.Name)]; ok {
		return d.errorf("%s clashes with %s", m.describe(d), other.describe(d))
	}
	return nil
}

// reachable returns the members that an object of type t can have, with any tags. Of
// several members with the same name in C, it returns only the first.
func (c *checker) reachable(t Type) []memberOf {
	if list, ok := c.reached[t]; ok {
		return list
	}
	var list []memberOf
	seen := make(map[string]bool)
	add := func(more ...memberOf) {
		for _, m := range more {
			if name := mangle(m.Name); !seen[name] {
				seen[name] = true
				list = append(list, m)
			}
		}
	}
	switch t := t.(type) {
	case *Struct:
		if t.Base != nil {
			add(c.reachable(t.Base)...)
		}
		for _, m := range t.Members {
			add(memberOf{m, t})
		}
	case *Union:
		add(c.reachable(t.Base)...)
		for _, b := range t.Branches {
			add(c.reachable(b.Type)...)
		}
	}
	c.reached[t] = list
	return list
}

// alternateClash checks that the branches of an alternate are of different
// kinds in JSON.
func (c *checker) alternateClash(d *decl, a *Alternate) *Error {
	names := make(map[string]string)
	taken := make(map[JSONKind]string)
	for _, b := range a.Branches {
		name := mangle(b.Name)
		if other, ok := names[name]; ok {
			return d.errorf("the branch '%s' clashes with the branch '%s'", b.Name, other)
		}
		names[name] = b.Name
		if KindOf(b.Type) == "" {
			return d.errorf("the branch '%s' can't be of the %s", b.Name, describe(b.Type))
		}
		for _, k := range c.alternateKinds(b.Type) {
			if other, ok := taken[k]; ok {
				return d.errorf("the branch '%s' can't be distinguished from the branch '%s'", b.Name, other)
			}
			taken[k] = b.Name
		}
	}
	return nil
}

// alternateKinds returns the kinds that the other branches of an alternate can't have
// if one branch is of type t: the kind of t's values, and the kinds that QEMU's command
// line could not distinguish from t's strings.
func (c *checker) alternateKinds(t Type) []JSONKind {
	kinds := []JSONKind{KindOf(t)}
	if t == Str {
		return append(kinds, JSONNumber, JSONBool)
	}
	e, ok := t.(*Enum)
	if !ok {
		return kinds
	}
	if known, ok := c.kinds[e]; ok {
		return known
	}
	if c.has(e, "on") || c.has(e, "off") {
		kinds = append(kinds, JSONBool)
	}
	if slices.ContainsFunc(e.Values, func(v *EnumValue) bool { return strings.ContainsAny(v.Name[:1], "-+.0123456789") }) {
		kinds = append(kinds, JSONNumber)
	}
	c.kinds[e] = kinds
	return kinds
}

// arguments checks the 'data' of a command or an event.
func (c *checker) arguments(d *decl, args Type, boxed bool) *Error {
	switch t := args.(type) {
	case nil:
		return nil
	case *Union:
		if !boxed {
			return d.errorf("the 'data' can be of the %s only with 'boxed': true", describe(t))
		}
		_ = c.object(c.byDef[t]) // reported with t
	case *Struct:
		if t.Implicit {
			if err := c.memberClash(d, make(memberSet), t); err != nil {
				return err
			}
		} else if err := c.object(c.byDef[t]); err != nil || c.byDef[t].bad {
			return nil //nolint:nilerr // the error is reported with t
		}
		members := t.AllMembers()
		if err := c.count(d, len(members)); err != nil || boxed {
			return err
		}
		for _, m := range members {
			if m.If != nil {
				return d.errorf("the member '%s' of the 'data' is conditional, which needs 'boxed': true", m.Name)
			}
		}
	default:
		return d.errorf("the 'data' can't be of the %s", describe(t))
	}
	return nil
}

// returns checks what a command returns: it must be an object or a list of objects, so
// that members can be added later.
func (d *decl) returns(cmd *Command) *Error {
	t := cmd.Returns
	if t == nil || d.exceptions.commandReturns[cmd.Name] {
		return nil
	}
	elem := t
	if a, ok := t.(*Array); ok {
		elem = a.Elem
	}
	switch elem.(type) {
	case *Struct, *Union:
		return nil
	}
	return d.errorf("'returns' can't be of the %s", describe(t))
}

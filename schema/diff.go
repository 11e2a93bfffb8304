package schema

import (
	"slices"
	"strings"
)

// A ChangeKind is what has happened to something between two schemas.
type ChangeKind string

// The kinds of change.
const (
	Added      ChangeKind = "added"
	Removed    ChangeKind = "removed"
	Renamed    ChangeKind = "renamed"    // a type has another name
	Retyped    ChangeKind = "retyped"    // another type, or another kind of definition
	Arguments  ChangeKind = "arguments"  // a command or event takes another type, or none
	Returns    ChangeKind = "returns"    // a command returns another type, or none
	Optional   ChangeKind = "optional"   // was mandatory before
	Mandatory  ChangeKind = "mandatory"  // was optional, or is new in something that existed before
	Deprecated ChangeKind = "deprecated" // now has that feature
	Unstable   ChangeKind = "unstable"   // now has that feature
	Marked     ChangeKind = "marked"     // now has another feature, or no longer has it
	Condition  ChangeKind = "condition"  // another condition
	Behaviour  ChangeKind = "behaviour"  // another flag of a command or event
)

// A Change is one difference between two schemas.
type Change struct {
	Kind ChangeKind
	// What has changed: a kind of definition, "member", "argument", "value" or
	// "branch".
	What string
	// The name of what has changed, such as "eject"; for a part, with the name of its definition in
	// front: "RunState.running".
	Name string
	// Old and New are the values before and after the change: types, conditions,
	// names, features or flags; empty if there is none.
	Old, New string
	// Features are the features of something that was added.
	Features []string
	// Breaks reports that Go code that compiles with bindings for the old schema may not
	// compile with bindings for the new one.
	Breaks bool
}

// Diff lists what has changed between two schemas of the same interface, in the order
// of the old schema for what was removed, otherwise of the new one. It compares what
// clients see: for a base type it only compares the members, and it ignores modules and
// QEMU's internal flags.
func Diff(old, new *Schema) []Change {
	d := &differ{old: old, new: new, renamed: make(map[string]string)}
	d.findRenames()
	bases := pureBases(old)
	for _, def := range old.Definitions() {
		name := def.Def().Name
		if d.new.Lookup(name) == nil && d.renamed[name] == "" {
			d.add(Change{Kind: Removed, What: def.Kind(), Name: name, Breaks: !bases[def]})
		}
	}
	olds := make(map[string]string) // new name to old
	for o, n := range d.renamed {
		olds[n] = o
	}
	for _, def := range new.Definitions() {
		name := def.Def().Name
		before := old.Lookup(name)
		if o := olds[name]; o != "" {
			before = old.Lookup(o)
			d.add(Change{Kind: Renamed, What: def.Kind(), Name: o, Old: o, New: name, Breaks: !bases[before]})
		}
		if before == nil {
			d.add(Change{Kind: Added, What: def.Kind(), Name: name, Features: featureNames(def.Def().Features)})
			continue
		}
		d.definition(before, def)
	}
	return d.changes
}

type differ struct {
	old, new *Schema
	renamed  map[string]string // types: old name to new
	changes  []Change
}

func (d *differ) add(c Change) { d.changes = append(d.changes, c) }

func (d *differ) definition(old, new Definition) {
	name, what := new.Def().Name, new.Kind()
	if old.Kind() != what {
		d.add(Change{Kind: Retyped, What: "type", Name: name, Old: old.Kind(), New: what, Breaks: true})
		return
	}
	d.features(what, name, old.Def().Features, new.Def().Features)
	switch n := new.(type) {
	case *Enum:
		d.values(old.(*Enum), n)
	case *Struct:
		d.members("member", name, old.(*Struct).AllMembers(), n.AllMembers())
	case *Union:
		o := old.(*Union)
		d.members("member", name, o.Base.AllMembers(), n.Base.AllMembers())
		if o.Discriminator.Name != n.Discriminator.Name {
			d.add(Change{Kind: Retyped, What: "discriminator of", Name: name, Old: o.Discriminator.Name, New: n.Discriminator.Name, Breaks: true})
		}
		d.branches(name, unionBranches(o), unionBranches(n))
	case *Alternate:
		d.branches(name, alternateBranches(old.(*Alternate)), alternateBranches(n))
	case *Command:
		o := old.(*Command)
		d.condition(what, name, o.If, n.If)
		d.arguments(what, name, o.Args, n.Args)
		d.typed(Returns, what, name, o.Returns, n.Returns)
		d.freeArguments(o, n)
		d.flag(what, name, "success-response", o.SuccessResponse, n.SuccessResponse, false)
		d.flag(what, name, "allow-oob", o.AllowOOB, n.AllowOOB, false)
		d.flag(what, name, "allow-preconfig", o.AllowPreconfig, n.AllowPreconfig, false)
	case *Event:
		o := old.(*Event)
		d.condition(what, name, o.If, n.If)
		d.arguments(what, name, o.Data, n.Data)
	}
}

// freeArguments reports that a command now takes any arguments, or no longer does. That it no
// longer does also breaks code if the command then has no arguments of its own: its method
// changes.
func (d *differ) freeArguments(old, new *Command) {
	const flag = "free arguments"
	d.flag("command", new.Name, flag, !old.Gen, !new.Gen, true)
	if members, ok := inPlace(old.Args); old.Gen && !new.Gen && (!ok || len(members) == 0) {
		d.changes[len(d.changes)-1].Breaks = true
	}
}

// flag reports a flag that has changed; breaks is true if losing it breaks code.
func (d *differ) flag(what, name, flag string, old, new, breaks bool) {
	switch {
	case old && !new:
		d.add(Change{Kind: Behaviour, What: what, Name: name, Old: flag, Breaks: breaks})
	case new && !old:
		d.add(Change{Kind: Behaviour, What: what, Name: name, New: flag})
	}
}

func featureNames(features []*Feature) []string {
	var names []string
	for _, f := range features {
		names = append(names, f.Name)
	}
	return names
}

func (d *differ) condition(what, name string, old, new *Cond) {
	if o, n := old.String(), new.String(); o != n {
		d.add(Change{Kind: Condition, What: what, Name: name, Old: o, New: n})
	}
}

func (d *differ) features(what, name string, old, new []*Feature) {
	has := func(features []*Feature, f *Feature) bool {
		return slices.ContainsFunc(features, func(other *Feature) bool { return other.Name == f.Name })
	}
	for _, f := range new {
		if has(old, f) {
			continue
		}
		c := Change{Kind: Marked, What: what, Name: name, New: f.Name}
		switch f.Name {
		case "deprecated":
			c.Kind = Deprecated
		case "unstable":
			c.Kind = Unstable
		}
		d.add(c)
	}
	for _, f := range old {
		if !has(new, f) {
			d.add(Change{Kind: Marked, What: what, Name: name, Old: f.Name})
		}
	}
}

// byName returns the elements of a list by their names.
func byName[E any](list []*E, name func(*E) string) map[string]*E {
	m := make(map[string]*E, len(list))
	for _, e := range list {
		m[name(e)] = e
	}
	return m
}

func (d *differ) values(old, new *Enum) {
	name := func(v *EnumValue) string { return v.Name }
	before, now := byName(old.Values, name), byName(new.Values, name)
	for _, v := range old.Values {
		if now[v.Name] == nil {
			d.add(Change{Kind: Removed, What: "value", Name: new.Name + "." + v.Name, Breaks: true})
		}
	}
	for _, v := range new.Values {
		name := new.Name + "." + v.Name
		o := before[v.Name]
		if o == nil {
			d.add(Change{Kind: Added, What: "value", Name: name, Features: featureNames(v.Features)})
			continue
		}
		d.condition("value", name, o.If, v.If)
		d.features("value", name, o.Features, v.Features)
	}
}

func (d *differ) members(what, owner string, old, new []*Member) {
	name := func(m *Member) string { return m.Name }
	before, now := byName(old, name), byName(new, name)
	for _, m := range old {
		if now[m.Name] == nil {
			d.add(Change{Kind: Removed, What: what, Name: owner + "." + m.Name, Old: m.Type.TypeName(), Breaks: true})
		}
	}
	for _, m := range new {
		name := owner + "." + m.Name
		o := before[m.Name]
		if o == nil {
			kind := Mandatory
			if m.Optional {
				kind = Added
			}
			d.add(Change{Kind: kind, What: what, Name: name, New: m.Type.TypeName(), Features: featureNames(m.Features)})
			continue
		}
		d.typed(Retyped, what, name, o.Type, m.Type)
		if o.Optional != m.Optional {
			kind := Mandatory
			if m.Optional {
				kind = Optional
			}
			d.add(Change{Kind: kind, What: what, Name: name, Old: o.Type.TypeName(), New: m.Type.TypeName(), Breaks: pointerWhenOptional(m.Type)})
		}
		d.condition(what, name, o.If, m.If)
		d.features(what, name, o.Features, m.Features)
	}
}

// pointerWhenOptional reports whether an optional member of the type differs from
// a mandatory one in Go. Lists and values of several kinds can be absent
// without a pointer.
func pointerWhenOptional(t Type) bool {
	switch KindOf(t) {
	case "", JSONArray:
		return false
	}
	return true
}

// typed reports a change of type.
func (d *differ) typed(kind ChangeKind, what, name string, old, new Type) {
	if !sameBuiltin(d.typeName(old), typeNameOf(new)) {
		d.add(Change{Kind: kind, What: what, Name: name, Old: typeNameOf(old), New: typeNameOf(new), Breaks: true})
	}
}

func typeNameOf(t Type) string {
	if t == nil {
		return ""
	}
	return t.TypeName()
}

// typeName returns the name that an old type would have now.
func (d *differ) typeName(t Type) string {
	if t == nil {
		return ""
	}
	if a, ok := t.(*Array); ok {
		return "[" + d.typeName(a.Elem) + "]"
	}
	if n := d.renamed[t.TypeName()]; n != "" {
		return n
	}
	return t.TypeName()
}

// sameBuiltin reports whether two types are the same to a client.
func sameBuiltin(a, b string) bool {
	synonym := strings.NewReplacer("int64", "int", "size", "uint64")
	plain := func(s string) string {
		switch Builtin(strings.Trim(s, "[]")) {
		case Int64, Size:
			return synonym.Replace(s)
		}
		return s
	}
	return plain(a) == plain(b)
}

// arguments compares the arguments of a command, or the data of an event. For an event,
// the members of a struct are the event's own, whether or not the struct has a name.
func (d *differ) arguments(what, name string, old, new Type) {
	o, oldInPlace := inPlace(old)
	n, newInPlace := inPlace(new)
	if what == "event" && oldInPlace != newInPlace {
		o, oldInPlace = structMembers(old)
		n, newInPlace = structMembers(new)
	}
	part := "argument"
	if what == "event" {
		part = "member"
	}
	change := Change{Kind: Arguments, What: what, Name: name, Old: argumentsText(old), New: argumentsText(new), Breaks: true}
	switch {
	case oldInPlace && newInPlace:
		d.members(part, name, o, n)
		// If arguments are added to a command without any, or all are removed, its method gets
		// another signature.
		if what == "command" && (len(o) == 0) != (len(n) == 0) {
			d.add(change)
		}
	case !oldInPlace && !newInPlace && d.typeName(old) == new.TypeName():
	default:
		d.add(change)
		if so, ok := old.(*Struct); ok {
			if sn, ok := new.(*Struct); ok {
				d.members(part, name, so.AllMembers(), sn.AllMembers())
			}
		}
	}
}

// inPlace returns the members of an inline type; false for a named type.
func inPlace(t Type) ([]*Member, bool) {
	if t == nil {
		return nil, true
	}
	if s, ok := t.(*Struct); ok && s.Implicit {
		return s.Members, true
	}
	return nil, false
}

// structMembers returns the members of a struct, named or not, or of nothing.
func structMembers(t Type) ([]*Member, bool) {
	if t == nil {
		return nil, true
	}
	s, ok := t.(*Struct)
	return s.AllMembers(), ok
}

func argumentsText(t Type) string {
	if members, ok := inPlace(t); ok && len(members) > 0 {
		return inPlaceText
	}
	return typeNameOf(t)
}

const inPlaceText = "(in place)"

// A branch is a branch of a union or of an alternate.
type branch struct {
	name string
	typ  Type
	cond *Cond
}

func unionBranches(u *Union) []*branch {
	var list []*branch
	for _, b := range u.Branches {
		list = append(list, &branch{b.Name, b.Type, b.If})
	}
	return list
}

func alternateBranches(a *Alternate) []*branch {
	var list []*branch
	for _, b := range a.Branches {
		list = append(list, &branch{b.Name, b.Type, b.If})
	}
	return list
}

func (d *differ) branches(owner string, old, new []*branch) {
	name := func(b *branch) string { return b.name }
	before, now := byName(old, name), byName(new, name)
	for _, b := range old {
		if now[b.name] == nil {
			d.add(Change{Kind: Removed, What: "branch", Name: owner + "." + b.name, Old: branchType(b.typ).TypeName(), Breaks: true})
		}
	}
	for _, b := range new {
		name := owner + "." + b.name
		o := before[b.name]
		if o == nil {
			d.add(Change{Kind: Added, What: "branch", Name: name, New: branchType(b.typ).TypeName()})
			continue
		}
		d.typed(Retyped, "branch", name, branchType(o.typ), branchType(b.typ))
		d.flag("branch", name, "data wrapper", wraps(o.typ), wraps(b.typ), false)
		d.condition("branch", name, o.cond, b.cond)
	}
}

// branchType returns the type of a branch. If the type only wraps another one in a member
// data, branchType returns the other one.
func branchType(t Type) Type {
	if wraps(t) {
		return t.(*Struct).Members[0].Type
	}
	return t
}

func wraps(t Type) bool {
	s, ok := t.(*Struct)
	return ok && s.Base == nil && len(s.Members) == 1 && s.Members[0].Name == "data" && !s.Members[0].Optional
}

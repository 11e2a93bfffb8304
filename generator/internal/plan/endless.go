package plan

import "github.com/goqapi/goqapi/schema"

// checkEndless refuses types that contain themselves through mandatory members: they have no
// finite value, and Go has no such type.
func (b *builder) checkEndless() {
	done := map[schema.Type]bool{}
	for _, def := range b.schema.Definitions() {
		if t, ok := def.(schema.Type); ok {
			b.endless(t, way{}, done)
		}
	}
}

// A way holds the types on the way from a type that may contain itself, each with the member
// that leads to the next.
type way map[schema.Type]*schema.Member

// endless looks for the types on the way, and t, in what t holds.
func (b *builder) endless(t schema.Type, way way, done map[schema.Type]bool) {
	if m := way[t]; m != nil {
		b.errorf(m.Pos, "%s has no finite value: its mandatory member '%s' contains another '%s'",
			quoted(t.(schema.Definition)), m.Name, t.TypeName())
		return
	}
	if done[t] {
		return
	}
	for _, m := range mustHold(t) {
		way[t] = m
		b.endless(m.Type, way, done)
	}
	delete(way, t)
	done[t] = true
}

// mustHold returns the members that are part of a value of a type's Go type, not behind a pointer or in a list.
func mustHold(t schema.Type) []*schema.Member {
	var all, must []*schema.Member
	switch t := t.(type) {
	case *schema.Struct:
		all = t.AllMembers()
	case *schema.Union:
		all = t.Base.AllMembers()
	}
	for _, m := range all {
		if !m.Optional {
			must = append(must, m)
		}
	}
	return must
}

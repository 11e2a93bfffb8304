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

// A way is a path from a type that may contain itself: the types on the path, each with the
// member that leads to the next one.
type way map[schema.Type]*schema.Member

// endless follows the mandatory members of t, and reports a type that is on the way already.
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

// mustHold returns the mandatory members, whose values are a part of the Go value itself, not
// behind a pointer or in a list.
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

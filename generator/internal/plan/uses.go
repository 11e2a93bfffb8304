package plan

import "github.com/goqapi/goqapi/schema"

// uses records what each object type of a schema is used for.
type uses struct {
	// data holds the types that are the type of a member, an argument, a
	// result or an alternate's branch.
	data map[schema.Type]bool
	// branches are the union branches that each type serves.
	branches map[schema.Type][]*schema.Branch
	// bases holds the structs that are used only as bases. wrappers holds the structs
	// that only wrap a branch in a member data.
	bases, wrappers map[*schema.Struct]bool
	// received holds the types that a server can send.
	received map[schema.Type]bool
}

func usesOf(s *schema.Schema) *uses {
	u := &uses{
		data:     map[schema.Type]bool{},
		branches: map[schema.Type][]*schema.Branch{},
		bases:    map[*schema.Struct]bool{},
		wrappers: map[*schema.Struct]bool{},
		received: map[schema.Type]bool{},
	}
	// Branches first: the type in a wrapper does not count as used as data yet.
	for _, def := range s.Definitions() {
		if union, ok := def.(*schema.Union); ok {
			for _, b := range union.Branches {
				u.branch(b)
			}
		}
	}
	for _, def := range s.Definitions() {
		u.definition(def)
	}
	for st := range u.wrappers {
		if u.data[st] {
			delete(u.wrappers, st)
			u.object(st)
		}
	}
	for st := range u.bases {
		if u.data[st] || len(u.branches[st]) > 0 {
			delete(u.bases, st)
		}
	}
	return u
}

func (u *uses) definition(def schema.Definition) {
	switch d := def.(type) {
	case *schema.Struct:
		if !u.wrappers[d] {
			u.object(d)
		}
	case *schema.Union:
		if d.Base.Implicit {
			u.object(d.Base)
		} else {
			u.bases[d.Base] = true
		}
	case *schema.Alternate:
		for _, b := range d.Branches {
			u.value(b.Type)
		}
	case *schema.Command:
		if st, ok := d.Args.(*schema.Struct); ok && st.Implicit {
			u.object(st)
		} else if d.Args != nil {
			u.value(d.Args)
		}
		if d.Returns != nil {
			u.value(d.Returns)
			u.receive(d.Returns)
		}
	case *schema.Event:
		switch data := d.Data.(type) {
		case nil:
		case *schema.Struct: // the event has its members directly
			u.object(data)
			u.receive(data)
		default:
			u.value(data)
			u.receive(data)
		}
	}
}

// object records what a struct's own members use, and its base.
func (u *uses) object(st *schema.Struct) {
	if st.Base != nil {
		u.bases[st.Base] = true
	}
	for _, m := range st.Members {
		u.value(m.Type)
	}
}

func (u *uses) value(t schema.Type) {
	if a, ok := t.(*schema.Array); ok {
		u.value(a.Elem)
		return
	}
	u.data[t] = true
}

func (u *uses) branch(b *schema.Branch) {
	if inner, ok := unwrap(b.Type); ok {
		u.wrappers[b.Type.(*schema.Struct)] = true
		_, wraps := unwrap(inner)
		_, isArray := inner.(*schema.Array)
		if isArray || wraps {
			u.value(inner)
		}
		u.branches[inner] = append(u.branches[inner], b)
		return
	}
	u.branches[b.Type] = append(u.branches[b.Type], b)
}

// unwrap returns T if t is a struct whose only member is data, of type T, and if a
// variant can be a type over T.
func unwrap(t schema.Type) (schema.Type, bool) {
	st, ok := t.(*schema.Struct)
	if !ok || st.Base != nil || len(st.Members) != 1 {
		return nil, false
	}
	m := st.Members[0]
	return m.Type, m.Name == "data" && !m.Optional && canBeUnder(m.Type)
}

// canBeUnder reports whether t's Go type can be the underlying type of a type with
// methods that is encoded as t is. An interface cannot have methods, and a
// json.RawMessage or a Null would be encoded in another way.
func canBeUnder(t schema.Type) bool {
	switch t := t.(type) {
	case *schema.Array:
		return canBeUnder(t.Elem)
	case *schema.Alternate:
		return false
	}
	return t != schema.Type(schema.Any) && t != schema.Type(schema.Null)
}

// receive records that a server sends t and all types in it.
func (u *uses) receive(t schema.Type) {
	if u.received[t] {
		return
	}
	u.received[t] = true
	switch t := t.(type) {
	case *schema.Array:
		u.receive(t.Elem)
	case *schema.Struct:
		if t.Base != nil {
			u.receive(t.Base)
		}
		for _, m := range t.Members {
			u.receive(m.Type)
		}
	case *schema.Union:
		u.receive(t.Base)
		for _, b := range t.Branches {
			u.receive(b.Type)
		}
	case *schema.Alternate:
		for _, b := range t.Branches {
			u.receive(b.Type)
		}
	}
}

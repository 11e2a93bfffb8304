package arguments

import (
	"slices"
	"strings"

	"github.com/goqapi/goqapi/internal/edits"
	"github.com/goqapi/goqapi/schema"
)

// object writes an object of a struct or union. where names it in errors.
func (e *encoder) object(n *node, t schema.Type, where string) {
	known := membersOf(t, n)
	n.mergeDotted(known)
	e.missing(n, known, where)
	e.members(n, func(name string, m *node) {
		at := slices.IndexFunc(known, func(k *schema.Member) bool { return k.Name == name })
		switch {
		case at >= 0:
			e.value(m, known[at].Type)
		case m.json != nil: // a fork of QEMU may have it
			e.out = append(e.out, m.json...)
		default:
			e.unknownMember(m, t, n, where, name)
		}
	})
}

// mergeDotted joins names if a member's name itself has dots, as in downstream
// releases: __com.example_name.
func (n *node) mergeDotted(known []*schema.Member) {
	for _, m := range known {
		parts := strings.Split(m.Name, ".")
		first := n.members[parts[0]]
		if len(parts) == 1 || first == nil {
			continue
		}
		inner := first
		for _, part := range parts[1:] {
			if inner == nil || inner.members == nil {
				break
			}
			inner = inner.members[part]
		}
		if inner != nil && inner != first {
			n.names[slices.Index(n.names, parts[0])] = m.Name
			n.members[m.Name] = inner
		}
	}
}

// missing fails if an object lacks a member that it must have.
func (e *encoder) missing(n *node, known []*schema.Member, where string) {
	for _, m := range known {
		if m.Optional || n.members[m.Name] != nil {
			continue
		}
		name := m.Name
		if n.word != "" {
			name = n.word + "." + name
		}
		if enum, ok := m.Type.(*schema.Enum); ok {
			e.fail("%s: %s is missing; %s", where, name, describe(valuesOf(enum)))
		} else {
			e.fail("%s: %s is missing; its type is %s", where, name, m.Type.TypeName())
		}
		return
	}
}

// describe returns, in words, what a value can be.
func describe(values []string) string {
	const most = 12
	if len(values) > most {
		return "it is one of " + strings.Join(values[:most], ", ") + " …"
	}
	return "it is " + OrList(values)
}

// unknownMember fails for a member that an object of a type does not have.
func (e *encoder) unknownMember(m *node, t schema.Type, n *node, where, name string) {
	tag, values := openTag(t, n)
	if tag != "" { // a member of a variant may have this name
		if n.word != "" {
			tag = n.word + "." + tag
		}
		e.fail("%s: give %s first; %s", m.word, tag, describe(values))
		return
	}
	var names []string
	for _, k := range membersOf(t, n) {
		names = append(names, k.Name)
	}
	e.unknown(m, where, name, names)
}

// unknown fails for a name that does not exist.
func (e *encoder) unknown(m *node, where, name string, names []string) {
	switch near := edits.Nearest(name, names); {
	case near != "":
		e.fail("%s does not have %s: did you mean %s?", where, name, near)
	case len(names) == 0:
		e.fail("%s does not have %s: it has no members", where, name)
	case len(names) > 12:
		e.fail(`%s does not have %s; if this QEMU has it, give it as JSON: %s:=…`, where, name, m.word)
	default:
		e.fail("%s does not have %s: it has %s", where, name, strings.Join(names, ", "))
	}
}

// membersOf returns the members that an object of a type can have, given the tags in n,
// which may be nil.
func membersOf(t schema.Type, n *node) []*schema.Member {
	switch t := t.(type) {
	case *schema.Struct:
		return t.AllMembers()
	case *schema.Union:
		list := slices.Clone(t.Base.AllMembers())
		if branch := branchOf(t, n); branch != nil {
			list = append(list, membersOf(branch.Type, n)...)
		}
		return list
	}
	return nil
}

// branchOf returns the variant of a union that the tag in n selects, or nil.
func branchOf(t *schema.Union, n *node) *schema.Branch {
	if n == nil || n.members[t.Discriminator.Name] == nil {
		return nil
	}
	tag := n.members[t.Discriminator.Name]
	value := tag.text
	if tag.json != nil {
		value = strings.Trim(string(tag.json), `"`)
	}
	return t.Branch(value)
}

// openTag returns a tag of a union that n does not give, and its values; "" if there is none.
func openTag(t schema.Type, n *node) (name string, values []string) {
	u, ok := t.(*schema.Union)
	if !ok {
		return "", nil
	}
	if branch := branchOf(u, n); branch != nil {
		return openTag(branch.Type, n)
	}
	if n.members[u.Discriminator.Name] != nil {
		return "", nil
	}
	return u.Discriminator.Name, valuesOf(u.Tag())
}

package merge

import (
	"slices"

	"github.com/goqapi/goqapi/schema"
)

// A wire records what each release has on the wire. Unlike the walker, it goes through each
// release separately, so that a type counts only if a command or event of the release leads
// to it.
type wire struct {
	*merger
	known map[*node][]place // the places of nodes, which are final
	seen  map[pair]bool
	on    map[string]Set            // the releases in which nodes are on the wire
	has   map[string]map[string]Set // the releases in which their parts are on the wire
	// lacks has the releases in which some place of a node does not have a part. If has
	// is also set for the release, one type represents several types that differ.
	lacks map[string]map[string]Set
	// plain has the releases in which a place that is an alternate now has only one form,
	// and wide those in which it is an alternate. form has the form of any such release.
	plain, wide map[string]map[string]Set
	form        map[string]schema.Type // by node and part
	sent        map[string]bool
	// free has, for nodes below arguments, the releases that do not list these arguments.
	// open has the releases that do not list all parts of a node: arguments that are not
	// all listed, and enums that are any string.
	free, open map[string]Set
}

type pair struct {
	key string
	comp
}

func (m *merger) wire() *wire {
	w := &wire{
		merger: m, known: map[*node][]place{}, seen: map[pair]bool{}, on: map[string]Set{},
		has: map[string]map[string]Set{}, lacks: map[string]map[string]Set{},
		plain: map[string]map[string]Set{}, wide: map[string]map[string]Set{}, form: map[string]schema.Type{},
		sent: map[string]bool{}, free: map[string]Set{}, open: map[string]Set{},
	}
	for _, name := range m.names(isCall) {
		c := m.call(name)
		w.follow(inPlaceKey(name), c.args)
		w.follow(name+returns, c.returns)
		for i, def := range c.defs {
			if def == nil {
				continue
			}
			w.note(w.has, name, "", i)
			// Arguments that are free in the newest release, too, have no types.
			if command, ok := def.(*schema.Command); ok && !command.Gen && m.newestCommand(c).Gen && len(c.args) > 0 {
				w.below(inPlaceKey(name), c.args, func(key string) { w.free[key] = w.free[key].with(i) })
				key := w.resolve(inPlaceKey(name), c.args).key
				w.open[key] = w.open[key].with(i)
			}
		}
		if _, isCommand := c.defs[w.lastOf(c.defs)].(*schema.Command); isCommand {
			w.below(inPlaceKey(name), c.args, func(key string) { w.sent[key] = true })
		}
	}
	return w
}

// lastOf returns the newest release that has a definition.
func (m *merger) lastOf(defs []schema.Definition) int {
	for i := range slices.Backward(defs) {
		if defs[i] != nil {
			return i
		}
	}
	return -1
}

func (m *merger) newestCommand(c call) *schema.Command {
	return c.defs[m.lastOf(c.defs)].(*schema.Command)
}

// places returns the result of merger.places, which is the same for each release.
func (w *wire) places(n *node) []place {
	found, ok := w.known[n]
	if !ok {
		found = w.merger.places(n)
		w.known[n] = found
	}
	return found
}

func (w *wire) note(in map[string]map[string]Set, key, part string, release int) {
	if in[key] == nil {
		in[key] = map[string]Set{}
	}
	in[key][part] = in[key][part].with(release)
}

// follow visits what each release has at a place.
func (w *wire) follow(at string, comps []comp) {
	if len(comps) == 0 {
		return
	}
	r := w.resolve(at, comps)
	for _, c := range comps {
		w.descend(r, c)
	}
}

func (w *wire) descend(r resolved, c comp) {
	for r.elem != nil {
		a, ok := c.typ.(*schema.Array)
		if !ok {
			return // the table decides otherwise
		}
		r, c.typ = *r.elem, a.Elem
	}
	if r.key != "" {
		w.visit(r.key, c)
	}
}

// visit records which parts of a node a type of a release has, and visits the types of
// these parts.
func (w *wire) visit(key string, c comp) {
	if w.seen[pair{key, c}] {
		return
	}
	w.seen[pair{key, c}] = true
	n := w.nodes[key]
	for _, p := range w.parts(n, c) {
		w.descend(w.resolve(p.at, p.comps), p.here)
	}
}

// parts records which parts of a node a type of a release has. It returns the parts
// that have types, with their types in this release.
func (w *wire) parts(n *node, c comp) []place {
	w.on[n.key] = w.on[n.key].with(c.release)
	if _, ok := n.newest().(*schema.Enum); ok {
		w.enumParts(n, c)
		return nil
	}
	types, tags := partTypes(n, c.typ)
	var found []place
	for _, p := range w.places(n) {
		t := types[p.name]
		if value, ok := branchName(p.name); !ok {
			w.mark(n.key, p.name, c.release, t != nil)
		} else if t == nil && tags[value] {
			t = &schema.Struct{Implicit: true} // a tag that has no members yet
		}
		if t != nil {
			w.noteForm(n.key, p, comp{c.release, t})
			found = append(found, place{at: p.at, comps: p.comps, here: comp{c.release, t}})
		}
	}
	if union, ok := n.newest().(*schema.Union); ok {
		for _, v := range w.values(w.nodes[union.Tag().Name]) {
			w.mark(n.key, "="+v.Name, c.release, tags[v.Name])
		}
	}
	return found
}

// noteForm records whether a release has an alternate, or only one of its forms, at a
// place that is an alternate in the result.
func (w *wire) noteForm(key string, p place, c comp) {
	r := w.resolve(p.at, p.comps)
	for r.elem != nil {
		list, ok := c.typ.(*schema.Array)
		if !ok {
			return
		}
		r, c.typ = *r.elem, list.Elem
	}
	if r.key == "" || classOf(w.nodes[r.key].newest()) != "alternate" {
		return
	}
	if classOf(c.typ) == "alternate" {
		w.note(w.wide, key, p.name, c.release)
		return
	}
	w.note(w.plain, key, p.name, c.release)
	w.form[key+"."+p.name] = c.typ
}

// enumParts records which values an enum has. If it is any string, all may exist.
func (w *wire) enumParts(n *node, c comp) {
	enum, listed := c.typ.(*schema.Enum)
	if !listed {
		w.open[n.key] = w.open[n.key].with(c.release)
		return
	}
	there := valueNames(enum)
	for _, v := range w.values(n) {
		w.mark(n.key, v.Name, c.release, there[v.Name])
	}
}

func (w *wire) mark(key, part string, release int, has bool) {
	if has {
		w.note(w.has, key, part, release)
	} else {
		w.note(w.lacks, key, part, release)
	}
}

// partTypes returns the types that one of a node's types has at the node's places, by their
// names, and the values of its tag.
func partTypes(n *node, t schema.Type) (parts map[string]schema.Type, tags map[string]bool) {
	parts = map[string]schema.Type{}
	for _, m := range allMembers(t) {
		parts[m.Name] = m.Type
	}
	switch t := t.(type) {
	case *schema.Union:
		for _, b := range t.Branches {
			parts["="+b.Name] = b.Type
		}
		tags = valueNames(t.Tag())
	case *schema.Alternate:
		for _, b := range t.Branches {
			parts["="+b.Name] = b.Type
		}
	default:
		if a, ok := n.newest().(*schema.Alternate); ok { // the type is one of the alternate's forms
			for _, b := range a.Branches {
				if schema.KindOf(b.Type) == schema.KindOf(t) {
					parts["="+b.Name] = t
					break
				}
			}
		}
	}
	return parts, tags
}

func valueNames(e *schema.Enum) map[string]bool {
	names := map[string]bool{}
	for _, v := range e.Values {
		names[v.Name] = true
	}
	return names
}

func branchName(part string) (string, bool) {
	if len(part) > 0 && part[0] == '=' {
		return part[1:], true
	}
	return "", false
}

// values returns the values of an enum, those of the newest release first.
func (m *merger) values(n *node) []*schema.EnumValue {
	var values []*schema.EnumValue
	seen := map[string]bool{}
	for _, c := range slices.Backward(n.comps) {
		e, ok := c.typ.(*schema.Enum)
		if !ok {
			continue
		}
		for _, v := range e.Values {
			if !seen[v.Name] {
				seen[v.Name] = true
				values = append(values, v)
			}
		}
	}
	return values
}

// below calls f for each node that can be reached from a place.
func (w *wire) below(at string, comps []comp, f func(key string)) {
	seen := map[string]bool{}
	var visit func(at string, comps []comp)
	visit = func(at string, comps []comp) {
		if len(comps) == 0 {
			return
		}
		for key := range w.resolve(at, comps).nodes {
			if seen[key] {
				continue
			}
			seen[key] = true
			f(key)
			for _, p := range w.places(w.nodes[key]) {
				visit(p.at, p.comps)
			}
		}
	}
	visit(at, comps)
}

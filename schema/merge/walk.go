package merge

import (
	"slices"

	"github.com/goqapi/goqapi/schema"
)

// A walker goes from places to nodes, and from nodes to their places.
type walker struct {
	*merger
	before map[string]*node
	queue  []string
	done   map[string]bool
	folded map[comp]bool // the types that are already part of a node
	quiet  bool          // set while types that are not on the wire are visited
}

// place records the types of a place.
func (w *walker) place(at string, comps []comp) {
	if len(comps) == 0 {
		return
	}
	for key, list := range w.resolve(at, comps).nodes {
		n := w.node(key)
		n.add(list...)
		n.wired = n.wired || !w.quiet
		for _, c := range list {
			w.folded[c] = true
		}
		w.enter(key)
	}
}

func (w *walker) enter(key string) {
	if !w.done[key] {
		w.done[key] = true
		w.queue = append(w.queue, key)
	}
}

// drain visits all nodes that were entered.
func (w *walker) drain() {
	for len(w.queue) > 0 {
		n := &node{key: w.queue[0]}
		if before := w.before[n.key]; before != nil {
			n.add(before.comps...)
		}
		n.add(w.nodes[n.key].comps...) // what is new in this step
		w.queue = w.queue[1:]
		for _, p := range w.places(n) {
			w.place(p.at, p.comps)
		}
	}
}

// A place is where a value of some type is: a member, or a branch.
type place struct {
	name, at string
	comps    []comp
	// newest is the *schema.Member, *schema.Branch or *schema.AltBranch of the newest
	// release that has it.
	newest   any
	optional bool // set for a member that is optional in some release
	here     comp // the type at one place of one release
}

// places returns the members and branches of a node, in its order.
func (m *merger) places(n *node) []place {
	switch n.newest().(type) {
	case *schema.Struct:
		return m.members(n)
	case *schema.Union:
		return append(m.members(n), m.branches(n)...)
	case *schema.Alternate:
		return m.forms(n)
	}
	return nil
}

// ordered collects places by name, those of the newest release first.
type ordered struct {
	list  []place
	index map[string]int
}

func (o *ordered) add(key, name string, c comp, part any) *place {
	i, ok := o.index[name]
	if !ok {
		if o.index == nil {
			o.index = map[string]int{}
		}
		i = len(o.list)
		o.index[name] = i
		o.list = append(o.list, place{name: name, at: key + "." + name, newest: part})
	}
	o.list[i].comps = slices.Insert(o.list[i].comps, 0, c)
	return &o.list[i]
}

// members returns the members of a struct, or those that all variants of a union have.
func (m *merger) members(n *node) []place {
	var o ordered
	for _, c := range slices.Backward(n.comps) {
		var elsewhere map[string]bool
		if union, ok := n.newest().(*schema.Union); ok && !isUnion(c.typ) {
			elsewhere = inVariants(union)
		}
		for _, member := range allMembers(c.typ) {
			if !elsewhere[member.Name] {
				p := o.add(n.key, member.Name, comp{c.release, member.Type}, member)
				p.optional = p.optional || member.Optional
			}
		}
	}
	return o.list
}

func isUnion(t schema.Type) bool {
	_, ok := t.(*schema.Union)
	return ok
}

// inVariants returns the members that only variants of a union have. If an older release has
// a struct with these members instead of the union, a client finds them in Unknown, since
// the tag is missing as well.
func inVariants(union *schema.Union) map[string]bool {
	names := map[string]bool{}
	for _, b := range union.Branches {
		for _, m := range allMembers(b.Type) {
			names[m.Name] = true
		}
	}
	for _, m := range union.Base.AllMembers() {
		delete(names, m.Name)
	}
	return names
}

// allMembers returns the members of an object type, without those of variants.
func allMembers(t schema.Type) []*schema.Member {
	switch t := t.(type) {
	case *schema.Struct:
		return t.AllMembers()
	case *schema.Union:
		return t.Base.AllMembers()
	}
	return nil
}

// branches returns the branches of a union.
func (m *merger) branches(n *node) []place {
	var o ordered
	for _, c := range slices.Backward(n.comps) {
		if u, ok := c.typ.(*schema.Union); ok {
			for _, b := range u.Branches {
				o.add(n.key, "="+b.Name, comp{c.release, b.Type}, b)
			}
		}
	}
	return o.list
}

// forms returns the branches of an alternate. The type that the place had before it was an
// alternate is added to the branch of its kind.
func (m *merger) forms(n *node) []place {
	var o ordered
	for _, c := range slices.Backward(n.comps) {
		if a, ok := c.typ.(*schema.Alternate); ok {
			for _, b := range a.Branches {
				o.add(n.key, "="+b.Name, comp{c.release, b.Type}, b)
			}
		}
	}
	for _, c := range slices.Backward(n.comps) {
		if _, ok := c.typ.(*schema.Alternate); ok {
			continue
		}
		i := slices.IndexFunc(o.list, func(p place) bool {
			return schema.KindOf(p.comps[len(p.comps)-1].typ) == schema.KindOf(c.typ)
		})
		if i < 0 {
			m.conflict(n.key, "%s is not one of its forms", c.typ.TypeName())
			continue
		}
		o.list[i].comps = slices.Insert(o.list[i].comps, 0, c)
	}
	for i := range o.list {
		slices.SortStableFunc(o.list[i].comps, func(a, b comp) int { return a.release - b.release })
	}
	return o.list
}

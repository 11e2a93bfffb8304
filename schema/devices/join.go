package devices

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Join combines the lists of several binaries of a release into one. If two lists have the same
// target, the later one counts. A property that all types below a parent have moves to the parent;
// if the children differ in its form, the parent gets the most frequent form.
func Join(lists ...*List) (*List, error) {
	if len(lists) == 0 {
		return &List{}, nil
	}
	latest := map[string]*List{}
	binaries := map[string]Binary{}
	for _, l := range lists {
		if l.Release != lists[0].Release {
			return nil, fmt.Errorf("one list is of QEMU %s, another one of QEMU %s", lists[0].Release, l.Release)
		}
		for _, b := range l.Binaries {
			latest[b.Target], binaries[b.Target] = l, b
		}
	}
	joined := &List{Release: lists[0].Release}
	f := forest{}
	for _, target := range slices.SortedFunc(maps.Keys(latest), compareTargets) {
		joined.Binaries = append(joined.Binaries, binaries[target])
		if err := f.add(latest[target], target); err != nil {
			return nil, err
		}
	}
	for _, root := range f.link() {
		root.shareFacts()
		root.hoist()
		root.settle(nil)
	}
	for _, n := range f {
		n.Targets = shorten(n.has, joined.Targets())
		n.AliasTargets = shorten(n.aliased, n.has)
		joined.Types = append(joined.Types, n.Type)
	}
	sortTypes(joined.Types)
	return joined, nil
}

// shorten returns targets, or nil if there are none, or if they are all targets.
func shorten(targets, all []string) []string {
	if len(targets) == len(all) || len(targets) == 0 {
		return nil
	}
	return targets
}

// A forest has the types of all binaries, by name.
type forest map[string]*node

// A node is a type with its place in the tree.
type node struct {
	*Type
	children []*node
	has      []string // the targets that have it
	aliased  []string // the targets that know the alias
	// known has all properties by target, and then by name: for a device, those that QEMU lists;
	// for an abstract type, those that all its children have.
	known map[string]map[string]form
}

// A form is everything that describes a property, except its name.
type form struct {
	typ, def string
	kind     Kind
	readOnly bool
	absent   bool
}

func formOf(p Prop) form { return form{p.Type, p.Default, p.Kind, p.ReadOnly, p.Absent} }

func (f form) prop(name string, targets []string) Prop {
	return Prop{Name: name, Type: f.typ, Kind: f.kind, Default: f.def, ReadOnly: f.readOnly, Absent: f.absent, Targets: targets}
}

// compareForms orders forms, so that no result depends on the order of a map.
func compareForms(a, b form) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) }

// add adds the types that a list has for a target.
func (f forest) add(l *List, target string) error {
	for _, t := range l.Types {
		if !slices.Contains(l.TargetsOf(t), target) {
			continue
		}
		n := f[t.Name]
		if n == nil {
			n = &node{Type: &Type{Name: t.Name, Parent: t.Parent, Abstract: t.Abstract, NoUser: t.NoUser, Bus: t.Bus, Category: t.Category}, known: map[string]map[string]form{}}
			f[t.Name] = n
		}
		if n.Parent != t.Parent || n.Abstract != t.Abstract || n.NoUser != t.NoUser || !t.Abstract && (n.Bus != t.Bus || n.Category != t.Category) {
			return fmt.Errorf("type %s: target %s describes it differently than target %s", t.Name, target, n.has[0])
		}
		n.has = append(n.has, target)
		if t.Alias != "" && (t.AliasTargets == nil || slices.Contains(t.AliasTargets, target)) {
			if n.Alias != "" && n.Alias != t.Alias {
				return fmt.Errorf("type %s: its alias on target %s is %s, on %s it is %s", t.Name, target, t.Alias, n.aliased[0], n.Alias)
			}
			n.Alias = t.Alias
			n.aliased = append(n.aliased, target)
		}
		n.addProps(l, t, target)
	}
	return nil
}

func (n *node) addProps(l *List, t *Type, target string) {
	if slices.Contains(t.Unasked, target) {
		n.Unasked = append(n.Unasked, target)
		return
	}
	props := l.PropsOn(t, target)
	if t.Abstract || t.NoUser && len(props) == 0 {
		return // hoist computes its properties from its children: QEMU cannot be asked about a type that cannot be created
	}
	n.known[target] = map[string]form{}
	for _, p := range props {
		n.known[target][p.Name] = formOf(p)
	}
}

// link connects the nodes into trees, and returns the roots.
func (f forest) link() (roots []*node) {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		n := f[name]
		if parent := f[n.Parent]; parent != nil {
			parent.children = append(parent.children, n)
		} else {
			roots = append(roots, n)
		}
	}
	return roots
}

// shareFacts gives an abstract type the bus and the category that most of its children have.
func (n *node) shareFacts() {
	buses, categories := map[string]int{}, map[string]int{}
	for _, c := range n.children {
		c.shareFacts()
		buses[c.Bus]++
		categories[c.Category]++
	}
	if n.Abstract {
		n.Bus = majority(buses, len(n.children))
		n.Category = majority(categories, len(n.children))
	}
}

// majority returns the value that more than half of the children have; empty if there is none.
func majority(count map[string]int, all int) string {
	for value, n := range count {
		if 2*n > all {
			return value
		}
	}
	return ""
}

// hoist computes the properties of abstract types: those that all their children have.
func (n *node) hoist() {
	for _, c := range n.children {
		c.hoist()
	}
	if !n.Abstract {
		return
	}
	everywhere := map[string]votes{}
	perTarget := map[string]map[string]votes{}
	members := map[string]int{}
	for _, c := range n.children {
		for target, props := range c.known {
			members[target]++
			if perTarget[target] == nil {
				perTarget[target] = map[string]votes{}
			}
			for name, f := range props {
				vote(everywhere, name, f)
				vote(perTarget[target], name, f)
			}
		}
	}
	// If there is only one child, its properties count as common only if they are also common on
	// another target.
	shared := map[string]bool{}
	for target, byName := range perTarget {
		for name, v := range byName {
			if v.sum() == members[target] && (members[target] > 1 || len(n.children) == 1) {
				shared[name] = true
			}
		}
	}
	for target, byName := range perTarget {
		n.known[target] = map[string]form{}
		for name, v := range byName {
			if shared[name] && v.sum() == members[target] {
				n.known[target][name] = v.winner(everywhere[name])
			}
		}
	}
}

// votes counts, for each form of a property, the types that have it.
type votes map[form]int

func vote(byName map[string]votes, name string, f form) {
	if byName[name] == nil {
		byName[name] = votes{}
	}
	byName[name][f]++
}

func (v votes) sum() (n int) {
	for _, count := range v {
		n += count
	}
	return n
}

// winner returns the most frequent form in all, if v has it; otherwise the most frequent form in v.
func (v votes) winner(all votes) form {
	best := func(votes votes) form {
		return slices.MaxFunc(slices.Collect(maps.Keys(votes)), func(a, b form) int {
			return cmp.Or(cmp.Compare(votes[a], votes[b]), compareForms(b, a))
		})
	}
	if f := best(all); v[f] > 0 {
		return f
	}
	return best(v)
}

// settle gives a type its own properties, and then does the same for its children. inherited
// has, by target and name, the properties of the parents.
func (n *node) settle(inherited map[string]map[string]form) {
	if n.holds() {
		n.Props = n.own(inherited)
		merged := maps.Clone(n.known)
		for target, props := range inherited {
			if merged[target] == nil {
				merged[target] = props
			}
		}
		inherited = merged
	}
	for _, c := range n.children {
		c.settle(inherited)
	}
}

// holds reports whether properties of the children may be stored with the type. If an abstract
// type has only one child, they are stored with the child, where a reader looks for them.
func (n *node) holds() bool { return !n.Abstract || len(n.children) > 1 }

// own returns the properties that are not inherited.
func (n *node) own(inherited map[string]map[string]form) []Prop {
	on := map[string]map[form][]string{}
	add := func(name string, f form, target string) {
		if on[name] == nil {
			on[name] = map[form][]string{}
		}
		on[name][f] = append(on[name][f], target)
	}
	for _, target := range n.has {
		known := n.known[target]
		for name, f := range known {
			if inherited[target][name] != f {
				add(name, f, target)
			}
		}
		for name := range inherited[target] {
			if _, has := known[name]; known != nil && !has {
				add(name, form{absent: true}, target)
			}
		}
	}
	all := n.has
	if len(n.children) == 0 {
		all = slices.DeleteFunc(slices.Clone(all), func(target string) bool { return slices.Contains(n.Unasked, target) })
	}
	var props []Prop
	for name, forms := range on {
		for f, targets := range forms {
			if len(targets) == len(all) {
				targets = nil
			}
			props = append(props, f.prop(name, targets))
		}
	}
	slices.SortFunc(props, compareProps)
	return props
}

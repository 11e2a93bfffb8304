// Package merge merges the schemas of several releases into one schema, which has
// everything that any of them has on the wire.
//
// Data on the wire decides which types are the same, not their names. Commands and events
// of the same name are the same in all releases; their arguments and results correspond
// member by member, and so do the types of those members. Types that correspond become one
// type, with the name and the shape of the newest release, plus the parts that only older
// releases have. A type becomes an alias if other types have taken all of its places: it
// was renamed.
//
// The merged type of a place allows everything that any release allows: a number gets the
// wider type, and a string that became an alternate is that alternate. A member is optional
// if it is optional in any release. A member that clients send is also optional if any
// release lacks it, since that release refuses it. A member that only servers send stays
// mandatory: it is zero if a release lacks it.
package merge

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/goqapi/goqapi/schema"
)

// A Release is one of the schemas that are merged.
type Release struct {
	Name   string // such as "7.2"
	Schema *schema.Schema
}

// A Merged is a merged schema. For each of its parts it knows the releases that have it.
type Merged struct {
	*schema.Schema
	// Newest is the schema of the newest release.
	Newest *schema.Schema
	// Releases are the names of the releases, the oldest first.
	Releases []string
	// Aliases are the types that have another name now.
	Aliases []Alias

	wired map[string]bool
	has   map[string]Set            // where each definition is on the wire, by name
	part  map[string]map[string]Set // the same for its parts, including inherited ones
	plain map[string]map[string]plain
	used  map[string]bool // the rows of the tables that were needed
}

// One returns the schema of a single release as a Merged. Nothing is known about other
// releases, so Has and Part are empty.
func One(r Release) *Merged {
	return &Merged{Schema: r.Schema, Newest: r.Schema, Releases: []string{r.Name}}
}

// An Alias is the name that a type, or the arguments of a command, had in older releases.
type Alias struct {
	Old string
	// Now is the definition that has replaced it.
	Now schema.Type
	// Was is the type in the newest release that has it.
	Was schema.Type
	// WasIn is the schema of the newest release that has the name.
	WasIn *schema.Schema
	// Newer is set if Old is a name of the newest release, for a type that keeps its older name.
	Newer bool
	// Args is the command whose inline arguments the type was; then Old is empty.
	Args string
}

// Schemas merges releases, the oldest first. A single one is not changed.
func Schemas(releases []Release) (*Merged, error) {
	switch len(releases) {
	case 0:
		return nil, fmt.Errorf("no schema was given to merge")
	case 1:
		return One(releases[0]), nil
	}
	if len(releases) > maxReleases {
		return nil, fmt.Errorf("%d schemas are too many to merge: the limit is %d", len(releases), maxReleases)
	}
	m := &merger{releases: releases, renamed: map[string]string{}, named: map[string]bool{}, used: map[string]bool{}}
	for _, name := range m.names(func(schema.Definition) bool { return true }) {
		m.named[name] = true
	}
	m.seed()
	// Which type represents others depends on all types that correspond to it, so it is
	// found step by step.
	for range maxSteps {
		before := m.nodes
		m.walk(before)
		if len(m.errs) > 0 {
			return nil, m.errs
		}
		if same(before, m.nodes) && !m.rename() {
			return m.build()
		}
	}
	return nil, fmt.Errorf("matching the types of the releases %s to %s did not end", releases[0].Name, releases[len(releases)-1].Name)
}

// maxReleases is how many releases a Set can hold.
const maxReleases = 64

// maxSteps is more than the number of steps that are needed: each step finds the types that
// depend on those found in the step before.
const maxSteps = 50

// A merger finds which types correspond. Each type of the result is a node.
type merger struct {
	releases []Release
	nodes    map[string]*node
	live     map[string]bool // the nodes that are part of the result
	renamed  map[string]string
	named    map[string]bool // the names that any release has
	used     map[string]bool
	errs     schema.ErrorList
}

// A node is one type of the merged schema, with the types that it represents.
type node struct {
	key string
	// comps are the oldest first.
	comps []comp
	// wired is set if a value on the wire is of this type.
	wired bool
}

// A comp, a component of a node, is a type in one release.
type comp struct {
	release int
	typ     schema.Type
}

func (n *node) add(comps ...comp) {
	for _, c := range comps {
		i, found := slices.BinarySearchFunc(n.comps, c, func(a, b comp) int { return cmp.Compare(a.release, b.release) })
		for found && i < len(n.comps) && n.comps[i].release == c.release {
			if n.comps[i].typ == c.typ {
				break
			}
			i++
		}
		if i == len(n.comps) || n.comps[i] != c {
			n.comps = slices.Insert(n.comps, i, c)
		}
	}
}

// newest returns the type that decides the node's shape: the newest one that can hold the
// values of the others.
func (n *node) newest() schema.Type {
	best := n.comps[len(n.comps)-1].typ
	for _, c := range slices.Backward(n.comps) {
		if rank(c.typ) > rank(best) {
			best = c.typ
		}
	}
	return best
}

func rank(t schema.Type) int {
	switch t.(type) {
	case *schema.Alternate:
		return 3
	case *schema.Union:
		return 2
	case *schema.Struct, *schema.Enum:
		return 1
	}
	return 0
}

// seed makes a node for every name of a type: types with the same name correspond.
func (m *merger) seed() {
	m.nodes = map[string]*node{}
	for i, r := range m.releases {
		for _, def := range r.Schema.Definitions() {
			if t, ok := def.(schema.Type); ok {
				m.node(def.Def().Name).add(comp{i, t})
			}
			if u, ok := def.(*schema.Union); ok && u.Tag().Implicit {
				m.node(u.Tag().Name).add(comp{i, u.Tag()})
			}
		}
	}
}

func (m *merger) node(key string) *node {
	n := m.nodes[key]
	if n == nil {
		n = &node{key: key}
		m.nodes[key] = n
	}
	return n
}

// rename finds the types that the newest release has under another name, although some
// places of the older name are gone. It reports whether it has found any.
func (m *merger) rename() bool {
	newest := m.releases[len(m.releases)-1].Schema
	now := map[string]map[string]bool{} // the nodes that types of a name belong to
	for key, n := range m.nodes {
		for _, c := range n.comps {
			if name := c.typ.TypeName(); n.wired && name != key {
				if now[name] == nil {
					now[name] = map[string]bool{}
				}
				now[name][key] = true
			}
		}
	}
	found := false
	for name, keys := range now {
		n := m.nodes[name]
		if n == nil || !n.wired || newest.Lookup(name) != nil || len(keys) != 1 || isKept(name) {
			continue
		}
		for key := range keys {
			m.renamed[name], found = key, true
		}
	}
	return found
}

// isKept reports whether a type keeps its older name.
func isKept(name string) bool {
	for _, older := range kept {
		if older == name {
			return true
		}
	}
	return false
}

func same(a, b map[string]*node) bool {
	for key, n := range b {
		if a[key] == nil || a[key].wired != n.wired || !slices.Equal(a[key].comps, n.comps) {
			return false
		}
	}
	return len(a) == len(b)
}

// walk goes through everything on the wire, from commands and events down, and adds
// each type to the node that it belongs to. The shape of a node is taken from before.
func (m *merger) walk(before map[string]*node) {
	m.seed()
	w := &walker{merger: m, before: before, done: map[string]bool{}, folded: map[comp]bool{}}
	for _, name := range m.names(isCall) {
		c := m.call(name)
		w.place(inPlaceKey(name), c.args)
		w.place(name+returns, c.returns)
	}
	w.drain()
	// Types that are not on the wire are kept, too: they may be used where there is no
	// schema, as for the properties of devices.
	w.quiet = true
	for i, r := range slices.Backward(m.releases) {
		for _, def := range r.Schema.Definitions() {
			t, ok := def.(schema.Type)
			if ok && !m.nodes[def.Def().Name].wired && !w.folded[comp{i, t}] {
				w.enter(def.Def().Name)
				w.drain()
			}
		}
	}
	m.live = w.done
}

const returns = "->"

func inPlaceKey(call string) string { return call + "()" }

func isCall(def schema.Definition) bool {
	switch def.(type) {
	case *schema.Command, *schema.Event:
		return true
	}
	return false
}

// names returns the names of the definitions for which of returns true in at least one
// release: those of the newest release in its order, then further ones of the release
// before it, and so on.
func (m *merger) names(of func(schema.Definition) bool) []string {
	var names []string
	seen := map[string]bool{}
	for i := range slices.Backward(m.releases) {
		for _, def := range m.releases[i].Schema.Definitions() {
			if name := def.Def().Name; of(def) && !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

// A call is a command, or an event, in all releases.
type call struct {
	defs          []schema.Definition // by release; nil if the release does not have it
	args, returns []comp
}

func (m *merger) call(name string) call {
	c := call{defs: make([]schema.Definition, len(m.releases))}
	for i, r := range m.releases {
		var args, result schema.Type
		switch def := r.Schema.Lookup(name).(type) {
		case *schema.Command:
			c.defs[i], args, result = def, def.Args, def.Returns
		case *schema.Event:
			c.defs[i], args = def, def.Data
		}
		if args != nil {
			c.args = append(c.args, comp{i, args})
		}
		if result != nil {
			c.returns = append(c.returns, comp{i, result})
		}
	}
	return c
}

package merge

import (
	"maps"
	"slices"

	"github.com/goqapi/goqapi/internal/versions"
	"github.com/goqapi/goqapi/schema"
)

// Has returns the releases that have a command or event, or a type on the wire. For a
// type that is not on the wire, it returns the releases that define it.
func (m *Merged) Has(def schema.Definition) Set { return m.has[def.Def().Name] }

// OnWire reports whether a definition is a command or an event, or a type of a value that
// one of them takes, returns or carries.
func (m *Merged) OnWire(def schema.Definition) bool { return m.wired[def.Def().Name] }

// Part returns the releases in which a definition has a member, argument or value, own or
// inherited. For a union, "=tag" is the variant of that tag.
func (m *Merged) Part(of schema.Definition, name string) Set { return m.part[of.Def().Name][name] }

// UnusedRows returns the rows of the tables of exceptions that these releases do not need.
func (m *Merged) UnusedRows() []string {
	var unused []string
	for at := range decisions {
		if !m.used[at] {
			unused = append(unused, at)
		}
	}
	for at := range always {
		if !m.used[at] {
			unused = append(unused, at)
		}
	}
	for name, older := range kept {
		if !m.used[older] || !slices.ContainsFunc(m.Aliases, func(a Alias) bool { return a.Old == name }) {
			unused = append(unused, name)
		}
	}
	slices.Sort(unused)
	return unused
}

// Plain returns the releases in which a member of an alternate type has only one form, and
// that form.
func (m *Merged) Plain(of schema.Definition, name string) (Set, schema.Type) {
	p := m.plain[of.Def().Name][name]
	return p.in, p.form
}

// A plain describes a place that is an alternate now, and had only one form in older releases.
type plain struct {
	in   Set
	form schema.Type
}

// plainParts returns the parts of a node that are alternates now and had only one form in
// older releases: those releases, and the form.
func (w *wire) plainParts(key string) map[string]plain {
	parts := map[string]plain{}
	for part, in := range w.plain[key] {
		if in &^= w.wide[key][part]; in != 0 {
			parts[part] = plain{in, w.form[key+"."+part]}
		}
	}
	return parts
}

// record records which releases have what, by the names of definitions.
func (b *builder) record() {
	for _, name := range b.names(isCall) {
		on := b.wire.has[name][""]
		b.out.has[name] = on
		key := inPlaceKey(name)
		if b.types[key] == nil {
			if c := b.call(name); len(c.args) > 0 {
				key = b.resolve(key, c.args).key
			}
		}
		parts := map[string]Set{}
		for part, has := range b.wire.has[key] {
			parts[part] = has & on
		}
		b.out.part[name] = parts
		b.out.plain[name] = b.wire.plainParts(key)
		b.out.wired[name] = true
	}
	for key := range b.types {
		n := b.nodes[key]
		if !n.wired {
			for _, c := range n.comps {
				b.wire.parts(n, c)
			}
		}
		b.out.wired[key] = n.wired
		b.out.has[key] = b.wire.on[key]
		b.out.part[key] = b.wire.has[key]
		b.out.plain[key] = b.wire.plainParts(key)
	}
}

// assume adds what a release had although its schema does not list it: what the next
// release has and does not declare as new.
func (w *wire) assume() {
	for i := range slices.Backward(w.releases[:len(w.releases)-1]) {
		for key, releases := range w.free {
			c := w.nodes[key].newest().(schema.Definition).Def()
			if releases.Has(i) && !w.on[key].Has(i) && w.on[key].Has(i+1) && w.before(c.Since, i) {
				w.on[key] = w.on[key].with(i)
				w.open[key] = w.open[key].with(i)
			}
		}
		for key, releases := range w.open {
			if releases.Has(i) {
				w.assumeParts(key, i)
			}
		}
	}
}

// assumeParts does the same for the parts of a node if the release lists none of them.
func (w *wire) assumeParts(key string, release int) {
	n := w.nodes[key]
	_, isEnum := n.newest().(*schema.Enum)
	for _, has := range w.has[key] {
		if isEnum && has.Has(release) {
			return // another place lists them
		}
	}
	for part, has := range w.has[key] {
		if has.Has(release+1) && w.before(w.since(n, part), release) {
			w.has[key][part] = has.with(release)
		}
	}
}

// before reports whether something existed in a release; if since is not known, it returns true.
func (w *wire) before(since string, release int) bool {
	return since == "" || versions.Compare(since, w.releases[release].Name) <= 0
}

// since returns the release that introduced a part, if the schema names it. For a variant it
// is the release of the newest thing that it is made of.
func (w *wire) since(n *node, part string) string {
	for _, c := range slices.Backward(n.comps) {
		switch t := c.typ.(type) {
		case *schema.Enum:
			if v := t.Value(part); v != nil {
				if v.Since != "" {
					return v.Since
				}
				return w.branchSince(t, part)
			}
		case *schema.Union:
			if name, ok := branchName(part); ok {
				if v := t.Tag().Value(name); v != nil && v.Since != "" {
					return v.Since
				}
				return w.branchSince(t.Tag(), name)
			}
		}
		for _, m := range allMembers(c.typ) {
			if m.Name == part {
				return m.Since
			}
		}
	}
	return ""
}

// branchSince returns the release that introduced the type that a value of a tag selects.
func (w *wire) branchSince(tag *schema.Enum, value string) string {
	for _, key := range slices.Sorted(maps.Keys(w.free)) {
		u, ok := w.nodes[key].newest().(*schema.Union)
		if !ok || u.Tag().Name != tag.Name {
			continue
		}
		if b := u.Branch(value); b != nil {
			return b.Type.(schema.Definition).Def().Since
		}
	}
	return ""
}

// missing reports whether a node lacks a part in some release.
func (w *wire) missing(key, part string) bool { return w.has[key][part] != w.on[key] }

// alias finds the names that no longer exist although the types that they named do.
func (b *builder) alias() {
	under := b.olderNames()
	for _, name := range slices.Sorted(maps.Keys(under)) {
		// The places of the last release that has the name decide.
		last := -1
		for _, on := range under[name] {
			last = max(last, on.Last())
		}
		var now []string
		for key, on := range under[name] {
			if on.Has(last) {
				now = append(now, key)
			}
		}
		if len(now) != 1 {
			continue
		}
		b.out.Aliases = append(b.out.Aliases, Alias{
			Old: name, Now: b.types[now[0]], Was: b.meaning(name), WasIn: b.releases[last].Schema, Newer: kept[name] == now[0],
		})
	}
	for _, name := range b.names(isCall) {
		c := b.call(name)
		if len(c.args) == 0 || b.types[inPlaceKey(name)] != nil {
			continue
		}
		if st, ok := c.args[0].typ.(*schema.Struct); ok && st.Implicit && b.isCommand(c) {
			b.out.Aliases = append(b.out.Aliases, Alias{Args: name, Now: b.argsOf(name, c), Was: st})
		}
	}
}

func (b *builder) isCommand(c call) bool {
	_, ok := c.defs[b.lastOf(c.defs)].(*schema.Command)
	return ok
}

// olderNames returns the names that types had in older releases and that no type has now. For
// each name it returns the nodes to which it belonged, and in which releases.
func (b *builder) olderNames() map[string]map[string]Set {
	under := map[string]map[string]Set{}
	for key := range b.types {
		n := b.nodes[key]
		for _, c := range n.comps {
			name := c.typ.TypeName()
			if _, builtin := c.typ.(schema.Builtin); builtin || name == "" || b.types[name] != nil || classOf(c.typ) != classOf(n.newest()) {
				continue
			}
			if under[name] == nil {
				under[name] = map[string]Set{}
			}
			under[name][key] = under[name][key].with(c.release)
		}
	}
	return under
}

// meaning returns the type that a name had: the newest definition, and all values of an enum.
func (b *builder) meaning(name string) schema.Type {
	var newest schema.Type
	var values []*schema.EnumValue
	seen := map[string]bool{}
	for _, r := range slices.Backward(b.releases) {
		t, ok := r.Schema.Lookup(name).(schema.Type)
		if !ok {
			continue
		}
		if newest == nil {
			newest = t
		}
		if e, ok := t.(*schema.Enum); ok {
			for _, v := range e.Values {
				if !seen[v.Name] {
					seen[v.Name] = true
					values = append(values, v)
				}
			}
		}
	}
	if e, ok := newest.(*schema.Enum); ok {
		all := *e
		all.Values = values
		return &all
	}
	return newest
}

package merge

import (
	"slices"

	"github.com/goqapi/goqapi/schema"
)

// A builder makes the merged schema from the nodes.
type builder struct {
	*merger
	wire    *wire
	types   map[string]schema.Type // by node
	derived map[string][]string    // the nodes that have a base, by its name
	filled  map[string]bool
	made    map[string]map[string]*schema.Member // by node
	modules map[string]*schema.Module
	out     *Merged
}

func (m *merger) build() (*Merged, error) {
	b := &builder{
		merger: m, wire: m.wire(), types: map[string]schema.Type{},
		derived: map[string][]string{}, filled: map[string]bool{}, made: map[string]map[string]*schema.Member{}, modules: map[string]*schema.Module{},
		out: &Merged{Newest: m.releases[len(m.releases)-1].Schema, wired: map[string]bool{}, has: map[string]Set{}, part: map[string]map[string]Set{},
			plain: map[string]map[string]plain{}, used: m.used},
	}
	for _, r := range m.releases {
		b.out.Releases = append(b.out.Releases, r.Name)
	}
	b.wire.assume()
	for key := range m.live {
		b.types[key] = shell(key, m.nodes[key].newest())
		for base := baseOf(m.nodes[key].newest()); base != nil; base = base.Base {
			b.derived[base.Name] = append(b.derived[base.Name], key)
		}
	}
	for key := range b.types {
		if !b.onlyBase(key) {
			b.fill(key)
		}
	}
	b.define()
	b.record()
	b.alias()
	if len(m.errs) > 0 {
		return nil, m.errs
	}
	return b.out, nil
}

// shell returns an empty definition of the same kind.
func shell(key string, t schema.Type) schema.Type {
	common := *t.(schema.Definition).Def()
	if common.Name != "" {
		common.Name = key
	}
	switch t := t.(type) {
	case *schema.Enum:
		return &schema.Enum{Common: common, Prefix: t.Prefix, Implicit: t.Implicit}
	case *schema.Struct:
		return &schema.Struct{Common: common, Implicit: t.Implicit}
	case *schema.Union:
		return &schema.Union{Common: common, Simple: t.Simple}
	case *schema.Alternate:
		return &schema.Alternate{Common: common}
	}
	panic("no node is of " + t.TypeName())
}

// baseOf returns the base that an object type names, or nil.
func baseOf(t schema.Type) *schema.Struct {
	var base *schema.Struct
	switch t := t.(type) {
	case *schema.Struct:
		base = t.Base
	case *schema.Union:
		base = t.Base
	}
	if base != nil && base.Implicit {
		return nil
	}
	return base
}

// onlyBase reports whether a type is used only as a base: no value on the wire is of this type.
func (b *builder) onlyBase(key string) bool {
	return !b.nodes[key].wired && len(b.derived[key]) > 0
}

// fill makes the parts of a definition, once.
func (b *builder) fill(key string) {
	if b.filled[key] {
		return
	}
	b.filled[key] = true
	n := b.nodes[key]
	switch t := b.types[key].(type) {
	case *schema.Enum:
		for _, v := range b.values(n) {
			value := *v
			t.Values = append(t.Values, &value)
		}
	case *schema.Struct:
		t.Base = b.base(n)
		t.Members = b.own(n, t.Base)
	case *schema.Union:
		newest := n.newest().(*schema.Union)
		base := b.base(n)
		t.Base = base
		if own := b.own(n, base); base == nil || len(own) > 0 {
			t.Base = &schema.Struct{Base: base, Members: own, Implicit: true}
		}
		for _, m := range t.Base.AllMembers() {
			if m.Name == newest.Discriminator.Name {
				t.Discriminator = m
			}
		}
		for _, p := range b.branches(n) {
			branch := *p.newest.(*schema.Branch)
			branch.Type = b.typeAt(p)
			t.Branches = append(t.Branches, &branch)
		}
	case *schema.Alternate:
		for _, p := range b.forms(n) {
			form := *p.newest.(*schema.AltBranch)
			form.Type = b.typeAt(p)
			t.Branches = append(t.Branches, &form)
		}
	}
}

// typeAt returns the type of a place in the merged schema.
func (b *builder) typeAt(p place) schema.Type {
	return b.typeOf(b.resolve(p.at, p.comps))
}

func (b *builder) typeOf(r resolved) schema.Type {
	switch {
	case r.elem != nil:
		return &schema.Array{Elem: b.typeOf(*r.elem)}
	case r.key != "":
		return b.types[r.key]
	}
	return r.builtin
}

// base returns the base of a node in the newest release; nil if it has none, or if the node
// lacks some of the base's members in other releases.
func (b *builder) base(n *node) *schema.Struct {
	named := baseOf(n.newest())
	if named == nil {
		return nil
	}
	base := b.types[named.Name].(*schema.Struct)
	if b.onlyBase(named.Name) {
		b.fillBase(named, base)
	} else {
		b.fill(named.Name)
	}
	for _, m := range base.AllMembers() {
		if own := b.member(n, m.Name); own == nil || own.Optional != m.Optional || !sameType(own.Type, m.Type) {
			return nil
		}
	}
	return base
}

// fillBase fills a type that is used only as a base with the members that all types based
// on it have.
func (b *builder) fillBase(named, base *schema.Struct) {
	if b.filled[named.Name] {
		return
	}
	b.filled[named.Name] = true
	if named.Base != nil {
		base.Base = b.types[named.Base.Name].(*schema.Struct)
		if b.onlyBase(named.Base.Name) {
			b.fillBase(named.Base, base.Base)
		} else {
			b.fill(named.Base.Name)
		}
	}
	inherited := memberNames(base.Base.AllMembers())
	for _, p := range b.members(b.nodes[named.Name]) {
		if inherited[p.name] {
			continue
		}
		if m := b.shared(b.derived[named.Name], p.name); m != nil {
			base.Members = append(base.Members, m)
		}
	}
}

// shared returns the member with a name that all nodes have; nil if not all have one.
func (b *builder) shared(keys []string, name string) *schema.Member {
	var first *schema.Member
	for _, key := range keys {
		if b.onlyBase(key) {
			continue
		}
		m := b.member(b.nodes[key], name)
		switch {
		case m == nil:
			return nil
		case first == nil:
			first = m
		case m.Optional != first.Optional || !sameType(m.Type, first.Type):
			return nil
		}
	}
	return first
}

func sameType(a, b schema.Type) bool {
	x, isList := a.(*schema.Array)
	y, areLists := b.(*schema.Array)
	if isList && areLists {
		return sameType(x.Elem, y.Elem)
	}
	return a == b
}

func memberNames(list []*schema.Member) map[string]bool {
	names := map[string]bool{}
	for _, m := range list {
		names[m.Name] = true
	}
	return names
}

// own returns the members of a node that its base does not have.
func (b *builder) own(n *node, base *schema.Struct) []*schema.Member {
	inherited := memberNames(base.AllMembers())
	var own []*schema.Member
	for _, p := range b.members(n) {
		if !inherited[p.name] {
			own = append(own, b.member(n, p.name))
		}
	}
	return own
}

// member makes a member of a node; nil if it has none with the name.
func (b *builder) member(n *node, name string) *schema.Member {
	if b.made[n.key] == nil {
		b.made[n.key] = map[string]*schema.Member{}
		for _, p := range b.members(n) {
			m := *p.newest.(*schema.Member)
			m.Optional = (p.optional || b.wire.sent[n.key] && b.wire.missing(n.key, p.name)) && !b.isAlways(p.at)
			m.Type = b.typeAt(p)
			b.made[n.key][p.name] = &m
		}
	}
	return b.made[n.key][name]
}

func (b *builder) isAlways(at string) bool {
	if always[at] == "" {
		return false
	}
	b.used[at] = true
	return true
}

// define puts all definitions into modules: those of the newest release in its order,
// then what only older ones have.
func (b *builder) define() {
	var modules []*schema.Module
	for _, r := range slices.Backward(b.releases) {
		for _, m := range r.Schema.Modules {
			if b.modules[m.Path] == nil {
				b.modules[m.Path] = &schema.Module{Path: m.Path}
				modules = append(modules, b.modules[m.Path])
			}
		}
	}
	all := func(schema.Definition) bool { return true }
	for _, name := range b.names(all) {
		def := b.definition(name)
		if def == nil {
			continue
		}
		c := def.Def()
		c.Module = b.modules[c.Module.Path]
		c.Module.Definitions = append(c.Module.Definitions, def)
	}
	for _, t := range b.types { // aliases for which no definition exists
		if def := t.(schema.Definition).Def(); def.Module != nil {
			def.Module = b.modules[def.Module.Path]
		}
	}
	modules = slices.DeleteFunc(modules, func(m *schema.Module) bool { return len(m.Definitions) == 0 })
	b.out.Schema = schema.Assemble(modules)
}

// definition returns the definition with a name; nil if the name has another meaning now.
func (b *builder) definition(name string) schema.Definition {
	if t := b.types[name]; t != nil {
		return t.(schema.Definition)
	}
	c := b.call(name)
	newest := b.lastOf(c.defs)
	if newest < 0 {
		return nil
	}
	args := b.argsOf(name, c)
	switch def := c.defs[newest].(type) {
	case *schema.Command:
		command := *def
		command.Args, command.Returns = args, nil
		if len(c.returns) > 0 {
			command.Returns = b.typeOf(b.resolve(name+returns, c.returns))
		}
		return &command
	case *schema.Event:
		event := *def
		event.Data = args
		return &event
	}
	return nil
}

func (b *builder) argsOf(name string, c call) schema.Type {
	if len(c.args) == 0 {
		return nil
	}
	return b.typeOf(b.resolve(inPlaceKey(name), c.args))
}

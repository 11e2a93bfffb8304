package schema

import (
	"fmt"
	"path"
	"strings"
)

// Format writes a module of the schema in the QAPI language. It writes only the facts:
// comments contain the names and releases that Load reads from them, and no other text.
// Loading the output for all modules gives an equal schema, except for positions, texts
// of documentation and the pragmas about documentation.
//
// A schema of QEMU 5.2 or older, or one with a construct that only older releases have,
// such as simple unions, is written in the language of its time; any other schema is
// written in that of QEMU 9.0 and later.
func (s *Schema) Format(m *Module) []byte {
	p := &printer{schema: s, old: s.oldForm}
	p.module(m)
	return []byte(p.out.String())
}

const (
	pageWidth = 76
	indented  = 2
)

type printer struct {
	out    strings.Builder
	schema *Schema
	old    bool // set for the language of QEMU 5.2
}

func (p *printer) module(m *Module) {
	p.out.WriteString("# The facts of a QAPI schema, written by goqapi. Do not edit.\n")
	if len(m.Includes) > 0 {
		p.out.WriteByte('\n')
	}
	for _, inc := range m.Includes {
		p.top(object("include", str(relative(path.Dir(m.Path), inc.Path))))
	}
	if m == p.schema.pragmas {
		p.pragmas()
	}
	for _, def := range m.Definitions {
		p.out.WriteByte('\n')
		p.doc(def)
		p.top(p.definition(def))
	}
}

// relative returns the path from a folder to a file, both below the same root.
func relative(dir, file string) string {
	up := ""
	for dir != "." && !strings.HasPrefix(file, dir+"/") {
		up += "../"
		dir = path.Dir(dir)
	}
	if dir == "." {
		return up + file
	}
	return up + strings.TrimPrefix(file, dir+"/")
}

func (p *printer) pragmas() {
	from := &p.schema.Pragmas
	set := object()
	add := func(name string, list []string) {
		if len(list) == 0 {
			return
		}
		set.add(name, strs(list))
	}
	if p.old {
		set.add("returns-whitelist", strs(from.CommandReturnsExceptions)) // written even if it is empty, since it shows the era
		add("name-case-whitelist", from.MemberNameExceptions)
		add("command-name-exceptions", from.CommandNameExceptions) // of 6.0 and 6.1
	} else {
		add("command-name-exceptions", from.CommandNameExceptions)
		add("command-returns-exceptions", from.CommandReturnsExceptions)
		add("member-name-exceptions", from.MemberNameExceptions)
		add("documentation-exceptions", p.undocumented())
	}
	if len(set.keys) > 0 {
		p.out.WriteByte('\n')
		p.top(object("pragma", set))
	}
}

// undocumented lists the definitions whose documentation leaves members out.
func (p *printer) undocumented() []string {
	var names []string
	for _, def := range p.schema.Definitions() {
		if !hasFacts(def) {
			continue
		}
		for _, t := range docMembers(def) {
			if *t.since == "" {
				names = append(names, def.Def().Name)
				break
			}
		}
	}
	return names
}

// hasFacts reports whether there are facts to write in a comment.
func hasFacts(def Definition) bool {
	if def.Def().Since != "" {
		return true
	}
	for _, t := range docMembers(def) {
		if *t.since != "" {
			return true
		}
	}
	for _, f := range allFeatures(def) {
		if f.Since != "" {
			return true
		}
	}
	return false
}

// allFeatures returns the features of a definition and of its parts.
func allFeatures(def Definition) []*Feature {
	list := def.Def().Features
	list = list[:len(list):len(list)]
	if e, ok := def.(*Enum); ok {
		for _, v := range e.Values {
			list = append(list, v.Features...)
		}
	}
	for _, m := range ownMembers(def) {
		list = append(list, m.Features...)
	}
	return list
}

// doc writes the facts that only comments hold.
func (p *printer) doc(def Definition) {
	if !hasFacts(def) {
		return
	}
	line := func(format string, args ...any) {
		fmt.Fprintf(&p.out, "# "+format+"\n", args...)
	}
	p.out.WriteString("##\n")
	line("@%s:", def.Def().Name)
	for _, t := range docMembers(def) {
		if *t.since != "" {
			p.out.WriteString("#\n")
			line("@%s: (since %s)", t.name, *t.since)
		}
	}
	seen := make(map[string]bool)
	for _, f := range allFeatures(def) {
		if seen[f.Name] {
			continue
		}
		if len(seen) == 0 {
			p.out.WriteString("#\n# Features:\n")
		}
		seen[f.Name] = true
		p.out.WriteString("#\n")
		if f.Since != "" {
			line("@%s: (since %s)", f.Name, f.Since)
		} else {
			line("@%s: -", f.Name)
		}
	}
	if since := def.Def().Since; since != "" {
		p.out.WriteString("#\n")
		line("Since: %s", since)
	}
	p.out.WriteString("##\n")
}

// definition returns the syntax of a definition.
func (p *printer) definition(def Definition) *node {
	c := def.Def()
	n := object(def.Kind(), str(c.Name))
	switch def := def.(type) {
	case *Enum:
		data := list()
		for _, v := range def.Values {
			data.elems = append(data.elems, p.short(p.marked("name", str(v.Name), v.If, v.Features)))
		}
		n.add("data", data)
		if def.Prefix != "" {
			n.add("prefix", str(def.Prefix))
		}
	case *Struct:
		if def.Base != nil {
			n.add("base", str(def.Base.Name))
		}
		n.add("data", p.members(def.Members))
	case *Union:
		if !def.Simple {
			if def.Base.Implicit {
				n.add("base", p.members(def.Base.Members))
			} else {
				n.add("base", str(def.Base.Name))
			}
			n.add("discriminator", str(def.Discriminator.Name))
		}
		data := object()
		for _, b := range def.Branches {
			t := b.Type
			if def.Simple {
				t = t.(*Struct).Members[0].Type
			}
			data.add(b.Name, p.short(p.marked("type", typeNode(t), b.If, nil)))
		}
		n.add("data", data)
	case *Alternate:
		data := object()
		for _, b := range def.Branches {
			data.add(b.Name, p.short(p.marked("type", typeNode(b.Type), b.If, nil)))
		}
		n.add("data", data)
	case *Command:
		p.arguments(n, def.Args)
		if def.Returns != nil {
			n.add("returns", typeNode(def.Returns))
		}
		n.flag("boxed", def.Boxed, true)
		n.flag("gen", def.Gen, false)
		n.flag("success-response", def.SuccessResponse, false)
		n.flag("allow-oob", def.AllowOOB, true)
		n.flag("allow-preconfig", def.AllowPreconfig, true)
		n.flag("coroutine", def.Coroutine, true)
	case *Event:
		p.arguments(n, def.Data)
		n.flag("boxed", def.Boxed, true)
	}
	return p.marks(n, c.If, c.Features)
}

func (p *printer) arguments(n *node, t Type) {
	switch s, ok := t.(*Struct); {
	case t == nil:
	case ok && s.Implicit:
		n.add("data", p.members(s.Members))
	default:
		n.add("data", typeNode(t))
	}
}

func (p *printer) members(members []*Member) *node {
	n := object()
	for _, m := range members {
		name := m.Name
		if m.Optional {
			name = "*" + name
		}
		n.add(name, p.short(p.marked("type", typeNode(m.Type), m.If, m.Features)))
	}
	return n
}

// marked returns an object with its main key, and the keys for features and conditions.
func (p *printer) marked(key string, value *node, cond *Cond, features []*Feature) *node {
	return p.marks(object(key, value), cond, features)
}

func (p *printer) marks(n *node, cond *Cond, features []*Feature) *node {
	if cond != nil {
		n.add("if", p.cond(cond))
	}
	if len(features) > 0 {
		l := list()
		for _, f := range features {
			l.elems = append(l.elems, p.short(p.marked("name", str(f.Name), f.If, nil)))
		}
		n.add("features", l)
	}
	return n
}

// short returns the short form of an object that has only its main key.
func (p *printer) short(n *node) *node {
	if len(n.keys) == 1 {
		return n.elems[0]
	}
	return n
}

func (p *printer) cond(c *Cond) *node {
	if p.old {
		return str(c.cExpression())
	}
	conds := func(conds []*Cond) *node {
		l := list()
		for _, c := range conds {
			l.elems = append(l.elems, p.cond(c))
		}
		return l
	}
	switch {
	case c.Not != nil:
		return object("not", p.cond(c.Not))
	case c.All != nil:
		return object("all", conds(c.All))
	case c.Any != nil:
		return object("any", conds(c.Any))
	default:
		return str(c.Symbol)
	}
}

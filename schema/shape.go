package schema

import (
	"slices"
	"strings"
)

// A typeRef is a type's name that has not been resolved yet.
type typeRef struct {
	name string
	list bool
}

func (r typeRef) TypeName() string {
	if r.list {
		return "[" + r.name + "]"
	}
	return r.name
}

var kinds = []string{"enum", "struct", "union", "alternate", "command", "event"}

// shape checks the form of every definition, and creates its part of the model.
func (l *loader) shape() {
	for _, d := range l.decls {
		d.exceptions = &l.exceptions
		d.era = l.era
		l.fail(d.shape(l.schema.Pragmas.DocRequired))
	}
}

func (d *decl) shape(docRequired bool) *Error {
	var kind string
	for _, k := range kinds {
		if d.node.get(k) == nil {
			continue
		}
		if kind != "" {
			return d.errorf("a definition can't be of two kinds, '%s' and '%s'", kind, k)
		}
		kind = k
	}
	if kind == "" {
		return d.errorf("a definition needs one of the keys '%s'", strings.Join(kinds, "', '"))
	}
	name := d.node.get(kind)
	if !name.isString() {
		return d.errorf("the value of '%s' must be a string, the definition's name", kind)
	}
	var required, optional []string
	var read func() *Error
	switch kind {
	case "enum":
		def := &Enum{}
		d.def, read = def, func() *Error { return d.enum(def) }
		required, optional = []string{"data"}, []string{"prefix"}
	case "struct":
		def := &Struct{}
		d.def, read = def, func() *Error { return d.structure(def) }
		required, optional = []string{"data"}, []string{"base"}
	case "union":
		def := &Union{}
		d.def, read = def, func() *Error { return d.union(def) }
		required = []string{"base", "discriminator", "data"}
		if d.isSimple() {
			required = []string{"data"}
		}
	case "alternate":
		def := &Alternate{}
		d.def, read = def, func() *Error { return d.alternate(def) }
		required = []string{"data"}
	case "command":
		def := &Command{}
		d.def, read = def, func() *Error { return d.command(def) }
		optional = []string{"data", "returns", "boxed", "gen", "success-response", "allow-oob", "allow-preconfig", "coroutine"}
	case "event":
		def := &Event{}
		d.def, read = def, func() *Error { return d.event(def) }
		optional = []string{"data", "boxed"}
	}
	c := d.def.Def()
	c.Name = name.text
	c.Module = d.file.Module
	c.Pos = Pos{File: d.node.pos.File, Line: d.node.pos.Line}
	if err := d.defName(); err != nil {
		return err
	}
	if d.doc != nil && d.doc.symbol != c.Name {
		return d.errorf("the documentation before it is about '%s'", d.doc.symbol)
	}
	if d.doc == nil && docRequired {
		return d.errorf("it has no documentation, which the pragma 'doc-required' requires")
	}
	what := "the " + kind
	if err := d.checkKeys(d.node, what, append(required, kind), append(optional, "if", "features")); err != nil {
		return err
	}
	if err := read(); err != nil {
		return err
	}
	var err *Error
	if c.If, err = d.cond(d.node, what); err != nil {
		return err
	}
	c.Features, err = d.featureList(d.node, what)
	return err
}

// checkKeys checks that an object has all required keys, and otherwise only optional
// ones.
func (d *decl) checkKeys(n *node, what string, required, optional []string) *Error {
	for _, key := range required {
		if n.get(key) == nil {
			return d.errorf("%s lacks the key '%s'", what, key)
		}
	}
	var unknown []string
	for _, key := range n.keys {
		if !slices.Contains(required, key.text) && !slices.Contains(optional, key.text) {
			unknown = append(unknown, key.text)
		}
	}
	switch len(unknown) {
	case 0:
		return nil
	case 1:
		return d.errorf("%s can't have the key '%s'", what, unknown[0])
	default:
		return d.errorf("%s can't have the keys '%s'", what, strings.Join(unknown, "', '"))
	}
}

// long returns the object form of something that can also be written as only the value
// of its main key, such as 'x' for {'name': 'x'}.
func long(n *node, key string) *node {
	if n.isObject() {
		return n
	}
	return &node{kind: '{', pos: n.pos, keys: []*node{{kind: tokString, text: key}}, elems: []*node{n}}
}

// featureList reads the 'features' of n.
func (d *decl) featureList(n *node, what string) ([]*Feature, *Error) {
	v := n.get("features")
	if v == nil {
		return nil, nil
	}
	if !v.isList() {
		return nil, d.errorf("the 'features' of %s must be a list", what)
	}
	var features []*Feature
	seen := make(map[string]bool)
	for _, e := range v.elems {
		e = long(e, "name")
		if err := d.checkKeys(e, "a feature of "+what, []string{"name"}, []string{"if"}); err != nil {
			return nil, err
		}
		name := e.get("name")
		if !name.isString() {
			return nil, d.errorf("the name of a feature of %s must be a string", what)
		}
		what := "the feature '" + name.text + "'"
		if err := d.lowerName(name.text, what, false); err != nil {
			return nil, err
		}
		cond, err := d.cond(e, what)
		if err != nil {
			return nil, err
		}
		f := &Feature{Name: name.text, Pos: name.pos, If: cond}
		if seen[mangle(f.Name)] {
			return nil, d.errorf("%s occurs twice", what)
		}
		seen[mangle(f.Name)] = true
		features = append(features, f)
	}
	d.features = append(d.features, features...)
	return features, nil
}

func (d *decl) enum(e *Enum) *Error {
	data := d.node.get("data")
	if !data.isList() {
		return d.errorf("the 'data' of an enum must be a list")
	}
	if prefix := d.node.get("prefix"); prefix != nil {
		if !prefix.isString() {
			return d.errorf("the 'prefix' must be a string")
		}
		e.Prefix = prefix.text
	}
	permissive := d.exceptions.memberName[e.Name]
	for _, n := range data.elems {
		n = long(n, "name")
		if err := d.checkKeys(n, "a value", []string{"name"}, []string{"if", "features"}); err != nil {
			return err
		}
		name := n.get("name")
		if !name.isString() {
			return d.errorf("the name of a value must be a string")
		}
		what := "the value '" + name.text + "'"
		checked := name.text
		if checked != "" && '0' <= checked[0] && checked[0] <= '9' {
			checked = "d" + checked // values may begin with a digit
		}
		if err := d.lowerName(checked, what, permissive); err != nil {
			return err
		}
		v := &EnumValue{Name: name.text, Pos: name.pos}
		var err *Error
		if v.If, err = d.cond(n, what); err != nil {
			return err
		}
		if v.Features, err = d.featureList(n, what); err != nil {
			return err
		}
		e.Values = append(e.Values, v)
	}
	return nil
}

func (d *decl) structure(s *Struct) *Error {
	data := d.node.get("data")
	if !data.isObject() {
		return d.errorf("the 'data' of a struct must be an object, its members")
	}
	var err *Error
	if s.Members, err = d.members(data); err != nil {
		return err
	}
	if base := d.node.get("base"); base != nil {
		if !base.isString() || base.text == "" {
			return d.errorf("the 'base' of a struct must be the name of a struct")
		}
		d.base = base.text
	}
	return nil
}

// members reads the members of an object, or the arguments of a command.
func (d *decl) members(data *node) ([]*Member, *Error) {
	permissive := d.exceptions.memberName[d.def.Def().Name]
	var members []*Member
	for i, key := range data.keys {
		m := &Member{Pos: key.pos}
		m.Name, m.Optional = strings.CutPrefix(key.text, "*")
		what := "the member '" + m.Name + "'"
		if err := d.lowerName(m.Name, what, permissive); err != nil {
			return nil, err
		}
		if c := mangle(m.Name); c == "u" || strings.HasPrefix(c, "has_") {
			return nil, d.errorf("%s has a name that is reserved ('u', 'has-...')", what)
		}
		n := long(data.elems[i], "type")
		if err := d.checkKeys(n, what, []string{"type"}, []string{"if", "features"}); err != nil {
			return nil, err
		}
		var err *Error
		if m.If, err = d.cond(n, what); err != nil {
			return nil, err
		}
		if m.Features, err = d.featureList(n, what); err != nil {
			return nil, err
		}
		if m.Type, err = d.typeOrList(n.get("type"), what); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, nil
}

// typeOrList reads a type's name, or a list that holds one.
func (d *decl) typeOrList(n *node, what string) (Type, *Error) {
	switch {
	case n.isString():
		return typeRef{name: n.text}, nil
	case !n.isList():
		return nil, d.errorf("the type of %s must be a type's name, or such a name in a list", what)
	case len(n.elems) != 1 || !n.elems[0].isString():
		return nil, d.errorf("the list type of %s must hold exactly one type's name", what)
	}
	return typeRef{name: n.elems[0].text, list: true}, nil
}

// isSimple reports whether a union is a simple one, which newer releases do not
// have.
func (d *decl) isSimple() bool {
	return d.era <= eraSections && d.node.get("base") == nil && d.node.get("discriminator") == nil
}

func (d *decl) union(u *Union) *Error {
	u.Simple = d.isSimple()
	if !u.Simple {
		disc := d.node.get("discriminator")
		if !disc.isString() {
			return d.errorf("the 'discriminator' must be a string, the name of a member")
		}
		d.discriminator = disc.text
		switch base := d.node.get("base"); {
		case base.isString() && base.text != "":
			d.base = base.text
		case base.isObject():
			members, err := d.members(base)
			if err != nil {
				return err
			}
			u.Base = &Struct{Members: members, Implicit: true}
		default:
			return d.errorf("the 'base' of a union must be an object, or the name of a struct")
		}
	}
	data := d.node.get("data")
	if !data.isObject() {
		return d.errorf("the 'data' of a union must be an object, its branches")
	}
	for i, key := range data.keys {
		what := "the branch '" + key.text + "'"
		n := long(data.elems[i], "type")
		if err := d.checkKeys(n, what, []string{"type"}, []string{"if"}); err != nil {
			return err
		}
		b := &Branch{Name: key.text, Pos: key.pos}
		var err *Error
		if b.If, err = d.cond(n, what); err != nil {
			return err
		}
		switch typ := n.get("type"); {
		case u.Simple:
			if err := d.lowerName(b.Name, what, false); err != nil {
				return err
			}
			if b.Type, err = d.typeOrList(typ, what); err != nil {
				return err
			}
		case typ.isString():
			b.Type = typeRef{name: typ.text}
		default:
			return d.errorf("the type of %s must be a type's name", what)
		}
		u.Branches = append(u.Branches, b)
	}
	if u.Simple {
		u.expand()
	}
	return nil
}

// expand makes the enum, base and wrappers of a simple union.
func (u *Union) expand() {
	kind := &Enum{Common: Common{Name: u.Name + "Kind", Module: u.Module, Pos: u.Pos}, Implicit: true}
	u.Discriminator = &Member{Name: "type", Pos: u.Pos, Type: kind}
	u.Base = &Struct{Members: []*Member{u.Discriminator}, Implicit: true}
	for _, b := range u.Branches {
		kind.Values = append(kind.Values, &EnumValue{Name: b.Name, Pos: b.Pos, If: b.If})
		b.Type = &Struct{Members: []*Member{{Name: "data", Pos: b.Pos, Type: b.Type}}, Implicit: true}
	}
}

func (d *decl) alternate(a *Alternate) *Error {
	data := d.node.get("data")
	if !data.isObject() {
		return d.errorf("the 'data' of an alternate must be an object, its branches")
	}
	if len(data.keys) == 0 {
		return d.errorf("an alternate needs at least one branch")
	}
	for i, key := range data.keys {
		what := "the branch '" + key.text + "'"
		if err := d.lowerName(key.text, what, false); err != nil {
			return err
		}
		n := long(data.elems[i], "type")
		if err := d.checkKeys(n, what, []string{"type"}, []string{"if"}); err != nil {
			return err
		}
		b := &AltBranch{Name: key.text, Pos: key.pos}
		var err *Error
		if b.If, err = d.cond(n, what); err != nil {
			return err
		}
		if b.Type, err = d.typeOrList(n.get("type"), what); err != nil {
			return err
		}
		a.Branches = append(a.Branches, b)
	}
	return nil
}

func (d *decl) command(c *Command) *Error {
	var err *Error
	flag := func(key string, allowed token) bool {
		v := d.node.get(key)
		if v != nil && v.kind != allowed && err == nil {
			err = d.errorf("'%s' can only be %v", key, allowed)
		}
		return v != nil
	}
	c.Gen = !flag("gen", tokFalse)
	c.SuccessResponse = !flag("success-response", tokFalse)
	c.Boxed = flag("boxed", tokTrue)
	c.AllowOOB = flag("allow-oob", tokTrue)
	c.AllowPreconfig = flag("allow-preconfig", tokTrue)
	c.Coroutine = flag("coroutine", tokTrue)
	if err != nil {
		return err
	}
	if c.AllowOOB && c.Coroutine {
		return d.errorf("'allow-oob' and 'coroutine' exclude each other")
	}
	if c.Args, err = d.arguments(c.Boxed); err != nil {
		return err
	}
	if returns := d.node.get("returns"); returns != nil {
		c.Returns, err = d.typeOrList(returns, "'returns'")
	}
	return err
}

func (d *decl) event(e *Event) *Error {
	if v := d.node.get("boxed"); v != nil {
		if v.kind != tokTrue {
			return d.errorf("'boxed' can only be true")
		}
		e.Boxed = true
	}
	var err *Error
	e.Data, err = d.arguments(e.Boxed)
	return err
}

// arguments reads the 'data' of a command or an event.
func (d *decl) arguments(boxed bool) (Type, *Error) {
	data := d.node.get("data")
	switch {
	case data == nil && boxed:
		return nil, d.errorf("'boxed' needs 'data'")
	case data == nil:
		return nil, nil
	case data.isString():
		return typeRef{name: data.text}, nil
	case boxed:
		return nil, d.errorf("the 'data' of a boxed %s must be a type's name", d.def.Kind())
	case !data.isObject():
		return nil, d.errorf("the 'data' of a %s must be an object or a type's name", d.def.Kind())
	}
	members, err := d.members(data)
	if err != nil || len(members) == 0 {
		return nil, err
	}
	return &Struct{Members: members, Implicit: true}, nil
}

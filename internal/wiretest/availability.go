package wiretest

import (
	"go/ast"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/short"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

// Availability compares the comments of the bindings with the schema of each release, for
// commands, replies, events and everything in them: a release has what a comment says that
// it has, and nothing else; and the bindings have all that a release has. It does not use the
// generator.
func (b Bindings) Availability(t *testing.T, root string) {
	t.Helper()
	src := b.source(t)
	for _, release := range short.Ends(qemu.Releases()) {
		s, err := qemu.Load(release, root)
		require.NoError(t, err)
		c := &checker{T: t, source: src, release: release, seen: map[seen]bool{}}
		for command, m := range src.commands {
			def, _ := s.Lookup(command).(*schema.Command)
			c.command(command, m, def)
		}
		for event, name := range src.events {
			def, _ := s.Lookup(event).(*schema.Event)
			c.event(event, name, def)
		}
		for _, def := range s.Commands() {
			assert.Contains(t, src.commands, def.Name, release)
		}
		for _, def := range s.Events() {
			assert.Contains(t, src.events, def.Name, release)
		}
		t.Logf("QEMU %s: %d types at their places, %d statements", release, len(c.seen), c.checked)
		assert.NotZero(t, c.checked)
	}
}

// statement is what a comment says of releases, as a sentence of its own.
var statement = regexp.MustCompile(`(?:^|[.:] )QEMU (\d+\.\d+(?: and later| to \d+\.\d+)?(?:, \d+\.\d+(?: and later| to \d+\.\d+)?)*)(?: only)?\.(?: |$)`)

// says reports whether a comment says that a release has a thing. If the comment does not
// mention releases, says returns otherwise.
func says(doc, release string, otherwise bool) bool {
	var m []string
	for paragraph := range strings.SplitSeq(doc, "\n\n") {
		if !strings.Contains(paragraph, "QEMU") { // most do not, and this is much faster
			continue
		}
		if found := statement.FindStringSubmatch(strings.Join(strings.Fields(paragraph), " ")); found != nil {
			m = found
		}
	}
	if m == nil {
		return otherwise
	}
	for span := range strings.SplitSeq(m[1], ", ") {
		from, to, ranged := strings.Cut(span, " to ")
		if first, ok := strings.CutSuffix(span, " and later"); ok {
			from, to = first, "99.9"
		} else if !ranged {
			to = from
		}
		if qemu.Compare(from, release) <= 0 && qemu.Compare(release, to) <= 0 {
			return true
		}
	}
	return false
}

// A checker compares the comments of the source with one release.
type checker struct {
	*testing.T
	*source
	release string
	seen    map[seen]bool
	checked int
}

// A seen is a Go type that stands for a type of the release.
type seen struct {
	name string
	typ  schema.Type
	open bool
}

// compare compares a comment with what the release has.
func (c *checker) compare(what, doc string, otherwise, has bool) {
	c.T.Helper()
	c.checked++
	assert.Equal(c, has, says(doc, c.release, otherwise), "QEMU %s: %s: %q", c.release, what, doc)
}

func (c *checker) command(name string, m methodDecl, def *schema.Command) {
	c.compare("command "+name, m.doc, true, def != nil)
	if def == nil {
		return
	}
	if def.Args != nil {
		c.value(m.args, def.Args, says(m.doc, c.release, true), !def.Gen)
	} else if m.args != nil {
		c.value(m.args, &schema.Struct{}, true, false)
	}
	if def.Returns != nil {
		c.value(m.result, def.Returns, true, false)
	}
}

func (c *checker) event(name, typ string, def *schema.Event) {
	c.compare("event "+name, c.types[typ].doc, true, def != nil)
	if def == nil {
		return
	}
	data := def.Data
	if data == nil {
		data = &schema.Struct{}
	}
	if field, ok := fields(c.structOf(typ))["data"]; ok && schema.KindOf(data) == schema.JSONObject {
		if _, isUnion := data.(*schema.Union); isUnion {
			c.value(field.typ, data, true, false)
			return
		}
	}
	c.object(typ, data, true, false)
}

// value checks a Go type that stands for a type of the release. If open is set, the release
// accepts more than its schema lists.
func (c *checker) value(e ast.Expr, t schema.Type, otherwise, open bool) {
	switch x := e.(type) {
	case *ast.ArrayType:
		if list, ok := t.(*schema.Array); ok {
			c.value(x.Elt, list.Elem, true, open)
		}
		return
	case *ast.StarExpr:
		c.value(x.X, t, otherwise, open)
		return
	}
	name := typeName(e)
	if name == "" || c.types[name].expr == nil || c.seen[seen{name, t, open}] {
		return
	}
	c.seen[seen{name, t, open}] = true
	if _, isAlternate := c.types[name].expr.(*ast.InterfaceType); isAlternate {
		c.alternate(name, t)
		return
	}
	switch t := t.(type) {
	case *schema.Enum:
		c.enum(name, t)
	case *schema.Struct, *schema.Union:
		c.object(name, t, otherwise, open)
	}
}

func (c *checker) enum(name string, t *schema.Enum) {
	all := says(c.types[name].doc, c.release, true)
	assert.True(c, all, "QEMU %s has the enum %s", c.release, name)
	for value, v := range c.values[name] {
		c.compare(name+" "+value, v.doc, all, t.Value(value) != nil)
	}
	for _, v := range t.Values {
		assert.Contains(c, c.values[name], v.Name, "%s of QEMU %s", name, c.release)
	}
}

// object checks the members of a struct or a union.
func (c *checker) object(name string, t schema.Type, otherwise, open bool) {
	st := c.structOf(name)
	if st == nil {
		return
	}
	all := says(c.types[name].doc, c.release, otherwise)
	assert.True(c, all, "QEMU %s has the type %s on the wire, which says: %s", c.release, name, c.types[name].doc)
	members := map[string]schema.Type{}
	for _, m := range membersOf(t) {
		members[m.Name] = m.Type
	}
	list := fields(st)
	variants := c.variantsOf(name)
	for member, f := range list {
		if f.typ == nil || typeName(f.typ) == "" && isTime(f.typ) {
			continue // an event's own
		}
		has := members[member] != nil
		if !open || has {
			c.compare(name+"."+member, f.doc, all, has)
		}
		if has && variants == nil || has && typeName(f.typ) != name+"Variant" {
			c.value(f.typ, members[member], true, false)
		}
	}
	for member := range members {
		if _, ok := list[member]; !ok && !(variants != nil && isStruct(t)) { // otherwise it is in Unknown
			assert.Fail(c, "a member is missing", "QEMU %s: %s.%s", c.release, name, member)
		}
	}
	if variants != nil && !open {
		c.variants(variants, t)
	}
}

func isTime(e ast.Expr) bool {
	sel, ok := e.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Time"
}

func isStruct(t schema.Type) bool {
	_, ok := t.(*schema.Struct)
	return ok
}

func membersOf(t schema.Type) []*schema.Member {
	switch t := t.(type) {
	case *schema.Struct:
		return t.AllMembers()
	case *schema.Union:
		return t.Base.AllMembers()
	}
	return nil
}

// variantsOf returns the types that are variants of a union, by tag; nil if it is not a union.
func (c *checker) variantsOf(union string) map[string]string {
	if _, ok := c.types[union+"Variant"].expr.(*ast.InterfaceType); !ok {
		return nil
	}
	variants := map[string]string{}
	for name := range c.seals["encode"+union] {
		for enum, constant := range c.tags[name] {
			for value, v := range c.values[enum] {
				if v.name == constant {
					variants[value] = name
				}
			}
		}
	}
	return variants
}

// variants checks the variants of a union.
func (c *checker) variants(variants map[string]string, t schema.Type) {
	union, ok := t.(*schema.Union)
	for tag, name := range variants {
		has := ok && union.Tag().Value(tag) != nil
		c.compare("variant "+name, c.types[name].doc, true, has)
		if !has {
			continue
		}
		var inner schema.Type = &schema.Struct{}
		if branch := union.Branch(tag); branch != nil {
			inner = branch.Type
		}
		e := c.types[name].expr
		if st, ok := inner.(*schema.Struct); ok && len(st.AllMembers()) == 1 && st.AllMembers()[0].Name == "data" {
			if goStruct := c.structOf(name); goStruct == nil || fields(goStruct)["data"].typ == nil {
				inner = st.AllMembers()[0].Type
			}
		}
		if _, isStruct := e.(*ast.StructType); isStruct {
			c.value(&ast.Ident{Name: name}, inner, true, false)
		} else {
			c.value(e, inner, true, false)
		}
	}
	if !ok {
		return
	}
	for _, v := range union.Tag().Values {
		assert.Contains(c, variants, v.Name, "%s of QEMU %s", union.Name, c.release)
	}
}

// alternate checks the form that a value of the release's type has.
func (c *checker) alternate(name string, t schema.Type) {
	forms := []schema.Type{t}
	if a, ok := t.(*schema.Alternate); ok {
		forms = nil
		for _, b := range a.Branches {
			forms = append(forms, b.Type)
		}
	}
	for _, form := range forms {
		for branch := range c.seals["is"+name] {
			_, isEnum := form.(*schema.Enum)
			if schema.KindOf(form) == schema.JSONObject && branch != "Unknown" && c.structOf(branch) != nil && branch != "Null" ||
				isEnum && c.values[branch] != nil {
				c.value(&ast.Ident{Name: branch}, form, true, false)
			}
		}
	}
}

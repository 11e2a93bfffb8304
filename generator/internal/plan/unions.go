package plan

import (
	"slices"
	"strings"

	"github.com/goqapi/goqapi/generator/descriptions"
	"github.com/goqapi/goqapi/generator/internal/names"
	"github.com/goqapi/goqapi/schema"
)

// variantNames finds the structs that are variants themselves, and their Go names as
// variants. These are structs that are used for one tag only, and those whose name
// differs from that of the variant only in case.
func (b *builder) variantNames() map[*schema.Struct]string {
	found := map[*schema.Struct]string{}
	for _, def := range b.schema.Definitions() {
		union, ok := def.(*schema.Union)
		if !ok {
			continue
		}
		for _, branch := range union.Branches {
			st := branchStruct(branch)
			if st == nil {
				continue
			}
			name := names.Exported(union.Name) + names.Suffix(branch.Name)
			only := len(b.uses.branches[st]) == 1 && !b.uses.data[st]
			if only || strings.EqualFold(names.Exported(st.Name), name) {
				found[st] = name
			}
		}
	}
	return found
}

// branchStruct returns the struct with a branch's members, without a wrapper; nil if
// the branch is not a struct.
func branchStruct(branch *schema.Branch) *schema.Struct {
	t := branch.Type
	if inner, ok := unwrap(t); ok {
		t = inner
	}
	st, _ := t.(*schema.Struct)
	return st
}

func (b *builder) completeUnion(d *schema.Union) {
	u := b.unions[d]
	enum, ok := d.Discriminator.Type.(*schema.Enum)
	if !ok {
		b.errorf(d.Pos, "union '%s': discriminator '%s' is not an enum", d.Name, d.Discriminator.Name)
		return
	}
	u.Enum = b.enums[enum]
	for _, m := range d.Base.AllMembers() {
		f := b.field(d, m, b.uses.received[d])
		if m.Name == d.Discriminator.Name {
			f.Type = Type{Kind: Interface, Name: u.Sum}
			u.Discriminator = f
		}
		u.Fields = append(u.Fields, f)
	}
	branches := make(map[string]*schema.Branch, len(d.Branches))
	for _, branch := range d.Branches {
		branches[branch.Name] = branch
	}
	for i, value := range u.Enum.Values {
		v := &Variant{
			Facts: b.variantFacts(d, enum.Values[i], value.Facts),
			Union: u,
			Name:  u.Name + names.Suffix(value.QAPI),
			Value: value,
			Form:  Empty,
		}
		if branch := branches[value.QAPI]; branch != nil {
			b.completeVariant(v, branch)
		}
		if v.Form != Itself {
			b.declare(v.Name, d)
		}
		if v.Form == Empty {
			v.Note = b.descriptions.Member(d, descriptions.Empty)
		}
		u.Variants = append(u.Variants, v)
	}
}

// variantFacts returns the facts of a tag's value, with the releases in which the union has the tag.
func (b *builder) variantFacts(d *schema.Union, value *schema.EnumValue, f Facts) Facts {
	f.Since, f.In, f.Gone = value.Since, "", ""
	b.history.say(&f, b.history.Part(d, "="+value.Name), b.history.all())
	return f
}

func (b *builder) completeVariant(v *Variant, branch *schema.Branch) {
	v.If = branch.If.String()
	t := branch.Type
	if inner, ok := unwrap(t); ok {
		t, v.Wrapped = inner, true
	}
	v.Schema = t.TypeName()
	v.Form = Over
	switch t := t.(type) {
	case *schema.Struct:
		st := b.structs[t]
		if st == nil {
			b.errorf(branch.Pos, "branch '%s': struct '%s' has no Go type", branch.Name, t.Name)
			return
		}
		v.Struct = st
		if st.Name == v.Name {
			v.Form = Itself
			st.Variant = v
			return
		}
	case *schema.Union:
		if !v.Wrapped {
			v.Form = Nested
		}
	}
	v.Over = b.typeOf(t, b.uses.received[t], branch.Pos)
}

func (b *builder) completeAlternate(d *schema.Alternate) {
	a := b.alternates[d]
	for _, branch := range d.Branches {
		br := &Branch{Facts: facts(branch.Name, "", branch.If, nil)}
		switch t := branch.Type.(type) {
		case *schema.Enum:
			e := b.enums[t]
			e.Alternates = append(e.Alternates, a)
			br.Type = Type{Kind: String, Name: e.Name}
		case *schema.Struct:
			st := b.structs[t]
			st.Alternates = append(st.Alternates, a)
			br.Type = Type{Kind: Object, Name: st.Name, Struct: st}
		case *schema.Union:
			u := b.unions[t]
			u.Alternates = append(u.Alternates, a)
			br.Type = Type{Kind: Object, Name: u.Name, Union: u}
		default:
			br.Type = b.typeOf(t, b.uses.received[d], branch.Pos)
			w := b.wrapperOf(br.Type, branch.Pos)
			w.Alternates = append(w.Alternates, a)
			br.Type.Name = w.Name
		}
		a.Branches = append(a.Branches, br)
	}
}

// wrapperOf returns the wrapper for a plain JSON value of type t.
func (b *builder) wrapperOf(t Type, pos schema.Pos) *Wrapper {
	switch t.Kind {
	case Null:
		return b.wrapper("Null", "", "null", pos)
	case String:
		return b.wrapper("Str", "string", "a string", pos)
	case Bool:
		return b.wrapper("Bool", "bool", "true or false", pos)
	case Int:
		return b.wrapper("Int", "int64", "an integer", pos)
	case Uint:
		return b.wrapper("Uint", "uint64", "an integer that is not negative", pos)
	case Float:
		return b.wrapper("Num", "float64", "a number", pos)
	case List:
		switch elem := *t.Elem; elem.Kind {
		case String, Bool, Int, Uint, Float:
			if isBuiltin(elem.Name) {
				w := b.wrapperOf(elem, pos)
				return b.wrapper(w.Name+"List", "[]"+w.Over, "a list, each element "+w.JSON, pos)
			}
			fallthrough
		case Object:
			return b.wrapper(elem.Name+"List", "[]"+elem.Name, "a list of "+elem.Name, pos)
		}
	}
	b.errorf(pos, "no wrapper is known for a branch of this type")
	return &Wrapper{}
}

func isBuiltin(name string) bool {
	for _, t := range builtins {
		if t.Name == name {
			return true
		}
	}
	return false
}

func (b *builder) wrapper(name, over, json string, pos schema.Pos) *Wrapper {
	w := b.wrappers[name]
	if w == nil {
		w = &Wrapper{Name: name, Over: over, JSON: json}
		if err := b.names.take(name, "the wrapper for "+json); err != nil {
			b.errorf(pos, "%v", err)
		}
		b.wrappers[name] = w
	}
	return w
}

func sortedWrappers(m map[string]*Wrapper) []*Wrapper {
	var list []*Wrapper
	for _, w := range m {
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b *Wrapper) int { return strings.Compare(a.Name, b.Name) })
	return list
}

package emit

import (
	"fmt"
	"maps"
	"slices"

	"github.com/dave/jennifer/jen"

	"github.com/goqapi/goqapi/generator/internal/plan"
	"github.com/goqapi/goqapi/internal/redact"
)

// holders returns the names of the types that can hold a secret: in a member that is one, in
// a member that can hold anything, or in another such type. All unions are included, because
// of unknown variants. A member of such a type must not have the Go name of one of the
// methods that print the type.
func holders(p *plan.Package) (map[string]bool, error) {
	h := holding{holds: map[string]bool{}, within: map[string][]string{}, clashes: map[string]*plan.Field{}}
	for _, file := range p.Files {
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *plan.Struct:
				h.structure(d.Name, d, d.Variant)
			case *plan.Union:
				h.union(d)
			case *plan.Alternate:
				for _, b := range d.Branches {
					h.part(d.Name, b.Type)
				}
			case *plan.Command:
				if d.Own != nil {
					h.structure(d.Own.Name, d.Own, nil)
				}
			case *plan.Event:
				h.structure(d.Struct.Name, d.Struct, nil)
				if d.Data != nil {
					h.part(d.Struct.Name, *d.Data)
				}
			}
		}
	}
	for _, name := range slices.Collect(maps.Keys(h.holds)) {
		h.spread(name)
	}
	h.holds["Unknown"] = true
	for _, u := range p.Unions {
		h.holds[u.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(h.clashes)) {
		if f := h.clashes[name]; h.holds[name] {
			return nil, fmt.Errorf("%s can hold a secret and therefore has a method %s, but its member '%s' also has that name", name, f.Name, f.QAPI)
		}
	}
	return h.holds, nil
}

// holding is the state of holders.
type holding struct {
	holds   map[string]bool
	within  map[string][]string    // by the name of a type: the types that contain it
	clashes map[string]*plan.Field // members with the name of a method
}

func (h *holding) union(u *plan.Union) {
	for _, f := range u.Fields {
		if redact.Holds(f.QAPI, isText(f.Type), nil) {
			h.holds[u.Name] = true
		}
		h.part(u.Name, f.Type)
	}
	for _, v := range u.Variants {
		h.within[v.Name] = append(h.within[v.Name], u.Name)
		switch {
		case v.Form == plan.Itself:
		case v.Struct != nil:
			h.structure(v.Name, v.Struct, v)
		case v.Form != plan.Empty:
			h.part(v.Name, v.Over)
		}
	}
}

// structure looks at the members of a struct, which may be those of a variant.
func (h *holding) structure(name string, s *plan.Struct, v *plan.Variant) {
	neighbours := map[string]string{}
	for _, f := range s.Fields {
		neighbours[f.QAPI] = ""
	}
	if v != nil && !v.Wrapped {
		for _, f := range v.Union.Fields {
			neighbours[f.QAPI] = ""
		}
		neighbours[v.Union.Discriminator.QAPI] = v.Value.QAPI
	}
	if s.Props != "" {
		h.holds[name] = true
	}
	for _, f := range s.Fields {
		if slices.Contains(plan.PrintMethods, f.Name) {
			h.clashes[name] = f
		}
		if redact.Holds(f.QAPI, isText(f.Type), neighbours) {
			h.holds[name] = true
		}
		h.part(name, f.Type)
	}
}

// isText reports whether a type is a string, a list of them, or base64.
func isText(t plan.Type) bool {
	for t.Kind == plan.List {
		t = *t.Elem
	}
	return t.Kind == plan.String || t.Kind == plan.Bytes
}

// part records that the type with a name contains a t.
func (h *holding) part(name string, t plan.Type) {
	for t.Kind == plan.List {
		t = *t.Elem
	}
	switch t.Kind {
	case plan.Any, plan.Raw:
		h.holds[name] = true
	case plan.Object, plan.Interface:
		h.within[t.Name] = append(h.within[t.Name], name)
	}
}

// spread records that all types that contain the type with a name can hold a secret.
func (h *holding) spread(name string) {
	for _, outer := range h.within[name] {
		if !h.holds[outer] {
			h.holds[outer] = true
			h.spread(outer)
		}
	}
}

// printing writes the methods that print a type without its secrets, if it can hold any.
// printed is the expression to print for x.
func (g *group) printing(name string, printed jen.Code) {
	if !g.holders[name] {
		return
	}
	x := jen.Id("x").Id(name)
	call := func(f string) jen.Code { return jen.Return(jen.Qual(pkgRedacted, f).Call(printed)) }
	g.comment("// String returns x as JSON, without secrets.")
	g.Func().Params(x).Id("String").Params().String().Block(call("Short"))
	g.comment("// GoString is like String, with the type's name.")
	g.Func().Params(x).Id("GoString").Params().String().Block(call("GoShort"))
	g.comment("// LogValue is like String, for package slog.")
	g.Func().Params(x).Id("LogValue").Params().Qual("log/slog", "Value").Block(call("LogValue"))
}

// tagged writes the methods that print a variant: with its tag, which decides what is a
// secret.
func (g *group) tagged(v *plan.Variant) {
	if !g.holders[v.Name] {
		return
	}
	g.Line()
	g.Func().Params(jen.Id("x").Id(v.Name)).Id("tagged").Params().Any().Block(jen.Return(jen.Qual(pkgRedacted, "Tagged").Call(
		jen.Id("x"), jen.Lit(v.Union.Discriminator.QAPI), jen.Lit(v.Value.QAPI), jen.Id("x").Dot(sealMethod(v.Union)))))
	g.printing(v.Name, jen.Id("x").Dot("tagged").Call())
}

package emit

import (
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/goqapi/goqapi/generator/internal/plan"
)

// encodeMembers writes the method that writes a struct's members into an object that
// may have other members as well.
func (g *group) encodeMembers(name string, body ...jen.Code) {
	g.Line()
	g.Func().Params(jen.Id("x").Op("*").Id(name)).Id("encodeMembers").
		Params(jen.Id("e").Op("*").Qual(pkgCodec, "Encoder")).Block(body...)
}

// encodeField writes one member; an optional one only if it is set.
func encodeField(f *plan.Field) jen.Code {
	field := jen.Id("x").Dot(f.Name)
	call := encodeCall(f, field)
	if !f.Optional {
		return call
	}
	if f.Type.Kind == plan.Time {
		return jen.If(jen.Op("!").Add(field.Clone()).Dot("IsZero").Call()).Block(call)
	}
	return jen.If(field.Clone().Op("!=").Nil()).Block(call)
}

func encodeCall(f *plan.Field, field *jen.Statement) jen.Code {
	name := jen.Lit(f.QAPI)
	value := field.Clone()
	if f.Pointer() {
		value = jen.Op("*").Add(field)
	}
	method := func(name string, convert string, args ...jen.Code) jen.Code {
		if f.Type.Name != convert {
			value = jen.Id(convert).Call(value)
		}
		return jen.Id("e").Dot(name).Call(append(args, value)...)
	}
	switch f.Type.Kind {
	case plan.String:
		return method("String", "string", name)
	case plan.Bool:
		return method("Bool", "bool", name)
	case plan.Int:
		return method("Int", "int64", name)
	case plan.Uint:
		return method("Uint", "uint64", name)
	case plan.Interface:
		return jen.Id("e").Dot("Alternate").Call(name, jen.Lit(f.Name), jen.Lit(f.Type.Name), field)
	case plan.List:
		if f.Type.Elem.Kind == plan.Interface {
			return jen.Qual(pkgCodec, "Alternates").Call(jen.Id("e"), name, jen.Lit(f.Name), jen.Lit(f.Type.Elem.Name), field)
		}
	}
	if f.Pointer() {
		return jen.Id("e").Dot("Value").Call(name, field)
	}
	return jen.Id("e").Dot("Value").Call(name, jen.Op("&").Add(field))
}

// aboutProps returns the comment of the field for the members that the schema does not list.
func aboutProps(s *plan.Struct) []string {
	lines := []string{s.Props + " are further members, merged into the object; nil ones are left out."}
	if len(s.Refused) > 0 {
		lines = append(lines, "Those that only the server may set are an error:", strings.Join(s.Refused, ", ")+".")
	}
	return lines
}

// encodeProps writes the members that the schema does not list.
func encodeProps(s *plan.Struct) []jen.Code {
	call := func(method string, lits ...string) jen.Code {
		return jen.Id("e").Dot(method).CallFunc(func(args *jen.Group) {
			args.Id("x").Dot(s.Props)
			for _, lit := range lits {
				args.Lit(lit)
			}
		})
	}
	var known []string
	for _, f := range s.Fields {
		known = append(known, f.QAPI)
	}
	code := []jen.Code{call("Props", known...)}
	if len(s.Refused) > 0 {
		why := "which only the server itself may set"
		code = append([]jen.Code{call("Refuse", append([]string{why}, s.Refused...)...)}, code...)
	}
	return code
}

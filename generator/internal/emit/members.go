package emit

import (
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/goqapi/goqapi/generator/internal/plan"
)

// encodeMembers writes the method that writes a struct's members into an
// object that may hold others as well.
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
		return jen.Id("e").Dot("Alternate").Call(name, jen.Lit(f.Type.Name), field)
	case plan.List:
		if f.Type.Elem.Kind == plan.Interface {
			return jen.Qual(pkgCodec, "Alternates").Call(jen.Id("e"), name, jen.Lit(f.Type.Elem.Name), field)
		}
	}
	if f.Pointer() {
		return jen.Id("e").Dot("Value").Call(name, field)
	}
	return jen.Id("e").Dot("Value").Call(name, jen.Op("&").Add(field))
}

// aboutProps is the comment on the field for the members that the schema does not know.
func aboutProps(s *plan.Struct) []string {
	lines := []string{s.Props + " are further members, merged into the object; nil ones are left out."}
	if len(s.Refused) > 0 {
		lines = append(lines, "Those that only the server may set are an error:", strings.Join(s.Refused, ", ")+".")
	}
	return lines
}

// encodeProps writes the members that the schema does not know.
func encodeProps(s *plan.Struct) []jen.Code {
	call := func(method string, names []string) jen.Code {
		return jen.Id("e").Dot(method).CallFunc(func(args *jen.Group) {
			args.Id("x").Dot(s.Props)
			for _, name := range names {
				args.Lit(name)
			}
		})
	}
	var known []string
	for _, f := range s.Fields {
		known = append(known, f.QAPI)
	}
	code := []jen.Code{call("Props", known)}
	if len(s.Refused) > 0 {
		code = append([]jen.Code{call("RefuseProps", s.Refused)}, code...)
	}
	return code
}

// decodeMember writes the method that reads the member of a given name, if
// the struct has it.
func (g *group) decodeMember(name string, list []*plan.Field, props string) {
	g.Line()
	g.Func().Params(jen.Id("x").Op("*").Id(name)).Id("decodeMember").
		Params(jen.Id("dec").Op("*").Qual(pkgCodec, "Decoder"), jen.Id("name").Index().Byte()).
		Params(jen.Bool(), jen.Error()).BlockFunc(func(body *jen.Group) {
		if len(list) > 0 {
			body.Switch(jen.String().Call(jen.Id("name"))).BlockFunc(func(cases *jen.Group) {
				for _, f := range list {
					cases.Case(jen.Lit(f.QAPI)).Block(jen.Return(decodeCall(f)))
				}
			})
		}
		if props != "" {
			body.Return(jen.Qual(pkgCodec, "Prop").Call(jen.Id("dec"), jen.Id("name"), jen.Op("&").Id("x").Dot(props)))
		} else {
			body.Return(jen.False(), jen.Nil())
		}
	})
}

// decodeCall decodes a member into its field, and says that it is known.
func decodeCall(f *plan.Field) jen.Code {
	field := jen.Op("&").Id("x").Dot(f.Name)
	call := func(name string, args ...jen.Code) jen.Code {
		if f.Pointer() {
			name = "Optional" + name
		}
		return jen.Qual(pkgCodec, name).Call(append([]jen.Code{jen.Id("dec"), field}, args...)...)
	}
	switch f.Type.Kind {
	case plan.String:
		return call("String")
	case plan.Bool:
		return call("Bool")
	case plan.Int:
		return call("Int")
	case plan.Uint:
		return call("Uint")
	case plan.Object, plan.Interface:
		if decode := decoderOf(f.Type); decode != nil {
			return call("Object", decode)
		}
	case plan.List:
		if decode := decoderOf(*f.Type.Elem); decode != nil {
			return call("List", decode)
		}
		if f.Type.Elem.Kind == plan.String {
			return call("Strings")
		}
	}
	return jen.Qual(pkgCodec, "Value").Call(jen.Id("dec"), field)
}

// decoderOf is the function that decodes a type without reflection, or nil.
func decoderOf(t plan.Type) jen.Code {
	switch {
	case t.Kind == plan.Interface:
		return jen.Id("decode" + t.Name)
	case t.Union != nil || t.Struct != nil && (t.Struct.Codec || t.Struct.Loop):
		return jen.Parens(jen.Op("*").Id(t.Name)).Dot("decode")
	}
	return nil
}

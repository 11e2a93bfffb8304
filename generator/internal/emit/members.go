package emit

import (
	"github.com/dave/jennifer/jen"

	"github.com/goqapi/goqapi/generator/internal/plan"
)

// encodeMembers writes the method that writes a struct's members into an
// object that may hold others as well.
func (g *group) encodeMembers(name string, list []*plan.Field, rest ...jen.Code) {
	g.Func().Params(jen.Id("x").Op("*").Id(name)).Id("encodeMembers").
		Params(jen.Id("e").Op("*").Qual(pkgCodec, "Encoder")).BlockFunc(func(body *jen.Group) {
		for _, f := range list {
			body.Add(encodeField(f))
		}
		for _, code := range rest {
			body.Add(code)
		}
	})
}

// encodeField writes one member; an optional one only if it is set.
func encodeField(f *plan.Field) jen.Code {
	field := jen.Id("x").Dot(f.Name)
	call := encodeCall(f, field)
	if !f.Optional {
		return call
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

// encodeProps writes the members that the schema does not know.
func encodeProps(s *plan.Struct) jen.Code {
	return jen.Id("e").Dot("Props").CallFunc(func(args *jen.Group) {
		args.Id("x").Dot("Props")
		for _, f := range s.Fields {
			args.Lit(f.QAPI)
		}
	})
}

// decodeMember writes the method that reads the member of a given name, if
// the struct has it.
func (g *group) decodeMember(name string, list []*plan.Field, props bool) {
	g.Func().Params(jen.Id("x").Op("*").Id(name)).Id("decodeMember").
		Params(jen.Id("dec").Op("*").Qual(pkgJSONText, "Decoder"), jen.Id("name").Index().Byte()).
		Params(jen.Bool(), jen.Error()).BlockFunc(func(body *jen.Group) {
		if len(list) > 0 {
			body.Switch(jen.String().Call(jen.Id("name"))).BlockFunc(func(cases *jen.Group) {
				for _, f := range list {
					cases.Case(jen.Lit(f.QAPI)).Block(jen.Return(decodeCall(f)))
				}
			})
		}
		if props {
			body.Return(jen.Qual(pkgCodec, "Prop").Call(jen.Id("dec"), jen.Id("name"), jen.Op("&").Id("x").Dot("Props")))
		} else {
			body.Return(jen.False(), jen.Nil())
		}
	})
}

func decodeCall(f *plan.Field) jen.Code {
	field := jen.Op("&").Id("x").Dot(f.Name)
	switch {
	case f.Type.Kind == plan.String && f.Pointer():
		return jen.Qual(pkgCodec, "OptionalString").Call(jen.Id("dec"), field)
	case f.Type.Kind == plan.String:
		return jen.Qual(pkgCodec, "String").Call(jen.Id("dec"), field)
	case f.Type.Kind == plan.Interface:
		return jen.Id(decoderOf(f.Type)).Call(jen.Id("dec"), field)
	case f.Type.Kind == plan.List && f.Type.Elem.Kind == plan.Interface:
		return jen.Qual(pkgCodec, "List").Call(jen.Id("dec"), field, jen.Id(decoderOf(*f.Type.Elem)))
	}
	return jen.Qual(pkgCodec, "Value").Call(jen.Id("dec"), field)
}

// decoderOf is the function that decodes an alternate.
func decoderOf(t plan.Type) string { return "decode" + t.Name }

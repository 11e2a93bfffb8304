package emit

import (
	"github.com/dave/jennifer/jen"

	"github.com/goqapi/goqapi/generator/internal/plan"
)

// The generated decoders: a method decode that reads a value and, for types whose members
// are in the object of a union, a method member that reads the value of one member.

// decoder is the variable that they read from; decoderParam declares it as a parameter.
func decoder() *jen.Statement { return jen.Id("d") }

func decoderParam() *jen.Statement { return decoder().Op("*").Qual(pkgCodec, "Decoder") }

// name is the variable with the name of the next member; nameParam declares it as a parameter.
func name() *jen.Statement { return jen.Id("name") }

func nameParam() *jen.Statement { return name().Index().Byte() }

// memberMethod writes the method that is given a member's name, and reads its value if the
// type has that member.
func (g *group) memberMethod(typ string, list []*plan.Field, props string) {
	g.Line()
	g.Func().Params(jen.Id("x").Op("*").Id(typ)).Id("member").Params(decoderParam(), nameParam()).Bool().BlockFunc(func(body *jen.Group) {
		unknown := jen.Return(jen.False())
		if props != "" {
			unknown = decodeProp(props)
		}
		if len(list) == 0 {
			body.Add(unknown)
		} else {
			body.Add(decodeFields(list, unknown))
		}
		if len(list) > 0 || props != "" {
			body.Return(jen.True())
		}
	})
}

// decodeFields reads the value of the next member into its field.
func decodeFields(list []*plan.Field, unknown jen.Code) jen.Code {
	return jen.Switch(jen.String().Call(name())).BlockFunc(func(cases *jen.Group) {
		for _, f := range list {
			cases.Case(jen.Lit(f.QAPI)).Block(decodeInto(jen.Id("x").Dot(f.Name), f.Type, f.Pointer()))
		}
		cases.Default().Block(unknown)
	})
}

func decodeProp(props string) *jen.Statement {
	return decoder().Dot("Prop").Call(jen.Op("&").Id("x").Dot(props), name())
}

// decodeMethod writes the method that reads a value.
func (g *group) decodeMethod(typ string, body ...jen.Code) {
	g.Line()
	g.Func().Params(jen.Id("x").Op("*").Id(typ)).Id("decode").Params(decoderParam()).Block(body...)
}

// forMembers is a loop over the members of an object. The expressions first and next return the
// name of a member.
func forMembers(first, next jen.Code, body ...jen.Code) jen.Code {
	return jen.For(name().Op(":=").Add(first), name().Op("!=").Nil(), name().Op("=").Add(next)).Block(body...)
}

func unknownMember() *jen.Statement { return decoder().Dot("Unknown").Call() }

// isMember reads the value of the next member, if the value x has that member.
func isMember(x *jen.Statement) *jen.Statement {
	return x.Clone().Dot("member").Call(decoder(), name())
}

// decodeStruct writes the method decode of a struct.
func (g *group) decodeStruct(s *plan.Struct) {
	var member jen.Code
	switch {
	case s.Spread:
		member = jen.If(jen.Op("!").Add(isMember(jen.Id("x")))).Block(unknownMember())
	case s.Props != "":
		member = decodeFields(sent(s), decodeProp(s.Props))
	default:
		member = decodeFields(sent(s), unknownMember())
	}
	g.decodeMethod(s.Name, forMembers(
		decoder().Dot("Object").Call(jen.Lit(s.Name)), decoder().Dot("Member").Call(), member))
}

// decodeInto writes code that reads a value of type t into a field or a variable; an
// optional one is a pointer.
func decodeInto(place *jen.Statement, t plan.Type, pointer bool) jen.Code {
	to := jen.Op("&").Add(place.Clone())
	over := func(typ string) *jen.Statement {
		if t.Name != typ {
			return jen.Parens(jen.Op("*").Id(typ)).Call(to)
		}
		return to
	}
	read := func(method string, to jen.Code) jen.Code { return decoder().Dot(method).Call(to) }
	if pointer {
		if method := scalarMethod(t); method != "" && (t.Kind != plan.String || t.Name == "string") {
			return read("Opt"+method, to)
		}
		if decode := elementDecoder(t); decode != nil {
			return jen.Qual(pkgCodec, "Ptr").Call(decoder(), to, decode)
		}
		return read("Value", to)
	}
	switch {
	case t.Kind == plan.String:
		return read("String", over("string"))
	case scalarMethod(t) != "":
		return read(scalarMethod(t), to)
	case t.Kind == plan.Int || t.Kind == plan.Uint:
		return jen.Qual(pkgCodec, numberFunc(t.Kind)).Call(to, decoder())
	case t.Kind == plan.Float:
		return read("Float", to)
	case t.Kind == plan.Raw:
		return read("Raw", jen.Parens(jen.Op("*").Index().Byte()).Call(to))
	case t.Kind == plan.Null:
		return decoder().Dot("Null").Call()
	case t.Kind == plan.Interface:
		return jen.Id("decode"+t.Name).Call(to, decoder())
	case hasDecoder(t):
		return place.Clone().Dot("decode").Call(decoder())
	case t.Kind == plan.List && elementDecoder(*t.Elem) != nil:
		if t.Name != t.Elem.Name {
			to = jen.Parens(jen.Op("*").Add(goType(plan.Type{Kind: plan.List, Elem: t.Elem}))).Call(to)
		}
		return jen.Qual(pkgCodec, "List").Call(decoder(), to, elementDecoder(*t.Elem))
	}
	return read("Value", to)
}

// scalarMethod returns the decoder's method that reads a value of type t; with Opt before its
// name, it reads an optional one. It returns "" if there is none.
func scalarMethod(t plan.Type) string {
	switch {
	case t.Kind == plan.List:
	case t.Kind == plan.String:
		return "String"
	case t.Name == "bool":
		return "Bool"
	case t.Name == "int64":
		return "Int64"
	case t.Name == "uint64":
		return "Uint64"
	}
	return ""
}

func numberFunc(kind plan.Kind) string {
	if kind == plan.Uint {
		return "Uint"
	}
	return "Int"
}

// elementDecoder returns the function that reads a t through a pointer, for elements of
// lists and optional members; nil if there is none.
func elementDecoder(t plan.Type) jen.Code {
	switch {
	case t.Kind == plan.String:
		return jen.Qual(pkgCodec, "DecodeString").Types(jen.Id(t.Name))
	case t.Kind == plan.Bool:
		return jen.Qual(pkgCodec, "DecodeBool")
	case t.Kind == plan.Float:
		return jen.Qual(pkgCodec, "DecodeFloat")
	case t.Kind == plan.Int || t.Kind == plan.Uint:
		return jen.Qual(pkgCodec, numberFunc(t.Kind)).Types(jen.Id(t.Name))
	case t.Kind == plan.Interface:
		return jen.Id("decode" + t.Name)
	case hasDecoder(t):
		return jen.Parens(jen.Op("*").Id(t.Name)).Dot("decode")
	}
	return nil
}

// hasDecoder reports whether a type has a method decode.
func hasDecoder(t plan.Type) bool {
	return t.Union != nil || t.Struct != nil && (t.Struct.Codec || t.Struct.Loop)
}

// into returns the destination of a command's result or an event's data: a decoder, or a
// pointer for reflection.
func into(place *jen.Statement, t plan.Type) jen.Code {
	if t.Kind == plan.Any {
		return jen.Op("&").Add(place)
	}
	return jen.Qual(pkgCodec, "Into").Call(decodeFunc(place, t))
}

// decodeFunc is the function that decodes a command's result or an event's data.
func decodeFunc(place *jen.Statement, t plan.Type) jen.Code {
	if hasDecoder(t) {
		return place.Clone().Dot("decode")
	}
	return jen.Func().Params(decoderParam()).Block(decodeInto(place, t, false))
}

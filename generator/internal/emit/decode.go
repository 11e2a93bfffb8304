package emit

import (
	"github.com/dave/jennifer/jen"

	"github.com/goqapi/goqapi/generator/internal/plan"
)

// The generated decoders: a method decode that reads a value and, for types whose members
// are in the object of a union, a method member that reads the value of one member.

// decoder is what they read from, and its declaration as a parameter.
func decoder() *jen.Statement { return jen.Id("d") }

func decoderParam() *jen.Statement { return decoder().Op("*").Qual(pkgCodec, "Decoder") }

// memberMethod writes the method that reads the value of the next member, if the type has
// that member.
func (g *group) memberMethod(name string, list []*plan.Field, props string) {
	g.Line()
	g.Func().Params(jen.Id("x").Op("*").Id(name)).Id("member").Params(decoderParam()).Bool().BlockFunc(func(body *jen.Group) {
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

// decodeFields reads the value of the member that is next into its field.
func decodeFields(list []*plan.Field, unknown jen.Code) jen.Code {
	return jen.Switch(jen.String().Call(decoder().Dot("Name").Call())).BlockFunc(func(cases *jen.Group) {
		for _, f := range list {
			cases.Case(jen.Lit(f.QAPI)).Block(decodeInto(jen.Id("x").Dot(f.Name), f.Type, f.Pointer()))
		}
		cases.Default().Block(unknown)
	})
}

func decodeProp(props string) *jen.Statement {
	return decoder().Dot("Prop").Call(jen.Op("&").Id("x").Dot(props))
}

// decodeMethod writes the method that reads a value.
func (g *group) decodeMethod(name string, body ...jen.Code) {
	g.Line()
	g.Func().Params(jen.Id("x").Op("*").Id(name)).Id("decode").Params(decoderParam()).Block(body...)
}

// decodeStruct writes that method for a struct.
func (g *group) decodeStruct(s *plan.Struct) {
	unknown := decoder().Dot("Unknown").Call()
	var member jen.Code
	switch {
	case s.Spread:
		member = jen.If(jen.Op("!").Id("x").Dot("member").Call(decoder())).Block(unknown)
	case s.Props != "":
		member = decodeFields(sent(s), decodeProp(s.Props))
	default:
		member = decodeFields(sent(s), unknown)
	}
	g.decodeMethod(s.Name, jen.For(
		jen.Id("ok").Op(":=").Add(decoder()).Dot("Object").Call(jen.Lit(s.Name)),
		jen.Id("ok"),
		jen.Id("ok").Op("=").Add(decoder()).Dot("Member").Call(),
	).Block(member))
}

// decodeInto writes code that reads a value of type t into a field or an interface: as a
// pointer, if it is optional.
func decodeInto(place *jen.Statement, t plan.Type, pointer bool) jen.Code {
	if elem := elementDecoder(t); pointer && elem != nil {
		return place.Clone().Op("=").Qual(pkgCodec, "Ptr").Call(decoder(), place, elem)
	}
	if value := decoded(t); value != nil {
		return place.Op("=").Add(value)
	}
	switch {
	case t.Kind == plan.Null:
		return decoder().Dot("Null").Call()
	case t.Kind == plan.Interface:
		return jen.Id("decode"+t.Name).Call(jen.Op("&").Add(place), decoder())
	case hasDecoder(t):
		return place.Dot("decode").Call(decoder())
	}
	return decoder().Dot("Value").Call(jen.Op("&").Add(place))
}

// decoded returns an expression that reads a value of type t, or nil.
func decoded(t plan.Type) jen.Code {
	read := func(method, result string) jen.Code {
		value := decoder().Dot(method).Call()
		if t.Name != result {
			value = jen.Id(t.Name).Call(value)
		}
		return value
	}
	switch t.Kind {
	case plan.String:
		return read("String", "string")
	case plan.Bool:
		return read("Bool", "bool")
	case plan.Float:
		return read("Float", "float64")
	case plan.Raw:
		return decoder().Dot("Raw").Call()
	case plan.Int, plan.Uint:
		return jen.Qual(pkgCodec, numberFunc(t.Kind)).Types(jen.Id(t.Name)).Call(decoder())
	case plan.List:
		if elem := elementDecoder(*t.Elem); elem != nil {
			return jen.Qual(pkgCodec, "List").Call(decoder(), elem)
		}
	}
	return nil
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
	scalar := func(kind string) jen.Code { return jen.Qual(pkgCodec, "Decode"+kind).Types(jen.Id(t.Name)) }
	switch {
	case t.Kind == plan.String:
		return scalar("String")
	case t.Kind == plan.Bool:
		return scalar("Bool")
	case t.Kind == plan.Float:
		return scalar("Float")
	case t.Kind == plan.Int || t.Kind == plan.Uint:
		return scalar(numberFunc(t.Kind))
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
	var decode jen.Code
	switch value := decoded(t); {
	case hasDecoder(t):
		decode = place.Clone().Dot("decode")
	case value != nil:
		decode = jen.Func().Params(decoderParam()).Block(place.Clone().Op("=").Add(value))
	default:
		return jen.Op("&").Add(place)
	}
	return jen.Qual(pkgCodec, "Into").Call(decode)
}

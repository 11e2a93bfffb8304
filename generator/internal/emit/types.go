package emit

import (
	"slices"

	"github.com/dave/jennifer/jen"

	"github.com/goqapi/goqapi/generator/internal/plan"
)

// lines has the options for a call whose arguments have a line each.
var lines = jen.Options{Open: "(", Close: ")", Separator: ",", Multi: true}

func (g *group) enum(e *plan.Enum) {
	g.comment(about(e.Name, "is the enum "+e.QAPI, e.Facts, g.module)...)
	g.Type().Id(e.Name).String()
	if len(e.Values) > 0 {
		g.comment("// The values of " + e.Name + ".")
		g.Const().DefsFunc(func(defs *jen.Group) {
			for _, v := range e.Values {
				for _, line := range memberComment(v.Facts) {
					defs.Comment(line)
				}
				defs.Id(v.Name).Id(e.Name).Op("=").Lit(v.QAPI)
			}
		})
	}
	g.comment("// Known reports whether the value is one of the constants above. A server may send others.")
	g.Func().Params(jen.Id("e").Id(e.Name)).Id("Known").Params().Bool().Block(
		jen.Return(jen.Id("oneOf").CustomFunc(lines, func(args *jen.Group) {
			args.Id("e")
			for _, v := range e.Values {
				args.Id(v.Name)
			}
		})),
	)
	g.sealMethods(e.Name, e.Alternates)
}

// sealMethods writes the methods that make a type a branch of alternates.
func (g *group) sealMethods(name string, alternates []*plan.Alternate) {
	for _, a := range alternates {
		g.Line()
		g.Func().Params(jen.Id(name)).Id("is" + a.Name).Params().Block()
	}
}

func (g *group) structure(s *plan.Struct) {
	origin := "is the struct " + s.QAPI
	var more []string
	if v := s.Variant; v != nil {
		origin = "is the variant of [" + v.Union.Name + "] for " + v.QAPI
		if s.Text != "" {
			more = append(more, "It "+origin+".")
		}
	}
	g.comment(about(s.Name, origin, s.Facts, g.module, more...)...)
	g.structType(s)
	if s.Variant != nil {
		g.variantMethods(s.Variant)
	} else {
		g.printing(s.Name, jen.Id("x"))
	}
	g.sealMethods(s.Name, s.Alternates)
}

// structType writes the type and, if it needs any, its code.
func (g *group) structType(s *plan.Struct) {
	g.Type().Id(s.Name).StructFunc(func(body *jen.Group) {
		fields(body, s.Fields)
		if s.Props != "" {
			for _, line := range aboutProps(s) {
				body.Comment("// " + line)
			}
			body.Id(s.Props).Map(jen.String()).Any().Tag(map[string]string{"json": "-"})
		}
	})
	if s.Spread {
		g.memberMethod(s.Name, sent(s), s.Props)
	}
	if s.Codec || s.Loop {
		g.decodeStruct(s)
	}
	if s.Members {
		var body []jen.Code
		for _, f := range s.Fields {
			body = append(body, encodeField(f))
		}
		if s.Props != "" {
			body = append(body, encodeProps(s)...)
		}
		g.encodeMembers(s.Name, body...)
	}
	if s.Codec {
		g.codecMethods(s.Name,
			jen.Qual(pkgCodec, "EncodeObject").Call(jen.Id("enc"), jen.Lit(s.Name), jen.Id("x").Dot("encodeMembers")),
			jen.Id("x").Dot("decode"),
		)
	}
}

// sent returns the members of a struct that a message may have. The time of an event is
// not in its data.
func sent(s *plan.Struct) []*plan.Field {
	if s.Codec {
		return s.Fields
	}
	return slices.DeleteFunc(slices.Clone(s.Fields), func(f *plan.Field) bool { return f.Type.Kind == plan.Time })
}

func fields(body *jen.Group, list []*plan.Field) {
	for _, f := range list {
		for _, line := range memberComment(f.Facts) {
			body.Comment(line)
		}
		tag := f.QAPI
		if f.Optional {
			tag += ",omitzero"
		}
		body.Id(f.Name).Do(func(s *jen.Statement) {
			if f.Pointer() {
				s.Op("*")
			}
		}).Add(goType(f.Type)).Tag(map[string]string{"json": tag})
	}
}

// codecMethods writes the four methods of a type that encodes and decodes itself. A type needs all
// four: if it had only some of them, they and the JSON module could call each other forever. decode
// is a function for a codec.Decoder.
func (g *group) codecMethods(name string, encode, decode jen.Code) {
	g.jsonMethods(name, encode,
		jen.Qual(pkgCodec, "UnmarshalFrom").Call(jen.Id("dec"), decode),
		jen.Qual(pkgCodec, "Unmarshal").Call(jen.Id("data"), decode))
}

// jsonMethods writes these methods with what each of them returns.
func (g *group) jsonMethods(name string, encode, decodeFrom, decode jen.Code) {
	x, ptr := jen.Id("x").Id(name), jen.Id("x").Op("*").Id(name)
	bytes := jen.Index().Byte()
	g.comment("// MarshalJSON implements json.Marshaler.")
	g.Func().Params(x).Id("MarshalJSON").Params().Params(bytes, jen.Error()).Block(
		jen.Return(jen.Qual(pkgCodec, "Marshal").Call(jen.Id("x"))))
	g.comment("// MarshalJSONTo implements json.MarshalerTo of encoding/json/v2.")
	g.Func().Params(x).Id("MarshalJSONTo").Params(jen.Id("enc").Op("*").Qual(pkgJSONText, "Encoder")).Error().Block(
		jen.Return(encode))
	g.comment("// UnmarshalJSON implements json.Unmarshaler.")
	g.Func().Params(ptr).Id("UnmarshalJSON").Params(jen.Id("data").Add(bytes)).Error().Block(
		jen.Return(decode))
	g.comment("// UnmarshalJSONFrom implements json.UnmarshalerFrom of encoding/json/v2.")
	g.Func().Params(ptr).Id("UnmarshalJSONFrom").Params(jen.Id("dec").Op("*").Qual(pkgJSONText, "Decoder")).Error().Block(
		jen.Return(decodeFrom))
}

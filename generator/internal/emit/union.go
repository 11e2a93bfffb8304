package emit

import (
	"github.com/dave/jennifer/jen"

	"github.com/goqapi/goqapi/generator/internal/plan"
)

func (g *group) union(u *plan.Union) {
	var forms []string
	for _, v := range u.Variants {
		forms = append(forms, "["+v.Name+"]")
	}
	g.comment(about(u.Name, "is the union "+u.QAPI, u.Facts, g.module,
		u.Discriminator.Name+" holds the variant, whose type is the tag: "+eitherOf(append(forms, "[Unknown]"))+".")...)
	g.Type().Id(u.Name).StructFunc(func(body *jen.Group) { fields(body, u.Fields) })
	g.sum(u)
	g.unionEncoder(u)
	g.memberMethod(u.Name, commonFields(u), "")
	g.codecMethods(u.Name,
		jen.Qual(pkgCodec, "EncodeObject").Call(jen.Id("enc"), jen.Lit(u.Name), jen.Id("x").Dot("encodeMembers")),
		jen.Id("x").Dot("decode"))
	g.unionDecoder(u)
	g.printing(u.Name, jen.Id("x"))
	g.sealMethods(u.Name, u.Alternates)
	for _, v := range u.Variants {
		if v.Form != plan.Itself {
			g.variantType(v)
		}
	}
}

// commonFields returns the members that all variants have, except the tag.
func commonFields(u *plan.Union) []*plan.Field {
	var fields []*plan.Field
	for _, f := range u.Fields {
		if f != u.Discriminator {
			fields = append(fields, f)
		}
	}
	return fields
}

// tagMethod and sealMethod return the names of the methods that make a type a variant.
func tagMethod(u *plan.Union) string { return u.Enum.TagMethod }

func sealMethod(u *plan.Union) string {
	if u.Name == "Members" { // encodeMembers is the name of another method
		return "encode" + u.Sum
	}
	return "encode" + u.Name
}

// sum writes the interface of the variants.
func (g *group) sum(u *plan.Union) {
	g.comment(wrap(u.Sum + " is what " + u.Name + "." + u.Discriminator.Name + " can hold: the types that the comment of [" + u.Name + "] lists.")...)
	g.Type().Id(u.Sum).Interface(
		jen.Comment("// "+tagMethod(u)+" returns the tag of the variant."),
		jen.Id(tagMethod(u)).Params().Id(u.Enum.Name),
		jen.Id(sealMethod(u)).Params(jen.Op("*").Qual(pkgCodec, "Encoder")),
	)
}

// unionEncoder writes the members in the schema's order, including the tag, and after
// them those of the variant.
func (g *group) unionEncoder(u *plan.Union) {
	holder := jen.Id("x").Dot(u.Discriminator.Name)
	body := []jen.Code{
		jen.If(jen.Op("!").Id("e").Dot("Variant").Call(
			jen.Lit(u.Discriminator.Name), jen.Lit(u.Sum), holder,
		)).Block(jen.Return()),
	}
	for _, f := range u.Fields {
		if f != u.Discriminator {
			body = append(body, encodeField(f))
			continue
		}
		body = append(body, jen.Id("e").Dot("Tag").Call(jen.Lit(f.QAPI),
			jen.String().Call(holder.Clone().Dot(tagMethod(u)).Call())))
	}
	g.encodeMembers(u.Name, append(body, holder.Clone().Dot(sealMethod(u)).Call(jen.Id("e")))...)
}

// unionDecoder writes the decoder: it finds the tag, and reads the members according to
// the tag.
func (g *group) unionDecoder(u *plan.Union) {
	holder := jen.Id("x").Dot(u.Discriminator.Name)
	g.decodeMethod(u.Name,
		jen.Id("u").Op(":=").Add(decoder()).Dot("Union").Call(jen.Lit(u.Name), jen.Lit(u.Discriminator.QAPI)),
		jen.Switch(jen.Id(u.Enum.Name).Call(jen.Id("u").Dot("Tag"))).BlockFunc(func(cases *jen.Group) {
			for _, v := range u.Variants {
				cases.Case(jen.Id(v.Value.Name)).BlockFunc(func(body *jen.Group) {
					decodeVariant(body, v, holder)
				})
			}
			cases.Default().Block(
				holder.Clone().Op("=").Id("unknownVariant").Call(jen.Op("&").Id("u"), jen.Id("x").Dot("member")))
		}),
	)
}

func decodeVariant(body *jen.Group, v *plan.Variant, holder *jen.Statement) {
	common := jen.Id("x").Dot("member")
	if v.Form == plan.Empty {
		body.Id("u").Dot("Empty").Call(common)
		body.Add(holder.Clone()).Op("=").Id(v.Name).Values()
		return
	}
	body.Var().Id("v").Id(v.Name)
	next := func() *jen.Statement { return jen.Id("u").Dot("Member").Call() }
	isCommon := isMember(jen.Id("x"))
	switch {
	case v.Wrapped:
		body.Add(forMembers(next(), next(), jen.Switch().Block(
			jen.Case(isCommon),
			jen.Case(jen.String().Call(name()).Op("==").Lit("data")).Block(decodeData(v)),
			jen.Default().Block(unknownMember()),
		)))
	case v.Form == plan.Nested:
		body.Id("u").Dot("Nested").Call(common, pointerTo(v).Dot("decode"))
	default:
		body.Add(forMembers(next(), next(),
			jen.If(jen.Op("!").Add(isCommon).Op("&&").Op("!").Add(isMember(pointerTo(v)))).Block(unknownMember())))
	}
	body.Add(holder.Clone()).Op("=").Id("v")
}

// decodeData reads the value of the member data into v.
func decodeData(v *plan.Variant) jen.Code {
	t := v.Over
	if v.Form == plan.Itself {
		t = plan.Type{Kind: plan.Object, Name: v.Name, Struct: v.Struct}
	}
	if hasDecoder(t) {
		return pointerTo(v).Dot("decode").Call(decoder())
	}
	t.Name = v.Name
	return decodeInto(jen.Id("v"), t, false)
}

// pointerTo returns v as a pointer to the type whose methods know its members.
func pointerTo(v *plan.Variant) *jen.Statement {
	if v.Form == plan.Itself {
		return jen.Id("v")
	}
	return jen.Parens(jen.Op("*").Id(v.Over.Name)).Call(jen.Op("&").Id("v"))
}

// variantType writes a variant that is not a struct of the schema.
func (g *group) variantType(v *plan.Variant) {
	origin := "is the variant of [" + v.Union.Name + "] for " + v.QAPI
	if v.Schema != "" {
		origin += ", the " + kindOf(v) + " " + v.Schema
	}
	value := v.Facts
	value.Text = "" // that text describes the enum's value
	g.comment(about(v.Name, origin, value, "", v.Text, v.Note)...)
	if v.Form == plan.Empty {
		g.Type().Id(v.Name).Struct()
	} else {
		g.Type().Id(v.Name).Add(goType(v.Over))
	}
	if v.Form == plan.Nested || v.Over.Kind == plan.Object && (v.Struct == nil || v.Struct.Codec) {
		g.delegate(v)
	}
	g.variantMethods(v)
}

func kindOf(v *plan.Variant) string {
	switch {
	case v.Struct != nil:
		return "struct"
	case v.Over.Kind == plan.Object:
		return "union"
	case v.Over.Kind == plan.String && v.Over.Name != "string":
		return "enum"
	}
	return "type"
}

// delegate writes the JSON methods of a type whose underlying type has such methods.
func (g *group) delegate(v *plan.Variant) {
	over := jen.Parens(jen.Op("*").Id(v.Over.Name))
	g.codecMethods(v.Name,
		jen.Qual(pkgCodec, "EncodeObject").Call(jen.Id("enc"), jen.Lit(v.Name), over.Clone().Call(jen.Op("&").Id("x")).Dot("encodeMembers")),
		over.Clone().Call(jen.Id("x")).Dot("decode"))
}

// variantMethods writes the methods that make a type a variant.
func (g *group) variantMethods(v *plan.Variant) {
	g.tagged(v)
	g.comment("// " + tagMethod(v.Union) + " returns [" + v.Value.Name + "].")
	g.Func().Params(jen.Id(v.Name)).Id(tagMethod(v.Union)).Params().Id(v.Union.Enum.Name).Block(
		jen.Return(jen.Id(v.Value.Name)))
	var encode []jen.Code
	receiver := jen.Id("v").Id(v.Name)
	switch {
	case v.Form == plan.Empty:
		receiver = jen.Id(v.Name)
	case v.Wrapped:
		encode = append(encode, jen.Id("e").Dot("Value").Call(jen.Lit("data"), jen.Op("&").Id("v")))
	default:
		encode = append(encode,
			jen.Id("e").Dot("In").Call(jen.Lit(v.Name)),
			pointerTo(v).Dot("encodeMembers").Call(jen.Id("e")))
	}
	g.Line()
	g.Func().Params(receiver).Id(sealMethod(v.Union)).Params(jen.Id("e").Op("*").Qual(pkgCodec, "Encoder")).Block(encode...)
}

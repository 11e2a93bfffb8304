package emit

import (
	"github.com/dave/jennifer/jen"

	"github.com/goqapi/goqapi/generator/internal/plan"
)

func (g *group) alternate(a *plan.Alternate) {
	var forms []string
	for _, b := range a.Branches {
		forms = append(forms, "["+b.Type.Name+"]")
	}
	g.comment(about(a.Name, "is the alternate "+a.QAPI, a.Facts, g.module,
		"It holds "+eitherOf(append(forms, "[Unknown]"))+".")...)
	g.Type().Id(a.Name).Interface(jen.Id("is" + a.Name).Params())
	g.Line()
	g.Func().Id("decode"+a.Name).Params(jen.Id("x").Op("*").Id(a.Name), decoderParam()).Block(
		jen.Switch(decoder().Dot("Alternate").Call()).BlockFunc(func(cases *jen.Group) {
			for _, b := range a.Branches {
				kinds := jen.LitRune(jsonKinds(b.Type.Kind)[0])
				for _, k := range jsonKinds(b.Type.Kind)[1:] {
					kinds.Op(",").LitRune(k)
				}
				cases.Case(kinds).Block(branch(b)...)
			}
			cases.Default().Block(
				jen.Var().Id("v").Id("Unknown"),
				decoder().Dot("Raw").Call(jen.Parens(jen.Op("*").Index().Byte()).Call(jen.Op("&").Id("v").Dot("JSON"))),
				jen.Op("*").Id("x").Op("=").Id("v"),
			)
		}),
	)
}

// branch writes code that decodes one form of an alternate into the interface.
func branch(b *plan.Branch) []jen.Code {
	return []jen.Code{
		jen.Var().Id("v").Id(b.Type.Name),
		decodeInto(jen.Id("v"), b.Type, false),
		jen.Op("*").Id("x").Op("=").Id("v"),
	}
}

// jsonKinds are the first bytes of the JSON values that a kind of type has.
func jsonKinds(k plan.Kind) []rune {
	switch k {
	case plan.Bool:
		return []rune{'t', 'f'}
	case plan.Int, plan.Uint, plan.Float:
		return []rune{'0'}
	case plan.Object:
		return []rune{'{'}
	case plan.List:
		return []rune{'['}
	case plan.Null:
		return []rune{'n'}
	}
	return []rune{'"'}
}

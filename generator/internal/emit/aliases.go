package emit

import (
	"github.com/dave/jennifer/jen"
)

// aliases writes the names that types and values had in older releases.
func (g *group) aliases() {
	for _, a := range g.pkg.Aliases {
		text := a.Name + " is an older name of [" + a.Of + "]."
		switch {
		case a.Newer:
			text = a.Name + " is [" + a.Of + "], which newer releases call " + a.QAPI + " in some places."
		case a.QAPI != "":
			text = a.Name + " is [" + a.Of + "], which QEMU called " + a.QAPI + " before."
		}
		g.comment(wrap(text)...)
		if !a.Newer {
			g.comment("//")
			g.comment(wrap("Deprecated: use [" + a.Of + "].")...)
		}
		g.Type().Id(a.Name).Op("=").Id(a.Of)
		if len(a.Values) == 0 {
			continue
		}
		g.comment("// The older names of the values of [" + a.Of + "].")
		g.comment("//")
		g.comment("// Deprecated: use those of [" + a.Of + "].")
		g.Const().DefsFunc(func(defs *jen.Group) {
			for _, v := range a.Values {
				defs.Id(v.Name).Op("=").Id(v.Of)
			}
		})
	}
}

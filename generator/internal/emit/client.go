package emit

import (
	"slices"

	"github.com/dave/jennifer/jen"

	"github.com/goqapi/goqapi/generator/internal/plan"
)

func (g *group) command(c *plan.Command) {
	if c.Own != nil {
		g.comment("// " + c.Own.Name + " are the arguments of [Client." + c.Name + "].")
		g.structType(c.Own)
		g.printing(c.Own.Name, jen.Id("x"))
	}
	if c.Open != nil {
		g.open(c)
	}
	var notes []string
	if c.NoReply {
		notes = append(notes, "A server that succeeds sends no reply: the method returns nil when the server goes away, and an error when it refuses or ctx ends.")
	}
	if c.Maybe {
		notes = append(notes, "The arguments are optional; more than one value is an error.")
	}
	if c.OOB {
		notes = append(notes, "It can be executed out of band.")
	}
	g.comment(about(c.Name, "executes the command "+c.QAPI, c.Facts, g.module, notes...)...)

	method := g.Func().Params(jen.Id("c").Op("*").Id("Client")).Id(c.Name).ParamsFunc(func(params *jen.Group) {
		params.Id("ctx").Qual("context", "Context")
		switch {
		case c.Open != nil:
			params.Id("dev").Id(c.Open.Interface)
		case c.Args != nil:
			params.Id("args").Do(func(s *jen.Statement) {
				if c.Maybe {
					s.Op("...")
				}
			}).Add(goType(*c.Args))
		}
	})
	args := jen.Nil()
	switch {
	case c.Open != nil:
		version := func() *jen.Statement { return jen.Id("c").Dot("conn").Dot("Greeting").Call().Dot("Version") }
		args = jen.Id("deviceArguments").Call(jen.Id("dev"), jen.Qual(pkgDeviceAdd, "DropsLists").Call(version().Dot("Major"), version().Dot("Minor")))
	case c.Maybe:
		args = jen.Qual(pkgCodec, "AtMostOne").Call(jen.Id("args"))
	case c.Args != nil:
		args = jen.Id("args")
	}
	conn := jen.Id("c").Dot("conn")
	switch {
	case c.NoReply:
		method.Error().Block(jen.Return(conn.Dot("ExecuteNoReply").Call(jen.Id("ctx"), jen.Lit(c.QAPI), args)))
	case c.Args == nil && c.Open == nil && c.Result == nil:
		method.Error().Block(jen.Return(jen.Qual(pkgBind, "Execute").Call(jen.Id("ctx"), conn, jen.Lit(c.QAPI), jen.Nil())))
	case c.Args == nil && c.Open == nil && c.Result.Kind != plan.Any:
		method.Params(goType(*c.Result), jen.Error()).Block(
			jen.Var().Id("result").Add(goType(*c.Result)),
			jen.Err().Op(":=").Add(jen.Qual(pkgBind, "Execute")).Call(jen.Id("ctx"), conn, jen.Lit(c.QAPI), decodeFunc(jen.Id("result"), *c.Result)),
			jen.Return(jen.Id("result"), jen.Err()),
		)
	case c.Result == nil:
		method.Error().Block(jen.Return(conn.Dot("Execute").Call(jen.Id("ctx"), jen.Lit(c.QAPI), args, jen.Nil())))
	default:
		method.Params(goType(*c.Result), jen.Error()).Block(
			jen.Var().Id("result").Add(goType(*c.Result)),
			jen.Err().Op(":=").Add(conn).Dot("Execute").Call(jen.Id("ctx"), jen.Lit(c.QAPI), args, into(jen.Id("result"), *c.Result)),
			jen.Return(jen.Id("result"), jen.Err()),
		)
	}
}

// open writes the interface of the devices that a command takes.
func (g *group) open(c *plan.Command) {
	of, method := c.Open.Interface, c.Open.Method
	g.comment(
		"// "+of+" is a device for [Client."+c.Name+"]: a type of package",
		"// [github.com/goqapi/goqapi/qapi/device], ["+c.Own.Name+"] for any device, or a type of yours:",
		"// any struct with this method whose JSON has the properties by their names in QEMU,",
		"// with id and bus:",
		"//",
		"//\ttype disk struct {",
		"//\t\tID    string `json:\"id\"`",
		"//\t\tDrive string `json:\"drive\"`",
		"//\t}",
		"//",
		"//\tfunc (disk) "+method+"() string { return \"virtio-blk-pci\" }",
		"//",
		"// Properties that are not set must not be in the JSON: tag such fields with omitzero. A",
		"// null, an id that is empty or not a string, and properties that only the server itself",
		"// may set, are errors before anything is sent. So are lists if the server is a QEMU before",
		"// 9.2, which would ignore them and report success.")
	g.Type().Id(of).Interface(
		jen.Comment("// "+method+" returns the type of the device, such as virtio-blk-pci."),
		jen.Id(method).Params().String(),
	)
	g.comment("// " + method + " returns " + c.Open.Tag.Name + ".")
	g.Func().Params(jen.Id("x").Id(c.Own.Name)).Id(method).Params().String().Block(jen.Return(jen.Id("x").Dot(c.Open.Tag.Name)))
	g.comment("// deviceArguments returns what is sent for a device; dropsLists reports whether the server drops lists.")
	g.Func().Id("deviceArguments").Params(jen.Id("dev").Id(of), jen.Id("dropsLists").Bool()).Any().Block(
		jen.Return(jen.Qual(pkgDeviceAdd, "Arguments").CallFunc(func(args *jen.Group) {
			args.Id("dev")
			args.Id("dropsLists")
			for _, name := range c.Own.Refused {
				args.Lit(name)
			}
		})))
}

func (g *group) event(e *plan.Event) {
	g.comment(about(e.Struct.Name, "is the event "+e.QAPI, e.Facts, g.module)...)
	decode := jen.Nil()
	switch {
	case e.Data != nil:
		decode = jen.Qual(pkgBind, "Decode").Call(jen.Id("e"), decodeFunc(jen.Id("x").Dot("Data"), *e.Data))
	case len(e.Struct.Fields) > 0:
		decode = jen.Qual(pkgBind, "Decode").Call(jen.Id("e"), decodeFunc(jen.Id("x"), plan.Type{Kind: plan.Object, Struct: e.Struct}))
	}
	st := *e.Struct
	st.Fields = slices.Concat(e.Own, st.Fields)
	g.structType(&st)
	g.printing(st.Name, jen.Id("x"))

	g.comment("// EventName returns " + e.QAPI + ".")
	g.Func().Params(jen.Id(e.Struct.Name)).Id("EventName").Params().String().Block(jen.Return(jen.Lit(e.QAPI)))
	g.comment("// EventTime returns the Timestamp.")
	g.Func().Params(jen.Id("x").Id(e.Struct.Name)).Id("EventTime").Params().Qual("time", "Time").Block(jen.Return(jen.Id("x").Dot("Timestamp")))
	g.Line()
	g.Func().Params(jen.Id("x").Op("*").Id(e.Struct.Name)).Id("decodeEvent").Params(jen.Id("e").Qual(pkgQMP, "Event")).Error().Block(
		jen.Id("x").Dot("Timestamp").Op("=").Id("e").Dot("Timestamp"),
		jen.Return(decode),
	)

	g.comment(about("On"+e.Name, "calls f for every "+e.QAPI+" event, in order and one at a time, until stop is called. f may execute commands. For stop, see [qmp.Conn.OnEvent]",
		plan.Facts{Deprecated: e.Deprecated, Gone: e.Gone, Instead: e.Instead, Unstable: e.Unstable, In: e.In}, "")...)
	g.Func().Params(jen.Id("c").Op("*").Id("Client")).Id("On" + e.Name).
		Params(jen.Id("f").Func().Params(jen.Id(e.Struct.Name))).
		Params(jen.Id("stop").Func().Params()).Block(
		jen.Return(jen.Id("on").Call(jen.Id("c"), jen.Id("f"))))
}

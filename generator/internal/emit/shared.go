package emit

import (
	"github.com/dave/jennifer/jen"

	"github.com/goqapi/goqapi/generator/internal/plan"
)

// client writes what every package has: the client's type and its events.
func (g *group) client() {
	conn := jen.Op("*").Qual(pkgQMP, "Conn")
	client := jen.Op("*").Id("Client")
	receiver := jen.Id("c").Op("*").Id("Client")
	ctx := jen.Id("ctx").Qual("context", "Context")

	g.comment("// A Client executes commands on one server and receives its events.", "// It is safe for use by any number of goroutines.")
	g.Type().Id("Client").Struct(jen.Id("conn").Add(conn))

	g.comment("// Dial connects to the server at an address, as [qmp." + g.pkg.Dial + "] does.")
	g.Func().Id("Dial").Params(ctx, jen.Id("addr").String(), jen.Id("opts").Op("...").Qual(pkgQMP, "Option")).
		Params(client, jen.Error()).Block(
		jen.List(jen.Id("conn"), jen.Err()).Op(":=").Qual(pkgQMP, g.pkg.Dial).Call(jen.Id("ctx"), jen.Id("addr"), jen.Id("opts").Op("...")),
		jen.If(jen.Err().Op("!=").Nil()).Block(jen.Return(jen.Nil(), jen.Err())),
		jen.Return(jen.Id("NewClient").Call(jen.Id("conn")), jen.Nil()),
	)
	g.comment("// NewClient returns a client that uses a connection.")
	g.Func().Id("NewClient").Params(jen.Id("conn").Add(conn)).Add(client).Block(
		jen.Return(jen.Op("&").Id("Client").Values(jen.Id("conn"))))
	g.comment("// Conn returns the connection.")
	g.Func().Params(receiver).Id("Conn").Params().Add(conn).Block(jen.Return(jen.Id("c").Dot("conn")))
	g.comment("// With returns a client on the same connection whose calls have these options.")
	g.Func().Params(receiver).Id("With").Params(jen.Id("opts").Op("...").Qual(pkgQMP, "CallOption")).Add(client).Block(
		jen.Return(jen.Id("NewClient").Call(jen.Id("c").Dot("conn").Dot("With").Call(jen.Id("opts").Op("...")))))
	g.comment("// Close closes the connection. Calls that wait for a reply fail.")
	g.Func().Params(receiver).Id("Close").Params().Error().Block(jen.Return(jen.Id("c").Dot("conn").Dot("Close").Call()))

	if len(g.pkg.Events) > 0 {
		g.events()
	}
}

// events writes what all events share.
func (g *group) events() {
	event := jen.Qual(pkgQMP, "Event")
	constraint := jen.List(jen.Id("E").Any(), jen.Id("P").Id("eventPointer").Types(jen.Id("E")))
	decode := jen.Id("decodeEvent").Types(jen.Id("E"), jen.Id("P"))
	nameOf := jen.Id("P").Call(jen.New(jen.Id("E"))).Dot("EventName").Call()
	subscribe := jen.Id("c").Dot("conn").Dot("Subscribe").Call(jen.Id("names"), jen.Id("opts").Op("..."))
	stream := func(of, from, decode *jen.Statement) jen.Code {
		return jen.Op("&").Qual(pkgQMP, "Stream").Types(of).Values(jen.Dict{jen.Id("Events"): from, jen.Id("Decode"): decode})
	}

	g.comment("// An Event is one of the events of this package, or an [UnknownEvent].")
	g.Type().Id("Event").Interface(
		jen.Comment("// EventName is the event's name in the schema."),
		jen.Id("EventName").Params().String(),
		jen.Comment("// EventTime is when the event happened, by the server's clock; zero if the server does not know the time."),
		jen.Id("EventTime").Params().Qual("time", "Time"),
	)
	g.comment("// eventPointer is a pointer to an event of this package.")
	g.Type().Id("eventPointer").Types(jen.Id("E").Any()).Interface(
		jen.Op("*").Id("E"), jen.Id("Event"), jen.Id("decodeEvent").Params(event).Error())

	g.comment("// An UnknownEvent is an event that these bindings do not know.")
	g.Type().Id("UnknownEvent").Struct(
		jen.Id("Name").String().Tag(map[string]string{"json": "name"}),
		jen.Id("Timestamp").Qual("time", "Time").Tag(map[string]string{"json": "timestamp,omitzero"}),
		jen.Id("Data").Qual(pkgJSON, "RawMessage").Tag(map[string]string{"json": "data,omitzero"}),
	)
	g.comment("// EventName returns the event's name.")
	g.Func().Params(jen.Id("e").Id("UnknownEvent")).Id("EventName").Params().String().Block(jen.Return(jen.Id("e").Dot("Name")))
	g.comment("// EventTime returns the Timestamp.")
	g.Func().Params(jen.Id("e").Id("UnknownEvent")).Id("EventTime").Params().Qual("time", "Time").Block(jen.Return(jen.Id("e").Dot("Timestamp")))

	g.comment("// Subscribe returns a stream of all events of one type, from now on:",
		"//",
		"//\tstops := Subscribe[StopEvent](c)")
	g.Func().Id("Subscribe").Types(constraint).Params(jen.Id("c").Op("*").Id("Client"), jen.Id("opts").Op("...").Qual(pkgQMP, "SubscribeOption")).
		Op("*").Qual(pkgQMP, "Stream").Types(jen.Id("E")).Block(
		jen.Id("names").Op(":=").Index().String().Values(nameOf.Clone()),
		jen.Return(stream(jen.Id("E"), subscribe.Clone(), decode.Clone())),
	)

	g.comment("// SubscribeEvents returns one stream of the events of several types, in the",
		"// order in which the server sent them. events holds a value of each type, whose fields do not matter.",
		"// If it is empty, the stream has all events; those that these bindings do not know",
		"// are [UnknownEvent].")
	g.Func().Id("SubscribeEvents").Params(jen.Id("c").Op("*").Id("Client"),
		jen.Id("events").Index().Id("Event"), jen.Id("opts").Op("...").Qual(pkgQMP, "SubscribeOption")).
		Op("*").Qual(pkgQMP, "Stream").Types(jen.Id("Event")).Block(
		jen.Var().Id("names").Index().String(),
		jen.For(jen.List(jen.Id("_"), jen.Id("e")).Op(":=").Range().Id("events")).Block(
			jen.Id("names").Op("=").Append(jen.Id("names"), jen.Id("e").Dot("EventName").Call())),
		jen.Return(stream(jen.Id("Event"), subscribe, jen.Id("anyEvent"))),
	)

	g.comment("// on calls f for every event of a type.")
	g.Func().Id("on").Types(constraint.Clone()).Params(jen.Id("c").Op("*").Id("Client"), jen.Id("f").Func().Params(jen.Id("E"))).
		Params(jen.Id("stop").Func().Params()).Block(
		jen.Return(jen.Qual(pkgBind, "On").Call(jen.Id("c").Dot("conn"), nameOf, decode, jen.Id("f"))))

	g.comment("// decodeEvent decodes an event into its type E.")
	g.Func().Id("decodeEvent").Types(constraint).Params(jen.Id("e").Add(event)).Params(jen.Id("E"), jen.Error()).Block(
		jen.Var().Id("x").Id("E"),
		jen.Err().Op(":=").Id("P").Call(jen.Op("&").Id("x")).Dot("decodeEvent").Call(jen.Id("e")),
		jen.Return(jen.Id("x"), jen.Err()),
	)

	g.comment("// anyEvent decodes an event into the type with its name.")
	g.Func().Id("anyEvent").Params(jen.Id("e").Add(event)).Params(jen.Id("Event"), jen.Error()).Block(
		jen.Switch(jen.Id("e").Dot("Name")).BlockFunc(func(cases *jen.Group) {
			for _, e := range g.pkg.Events {
				cases.Case(jen.Lit(e.QAPI)).Block(
					jen.Return(jen.Id("decodeEvent").Types(jen.Id(e.Struct.Name)).Call(jen.Id("e"))))
			}
		}),
		jen.Return(jen.Id("UnknownEvent").Values(
			jen.Id("e").Dot("Name"), jen.Id("e").Dot("Timestamp"), jen.Id("e").Dot("Data")), jen.Nil()),
	)
}

// CodecVersion is the version of package qmp/codec that the generated code is made for.
const CodecVersion = 4

// codecVersion writes constants that do not compile with a wrong version of the codec.
func (g *group) codecVersion() {
	g.comment("// These bindings are made for a version of package codec. If one of these constants",
		"// overflows, the comment on its type says what to do.")
	g.Const().Defs(
		jen.Id("_").Qual(pkgCodec, "GenerateAgain").Op("=").Lit(CodecVersion).Op("-").Qual(pkgCodec, "OldestVersion"),
		jen.Id("_").Qual(pkgCodec, "UpdateGoqapi").Op("=").Qual(pkgCodec, "Version").Op("-").Lit(CodecVersion),
	)
}

// values writes the types for plain JSON values in alternates, and the type for values that
// the bindings do not know.
func (g *group) values() {
	g.codecVersion()
	for _, w := range g.pkg.Wrappers {
		g.comment(w.Name + " is " + w.JSON + ", as one of the forms of an alternate.")
		if w.Over == "" {
			g.Type().Id(w.Name).Struct()
			g.codecMethods(w.Name,
				jen.Id("enc").Dot("WriteToken").Call(jen.Qual(pkgJSONText, "Null")),
				jen.Parens(jen.Op("*").Qual(pkgCodec, "Decoder")).Dot("Null"))
		} else {
			g.Type().Id(w.Name).Id(w.Over)
		}
		g.sealMethods(w.Name, w.Alternates)
	}

	g.comment("// Unknown is a variant of a union, or a form of an alternate, that these bindings",
		"// do not know, for example that of a newer server. You can also build and send one.")
	g.Type().Id("Unknown").Struct(
		jen.Comment("// Tag is the union's discriminator; empty if it had none, and for alternates."),
		jen.Id("Tag").String(),
		jen.Comment("// JSON is an object of the variant's own members, or the alternate's value. Where a"),
		jen.Comment("// union has its variants below a member data, as ChardevBackend does, it is {\"data\": …}."),
		jen.Id("JSON").Qual(pkgJSON, "RawMessage"),
	)
	g.codecMethods("Unknown",
		jen.Qual(pkgCodec, "EncodeRaw").Call(jen.Id("enc"), jen.Id("x").Dot("JSON")),
		jen.Func().Params(decoderParam()).Block(decodeInto(jen.Id("x").Dot("JSON"), plan.Type{Kind: plan.Raw}, false)))
	g.printing("Unknown", jen.Qual(pkgRedacted, "Alone").Call(jen.Id("x")))
	enums := map[*plan.Enum]bool{}
	for _, u := range g.pkg.Unions {
		if !enums[u.Enum] {
			enums[u.Enum] = true
			g.comment("// " + tagMethod(u) + " returns the tag.")
			g.Func().Params(jen.Id("x").Id("Unknown")).Id(tagMethod(u)).Params().Id(u.Enum.Name).Block(
				jen.Return(jen.Id(u.Enum.Name).Call(jen.Id("x").Dot("Tag"))))
		}
		g.Line()
		g.Func().Params(jen.Id("x").Id("Unknown")).Id(sealMethod(u)).Params(jen.Id("e").Op("*").Qual(pkgCodec, "Encoder")).Block(
			jen.Id("e").Dot("Members").Call(jen.Id("x").Dot("JSON")))
	}
	g.sealMethods("Unknown", g.pkg.Alternates)

	g.comment("// oneOf reports whether value is one of several. It is not inlined: there are hundreds of calls.", "//", "//go:noinline")
	g.Func().Id("oneOf").Types(jen.Id("E").Op("~").String()).Params(
		jen.Id("value").Id("E"), jen.Id("values").Op("...").Id("E"),
	).Bool().Block(
		jen.Return(jen.Qual("slices", "Contains").Call(jen.Id("values"), jen.Id("value"))))

	if len(g.pkg.Unions) > 0 {
		g.comment("// unknownVariant decodes the rest of a union whose tag is not known.")
		g.Func().Id("unknownVariant").Params(
			jen.Id("u").Op("*").Qual(pkgCodec, "Union"), jen.Id("common").Qual(pkgCodec, "MemberFunc"),
		).Id("Unknown").Block(
			jen.Return(jen.Id("Unknown").Values(jen.Dict{
				jen.Id("Tag"):  jen.String().Call(jen.Id("u").Dot("Tag")),
				jen.Id("JSON"): jen.Id("u").Dot("Members").Call(jen.Id("common")),
			})))
	}
}

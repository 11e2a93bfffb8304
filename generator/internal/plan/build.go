package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/generator/descriptions"
	"github.com/goqapi/goqapi/generator/internal/names"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/merge"
)

// Options are what a user can choose.
type Options struct {
	// Package is the name of the package to plan.
	Package string
	// Schema names the source of the schema in a few words.
	Schema string
	// Agent is true if the schema is the guest agent's, not QMP's.
	Agent bool
	// Descriptions are our own descriptions of the schema, for the comments.
	Descriptions descriptions.Descriptions
	// QEMUDocs is true if the schema was loaded with QEMU's documentation, and
	// comments should have it.
	QEMUDocs bool
}

// Build plans the bindings for what one or several releases have. Its errors are names that clash and
// constructs that no binding can have.
func Build(m *merge.Merged, opts Options) (*Package, error) {
	b := &builder{
		schema:       m.Schema,
		descriptions: opts.Descriptions,
		agent:        opts.Agent,
		uses:         usesOf(m.Schema),
		history:      history{m},
		pkg:          &Package{Name: opts.Package, Schema: opts.Schema, Dial: "Dial", Manual: qmpManual, ManualPrefix: "QMP"},
		names:        newNamespace(),
		enums:        map[*schema.Enum]*Enum{},
		structs:      map[*schema.Struct]*Struct{},
		unions:       map[*schema.Union]*Union{},
		alternates:   map[*schema.Alternate]*Alternate{},
		wrappers:     map[string]*Wrapper{},
		places:       map[Decl]schema.Pos{},
	}
	if opts.Agent {
		b.pkg.Dial, b.pkg.Manual, b.pkg.ManualPrefix = "DialAgent", agentManual, "QGA"
	}
	b.pkg.QEMUDocs = opts.QEMUDocs
	b.descriptions = b.descriptions.Link(b.linkTarget)
	b.declareTypes()
	b.completeTypes()
	b.files()
	b.aliases()
	b.markCodecs()
	b.checkMembers()
	b.checkEndless()
	if len(b.errs) > 0 {
		return nil, b.errs
	}
	return b.pkg, nil
}

// A builder plans in two steps, since definitions refer to each other: first every type
// gets its name, and then its parts.
type builder struct {
	schema       *schema.Schema
	descriptions descriptions.Descriptions
	agent        bool
	uses         *uses
	history      history
	pkg          *Package
	names        *namespace
	errs         schema.ErrorList
	places       map[Decl]schema.Pos // the definition's place in the schema, by declaration

	enums      map[*schema.Enum]*Enum
	structs    map[*schema.Struct]*Struct // those that have a Go type
	unions     map[*schema.Union]*Union
	alternates map[*schema.Alternate]*Alternate
	wrappers   map[string]*Wrapper // by name
}

func (b *builder) errorf(pos schema.Pos, format string, args ...any) {
	pos.Col = 0
	b.errs = append(b.errs, &schema.Error{Pos: pos, Msg: fmt.Sprintf(format, args...)})
}

// declare reserves a name of the package for the Go declaration of a definition.
func (b *builder) declare(name string, of schema.Definition) string {
	if err := b.names.take(name, quoted(of)); err != nil {
		b.errorf(of.Def().Pos, "%v", err)
	}
	return name
}

// declareTypes names every type of the schema that has a Go type.
func (b *builder) declareTypes() {
	variants := b.variantNames()
	for _, def := range b.schema.Definitions() {
		name := names.Exported(def.Def().Name)
		switch d := def.(type) {
		case *schema.Enum:
			b.enums[d] = &Enum{Facts: b.factsOf(d), Name: b.declare(name, d)}
		case *schema.Struct:
			if b.uses.bases[d] || b.uses.wrappers[d] {
				continue
			}
			if v, ok := variants[d]; ok {
				name = v
			}
			b.structs[d] = &Struct{Facts: b.factsOf(d), Name: b.declare(name, d)}
		case *schema.Union:
			if kind := implicitEnum(d); kind != nil {
				b.enums[kind] = &Enum{Facts: Facts{QAPI: kind.Name}, Name: b.declare(names.Exported(kind.Name), d)}
			}
			b.unions[d] = &Union{Facts: b.factsOf(d), Name: b.declare(name, d), Sum: b.declare(name+"Variant", d)}
			b.pkg.Unions = append(b.pkg.Unions, b.unions[d])
		case *schema.Alternate:
			b.alternates[d] = &Alternate{Facts: b.factsOf(d), Name: b.declare(name, d)}
			b.pkg.Alternates = append(b.pkg.Alternates, b.alternates[d])
		}
	}
}

// completeTypes fills in the parts of the types: enums first, since unions ask for
// their values.
func (b *builder) completeTypes() {
	for _, def := range b.schema.Definitions() {
		switch d := def.(type) {
		case *schema.Enum:
			b.completeEnum(d, d)
		case *schema.Union:
			if kind := implicitEnum(d); kind != nil {
				b.completeEnum(kind, d)
			}
		}
	}
	for _, def := range b.schema.Definitions() {
		switch d := def.(type) {
		case *schema.Struct:
			if st := b.structs[d]; st != nil {
				st.Fields = b.fields(d, d, b.uses.received[d])
			}
		case *schema.Union:
			b.completeUnion(d)
		case *schema.Alternate:
			b.completeAlternate(d)
		}
	}
	b.nameTagMethods()
	b.pkg.Wrappers = sortedWrappers(b.wrappers)
}

// implicitEnum returns the enum that a simple union makes of its branches, or nil.
func implicitEnum(d *schema.Union) *schema.Enum {
	if enum, ok := d.Discriminator.Type.(*schema.Enum); ok && enum.Implicit {
		return enum
	}
	return nil
}

// completeEnum fills in the values of an enum that a definition makes.
func (b *builder) completeEnum(d *schema.Enum, by schema.Definition) {
	e := b.enums[d]
	for _, v := range d.Values {
		e.Values = append(e.Values, &Value{
			Facts: b.partOf(by, facts(v.Name, v.Since, v.If, v.Features)),
			Name:  b.declare(e.Name+names.Suffix(v.Name), by),
		})
	}
}

// fields returns the members of a struct, those of its bases first, as fields of the owner:
// the struct itself, or the command or event whose arguments or data it is.
func (b *builder) fields(owner schema.Definition, st *schema.Struct, received bool) []*Field {
	var fields []*Field
	for _, m := range st.AllMembers() {
		fields = append(fields, b.field(owner, m, received))
	}
	return fields
}

func (b *builder) field(owner schema.Definition, m *schema.Member, received bool) *Field {
	f := &Field{
		Facts:    b.partOf(owner, facts(m.Name, m.Since, m.If, m.Features)),
		Name:     names.Exported(m.Name),
		Type:     b.typeOf(m.Type, received, m.Pos),
		Optional: m.Optional,
	}
	if in, form := b.history.Plain(owner, m.Name); in != 0 {
		f.Only = b.formName(form, m.Pos) + " in " + strings.TrimSuffix(b.history.describe(in, ""), " only")
	}
	if b.isBase64(owner, m) {
		f.Type = Type{Kind: Bytes, Name: "[]byte"}
	}
	return f
}

// formName returns how comments name a form of an alternate.
func (b *builder) formName(t schema.Type, pos schema.Pos) string {
	form := b.typeOf(t, false, pos)
	if _, builtin := t.(schema.Builtin); builtin {
		return "[" + b.wrapperOf(form, pos).Name + "]"
	}
	return "[" + form.Name + "]"
}

// typeOf returns the Go type for a type of the schema. In received types an any is kept as
// JSON text, since a decoded number could lose digits.
func (b *builder) typeOf(t schema.Type, received bool, pos schema.Pos) Type {
	switch t := t.(type) {
	case schema.Builtin:
		if t == schema.Any {
			if received {
				return Type{Kind: Raw, Name: "RawMessage"}
			}
			return Type{Kind: Any, Name: "any"}
		}
		if t == schema.Null {
			b.wrapper("Null", "", "null", pos)
		}
		return builtins[t]
	case *schema.Array:
		if t.Elem == schema.Type(schema.Uint8) {
			// A slice of bytes would be base64 in JSON.
			return Type{Kind: List, Elem: &Type{Kind: Uint, Name: "uint16"}}
		}
		elem := b.typeOf(t.Elem, received, pos)
		return Type{Kind: List, Name: elem.Name, Elem: &elem}
	case *schema.Enum:
		return Type{Kind: String, Name: b.enums[t].Name}
	case *schema.Struct:
		if st := b.structs[t]; st != nil {
			return Type{Kind: Object, Name: st.Name, Struct: st}
		}
	case *schema.Union:
		u := b.unions[t]
		return Type{Kind: Object, Name: u.Name, Union: u}
	case *schema.Alternate:
		return Type{Kind: Interface, Name: b.alternates[t].Name}
	}
	b.errorf(pos, "type %s has no Go type", t.TypeName())
	return Type{Kind: Any, Name: "any"}
}

// files sorts everything into files by module, in the schema's order.
func (b *builder) files() {
	const all = "what all modules share"
	taken := map[string]string{ClientFile: all, ValuesFile: all, AliasesFile: all}
	for _, module := range b.schema.Modules {
		f := &File{Name: names.File(module.Path), Module: module.Path[strings.LastIndexByte(module.Path, '/')+1:]}
		for _, def := range module.Definitions {
			if union, ok := def.(*schema.Union); ok && implicitEnum(union) != nil {
				f.Decls = append(f.Decls, b.enums[implicitEnum(union)])
			}
			if decl := b.decl(def); decl != nil {
				f.Decls = append(f.Decls, decl)
				b.places[decl] = def.Def().Pos
			}
		}
		if len(f.Decls) == 0 {
			continue
		}
		if strings.ContainsRune("_.", rune(f.Name[0])) {
			b.errorf(schema.Pos{File: module.Path}, "the module becomes the file %s, which Go does not compile", f.Name)
		}
		key := strings.ToLower(f.Name) // some file systems ignore case
		if other, ok := taken[key]; ok {
			b.errorf(schema.Pos{File: module.Path}, "the module becomes the file %s, and so does %s", f.Name, other)
		}
		taken[key] = "module " + module.Path
		b.pkg.Files = append(b.pkg.Files, f)
	}
}

// decl returns what a definition declares, or nil.
func (b *builder) decl(def schema.Definition) Decl {
	switch d := def.(type) {
	case *schema.Enum:
		return b.enums[d]
	case *schema.Struct:
		if st := b.structs[d]; st != nil {
			return st
		}
		return nil
	case *schema.Union:
		return b.unions[d]
	case *schema.Alternate:
		return b.alternates[d]
	case *schema.Command:
		c := b.command(d)
		b.pkg.Commands = append(b.pkg.Commands, c)
		return c
	case *schema.Event:
		e := b.event(d)
		b.pkg.Events = append(b.pkg.Events, e)
		return e
	}
	b.errorf(def.Def().Pos, "no Go declaration is known for %s", quoted(def))
	return nil
}

func (b *builder) command(d *schema.Command) *Command {
	c := &Command{
		Facts:   b.factsOf(d),
		Name:    names.Exported(d.Name),
		NoReply: !d.SuccessResponse,
		OOB:     d.AllowOOB,
	}
	if err := b.names.takeMethod(c.Name, quoted(d)); err != nil {
		b.errorf(d.Pos, "%v", err)
	}
	switch args := d.Args.(type) {
	case nil:
	case *schema.Struct:
		if !args.Implicit && d.Gen {
			t := b.typeOf(args, false, d.Pos)
			c.Args, c.Maybe = &t, t.Struct != nil && allOptional(t.Struct.Fields)
			break
		}
		fields := b.fields(d, args, false)
		if len(fields) == 0 && d.Gen {
			break
		}
		c.Own = &Struct{
			Facts:  Facts{QAPI: d.Name},
			Name:   b.declare(c.Name+"Args", d),
			Fields: fields,
		}
		if !d.Gen {
			c.Own.Props, c.Own.Refused = propsName(fields), refusedProps[d.Name]
			c.Open = b.open(d, fields)
		}
		c.Maybe = allOptional(fields)
		c.Args = &Type{Kind: Object, Name: c.Own.Name}
	default:
		t := b.typeOf(args, false, d.Pos)
		c.Args = &t
	}
	if d.Returns != nil {
		t := b.typeOf(d.Returns, true, d.Pos)
		c.Result = &t
		if returnsAlternate(t) {
			b.errorf(d.Pos, "command '%s' returns alternates, which the bindings can decode only as members of an object", d.Name)
		}
	}
	return c
}

// refusedProps are, by command, members that QEMU accepts although only QEMU may set them:
// realized makes every release crash with SIGSEGV.
var refusedProps = map[string][]string{
	"device_add": {"hotplugged", "parent_bus", "realized", "type"},
}

// openInterfaces has, by command, the interface of its possible arguments, and the
// member that identifies them.
var openInterfaces = map[string]struct{ name, tag string }{
	"device_add": {"Device", "driver"},
}

// open plans the interface of a command's arguments, if it has one.
func (b *builder) open(d *schema.Command, fields []*Field) *Open {
	of, ok := openInterfaces[d.Name]
	at := slices.IndexFunc(fields, func(f *Field) bool {
		return f.QAPI == of.tag && f.Type.Kind == String && !f.Optional
	})
	if !ok || at < 0 {
		return nil
	}
	return &Open{b.declare(of.name, d), of.name + fields[at].Name, fields[at]}
}

// allOptional reports whether there are fields and all of them are optional.
func allOptional(fields []*Field) bool {
	return len(fields) > 0 && !slices.ContainsFunc(fields, func(f *Field) bool { return !f.Optional })
}

// propsName returns the name of the field for further members: Props, unless the schema has
// a member of that name (object-add of QEMU 5.2).
func propsName(fields []*Field) string {
	if slices.ContainsFunc(fields, func(f *Field) bool { return f.Name == "Props" }) {
		return "Properties"
	}
	return "Props"
}

// returnsAlternate reports whether a result is an alternate or a list of them: alternates can
// be decoded only as members of an object.
func returnsAlternate(t Type) bool {
	for t.Kind == List {
		t = *t.Elem
	}
	return t.Kind == Interface
}

func (b *builder) event(d *schema.Event) *Event {
	e := &Event{Facts: b.factsOf(d), Name: names.Event(d.Name)}
	if err := b.names.takeMethod("On"+e.Name, quoted(d)); err != nil {
		b.errorf(d.Pos, "%v", err)
	}
	e.Struct = &Struct{Facts: e.Facts, Name: b.declare(e.Name+"Event", d)}
	e.Own = []*Field{{
		Facts:    Facts{QAPI: "timestamp", Text: "Timestamp is when the event happened, by the server's clock; zero if the server does not know the time."},
		Name:     "Timestamp",
		Type:     Type{Kind: Time, Name: "Time"},
		Optional: true,
	}}
	switch data := d.Data.(type) {
	case nil:
	case *schema.Struct:
		e.Struct.Fields = b.fields(d, data, true)
	default:
		t := b.typeOf(data, true, d.Pos)
		e.Data = &t
		e.Own = append(e.Own, &Field{Facts: Facts{QAPI: "data", Text: "Data is the data of the event."}, Name: "Data", Type: t})
	}
	return e
}

// markCodecs finds the types that need JSON code of their own: alternates
// cannot be decoded by reflection, and unions ask their variants for members.
func (b *builder) markCodecs() {
	mark := func(st *Struct) {
		if st.Props != "" || slices.ContainsFunc(st.Fields, func(f *Field) bool { return returnsAlternate(f.Type) }) {
			st.Codec, st.Members = true, true
		}
	}
	for _, st := range b.structs {
		mark(st)
	}
	for _, f := range b.pkg.Files {
		for _, decl := range f.Decls {
			switch d := decl.(type) {
			case *Command:
				if d.Own != nil {
					mark(d.Own)
				}
			case *Event:
				mark(d.Struct)
			}
		}
	}
	for _, u := range b.pkg.Unions {
		for _, v := range u.Variants {
			if v.Struct != nil && !v.Wrapped {
				v.Struct.Members, v.Struct.Spread = true, true
			}
		}
	}
	b.markLoops()
}

// markLoops finds the structs that a server sends: they are decoded member by member,
// without reflection.
func (b *builder) markLoops() {
	for d, st := range b.structs {
		st.Loop = b.uses.received[d] && !st.Codec
	}
	for _, e := range b.pkg.Events {
		e.Struct.Loop = len(e.Struct.Fields) > 0 && !e.Struct.Codec
	}
}

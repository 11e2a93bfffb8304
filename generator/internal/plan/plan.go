// Package plan decides what Go declarations a QAPI schema becomes. It makes
// every choice and writes no code: a plan is plain data that package emit
// prints and that tests compare.
package plan

import "github.com/goqapi/goqapi/schema"

// A Package is the plan of one package of bindings.
type Package struct {
	// Name is the package's name.
	Name string
	// Schema names the source of the bindings, for the files' headings.
	Schema string
	// QEMUDocs is true if comments have QEMU's own documentation.
	QEMUDocs bool
	// Dial is the function of package qmp that connects to such a server.
	Dial string
	// Manual is the page of QEMU's manual that documents the schema, and
	// ManualPrefix the text before the module in its anchors: "QMP" or "QGA".
	Manual, ManualPrefix string

	// Files are the files by QAPI module, in the schema's order; a module that
	// defines nothing has none.
	Files []*File

	// The declarations of all files together, in the same order.
	Commands   []*Command
	Events     []*Event
	Unions     []*Union
	Alternates []*Alternate
	// Wrappers are the types for plain JSON values in alternates.
	Wrappers []*Wrapper
	// Aliases are the names that types had in older releases.
	Aliases []*Alias
}

// A File is one Go file.
type File struct {
	Name   string // such as block_core_gen.go
	Module string // such as block-core.json
	// Decls are *Enum, *Struct, *Union, *Alternate, *Command and *Event.
	Decls []Decl
}

// A Decl is one declaration with what belongs to it.
type Decl interface{ about() *Facts }

// Facts are the facts of the schema about something, for its comment.
type Facts struct {
	QAPI       string // its name in the schema
	Kind       string // its kind in the schema, such as "command"; empty for parts
	Since      string // the first release according to the schema, such as "2.12"
	In         string // the releases that have it, such as "QEMU 7.1 and later"; empty if all have
	Only       string // the only form that some releases accept, such as "[Str] in QEMU 5.2 to 7.0"
	Gone       string // when QEMU removed it, such as "in 9.1"; empty if it was not removed
	If         string
	Deprecated bool
	Instead    string // what to use instead, if it is deprecated or removed
	Unstable   bool
	Features   []string // other features
	Link       string   // the anchor in QEMU's manual
	// Text is our own description. That of a definition completes a sentence
	// that begins with its Go name.
	Text string
	// Doc is QEMU's own documentation, where it was asked for.
	Doc string
}

func (f *Facts) about() *Facts { return f }

// Kind is the kind of a Go type: how its values are declared, encoded and decoded.
type Kind int

// The kinds.
const (
	String    Kind = iota // string, or a type over it
	Bool                  // bool
	Int                   // a signed integer
	Uint                  // an unsigned integer
	Float                 // float64
	Bytes                 // []byte, in JSON a string of base64
	Any                   // any
	Raw                   // json.RawMessage
	Null                  // the wrapper for null
	Time                  // time.Time
	Object                // a struct; also a union, which is one in Go
	Interface             // an alternate
	List                  // a slice
)

// A Type is the Go type of a member, an argument or a result.
type Type struct {
	Kind Kind
	Name string // as Go writes it; for a List, the name of Elem
	Elem *Type  // of a List

	Struct *Struct // of an Object that is not a union
	Union  *Union  // of an Object that is a union
}

// A Field is a member of a struct.
type Field struct {
	Facts
	Name     string
	Type     Type
	Optional bool
}

// Pointer reports whether the field's Go type is a pointer: it is optional, and no
// value of its own type can mean that it is absent.
func (f *Field) Pointer() bool {
	switch f.Type.Kind {
	case Any, Raw, Bytes, Interface, List, Time:
		return false
	}
	return f.Optional
}

// An Enum is a string type with its values.
type Enum struct {
	Facts
	Name   string
	Values []*Value
	// TagMethod is the method of a union's variants that returns the tag, if
	// the enum is that of a discriminator.
	TagMethod string
	// Alternates are the alternates that have the enum as a branch.
	Alternates []*Alternate
}

// A Value is one value of an enum.
type Value struct {
	Facts
	Name string // of the constant
}

// A Struct is an object without variants.
type Struct struct {
	Facts
	Name   string
	Fields []*Field
	// Props is the field for further members, of a command that takes more
	// than the schema knows; empty if it does not.
	Props string
	// Refused are further members that must not be sent.
	Refused []string
	// Variant is set if the struct is a union's variant itself.
	Variant *Variant
	// Members is true if the struct writes its members one by one, because they are in the
	// object of a union, or because it contains alternates.
	Members bool
	// Spread is true if the struct's members are in the object of a union, next to the union's own members.
	Spread bool
	// Codec is true if the struct has JSON methods of its own.
	Codec bool
	// Loop is true if the struct is decoded member by member although it has no JSON
	// methods of its own: a server sends it, and this is faster than reflection.
	Loop bool
	// Alternates are the alternates that have the struct as a branch.
	Alternates []*Alternate
}

// A Union is a struct with the members that all variants have, and an interface for the variant.
type Union struct {
	Facts
	Name   string
	Fields []*Field // the common members; the discriminator is one of them
	// Discriminator is the field that holds the variant.
	Discriminator *Field
	Sum           string // the interface of the variants
	Enum          *Enum  // the discriminator's type in the schema
	Variants      []*Variant
	// Alternates are the alternates that have the union as a branch.
	Alternates []*Alternate
}

// Form is the form of a variant's Go type.
type Form int

// The forms.
const (
	Itself Form = iota // a struct of the schema that is the variant
	Over               // a type of its own whose underlying type is something else
	Empty              // a type without members
	Nested             // a type of its own whose underlying type is a union; both tags are in the same object
)

// A Variant is one value of a union's discriminator and what it adds.
type Variant struct {
	Facts
	Union *Union
	Name  string
	Value *Value // the tag
	Form  Form
	// Wrapped is true if the variant is in the member data on the wire.
	Wrapped bool
	// Struct is the variant if Form is Itself; if Form is Over, it is the underlying struct, if
	// there is one.
	Struct *Struct
	// Over is the underlying type of an Over or a Nested variant.
	Over Type
	// Schema is the name of its type in the schema, empty if there is none.
	Schema string
	// Note is the union's description of variants without members.
	Note string
}

// An Alternate is a sealed interface over types of different JSON kinds.
type Alternate struct {
	Facts
	Name     string
	Branches []*Branch
}

// A Branch is one form of an alternate.
type Branch struct {
	Facts
	Type Type // its Name is the name of the type that implements the interface
}

// A Wrapper is a type for a plain JSON value.
type Wrapper struct {
	Name       string
	Over       string // the Go type; empty for Null
	JSON       string // what the JSON value is, in words
	Alternates []*Alternate
}

// An Alias is an older name of a type.
type Alias struct {
	QAPI   string // the older name in the schema; empty if it had none
	Newer  bool   // it is QEMU's newest name, and the Go type keeps the older one
	Name   string
	Of     string
	Values []AliasValue // of an enum
}

// An AliasValue is the older name of a constant.
type AliasValue struct{ Name, Of string }

// A Command is a method of the client.
type Command struct {
	Facts
	Name    string
	Args    *Type   // nil if there are none
	Maybe   bool    // the arguments can be left out, since all are optional
	Own     *Struct // the struct made for the arguments, if they are inline
	Result  *Type   // nil if there is none
	Open    *Open   // other possible arguments, if the schema does not list all of them
	NoReply bool    // the only reply is an error
	OOB     bool    // can be executed out of band
}

// An Open is the interface of the possible arguments of a command that takes more than
// the schema lists: the command's own struct, and types of other packages.
type Open struct {
	Interface string
	Method    string // the interface's method, which returns the member Tag
	Tag       *Field
}

// An Event is a struct and a way to subscribe to it.
type Event struct {
	Facts
	Name   string  // BlockIOError
	Struct *Struct // BlockIOErrorEvent
	// Own has the fields that come before those of the event's data.
	Own []*Field
	// Data is the type of the event's data if that is a union; a field holds it.
	Data *Type
}

// kinds has the kinds of the built-in types.
var builtins = map[schema.Builtin]Type{
	schema.Str:    {Kind: String, Name: "string"},
	schema.QType:  {Kind: String, Name: "string"},
	schema.Bool:   {Kind: Bool, Name: "bool"},
	schema.Int:    {Kind: Int, Name: "int64"},
	schema.Int8:   {Kind: Int, Name: "int8"},
	schema.Int16:  {Kind: Int, Name: "int16"},
	schema.Int32:  {Kind: Int, Name: "int32"},
	schema.Int64:  {Kind: Int, Name: "int64"},
	schema.Uint8:  {Kind: Uint, Name: "uint8"},
	schema.Uint16: {Kind: Uint, Name: "uint16"},
	schema.Uint32: {Kind: Uint, Name: "uint32"},
	schema.Uint64: {Kind: Uint, Name: "uint64"},
	schema.Size:   {Kind: Uint, Name: "uint64"},
	schema.Number: {Kind: Float, Name: "float64"},
	schema.Null:   {Kind: Null, Name: "Null"},
}

// The files for what the modules share.
const (
	ClientFile  = "client_gen.go"
	ValuesFile  = "values_gen.go"
	AliasesFile = "aliases_gen.go" // only if there are any
)

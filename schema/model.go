// Package schema reads QAPI schemas: it parses them, checks them by the rules
// of QEMU's own parser, and returns a model of what they define. It also writes
// models as schemas, and compares them. It reads the language of every QEMU
// release from 5.2 on. It does not depend on how the schema becomes Go.
package schema

import "io/fs"

// Load reads the schema whose root file is named, with everything it includes,
// from fsys, and checks it. The error of a bad schema is an ErrorList.
//
// The root's name and those of includes are paths in fsys, and nothing outside
// of fsys is read. An os.DirFS follows symbolic links to anywhere; the FS of an
// os.Root does not.
func Load(fsys fs.FS, root string, opts ...Option) (*Schema, error) {
	return load(fsys, root, opts)
}

// A Schema is one interface: everything that a root file and its includes
// define. It has passed every check, so all references are resolved.
type Schema struct {
	// Modules are the files, in the order in which they were first reached;
	// the root file is the first.
	Modules []*Module
	// Pragmas apply to the whole schema.
	Pragmas Pragmas

	defs    map[string]Definition
	pragmas *Module // the first module that sets pragmas, otherwise the root
	oldForm bool    // set for a schema in the language of QEMU 5.2
}

// Lookup returns the definition of that name, or nil. It finds the enums that
// simple unions make, too.
func (s *Schema) Lookup(name string) Definition { return s.defs[name] }

// A Module is one file of a schema.
type Module struct {
	// Path is the file's path below the schema's root, with slashes.
	Path string
	// Includes are the files that this one includes itself, in order.
	Includes []*Module
	// Definitions are the definitions in the file, in order.
	Definitions []Definition
}

// A Pos is a place in a schema. Line and Col count from 1, Col in characters;
// a zero Col stands for the whole line.
type Pos struct {
	File      string
	Line, Col int
}

// A Definition is an *Enum, *Struct, *Union, *Alternate, *Command or *Event.
type Definition interface {
	// Def returns the part that all kinds of definition have.
	Def() *Common
	// Kind is the keyword of the definition in the language, such as "enum".
	Kind() string
}

// Common is what every definition has.
type Common struct {
	Name     string
	Module   *Module
	Pos      Pos
	If       *Cond // nil: always
	Features []*Feature
	// Since is the release that introduced the definition, such as "2.12"; empty if the
	// documentation does not name it.
	Since string
	// Doc is the documentation, if Load was asked to keep it.
	Doc *Doc
}

// Def returns c.
func (c *Common) Def() *Common { return c }

// A Type is what a member or a reply can be: a Builtin, *Array, *Enum,
// *Struct, *Union or *Alternate.
type Type interface {
	// TypeName is the type as the language writes it: "int", "[str]", "RunState".
	TypeName() string
}

// A Builtin is a type of the language itself.
type Builtin string

// The built-in types.
const (
	Str    Builtin = "str"
	Number Builtin = "number"
	Int    Builtin = "int"
	Int8   Builtin = "int8"
	Int16  Builtin = "int16"
	Int32  Builtin = "int32"
	Int64  Builtin = "int64"
	Uint8  Builtin = "uint8"
	Uint16 Builtin = "uint16"
	Uint32 Builtin = "uint32"
	Uint64 Builtin = "uint64"
	Size   Builtin = "size"
	Bool   Builtin = "bool"
	Null   Builtin = "null"
	Any    Builtin = "any"
	QType  Builtin = "QType"
)

// An Array is a list of one type.
type Array struct{ Elem Type }

// An Enum is a named set of strings.
type Enum struct {
	Common
	Values []*EnumValue
	Prefix string // the prefix of QEMU's C names; empty unless given
	// Implicit marks the enum of a simple union of QEMU 5.2.
	Implicit bool
}

// An EnumValue is one value of an enum.
type EnumValue struct {
	Name     string
	Pos      Pos
	If       *Cond
	Features []*Feature
	Since    string
}

// A Struct is an object type. Commands, events and unions that list their members
// themselves have a Struct without a name.
type Struct struct {
	Common
	Base    *Struct
	Members []*Member // its own; AllMembers also returns those of the base
	// Implicit marks a struct without a definition of its own: inline arguments, event
	// data or bases of unions, and the wrappers of simple unions.
	Implicit bool
}

// A Member is one member of an object.
type Member struct {
	Name     string
	Pos      Pos
	Type     Type
	Optional bool
	If       *Cond
	Features []*Feature
	Since    string
}

// A Union is an object whose members depend on the value of one of them.
type Union struct {
	Common
	// Base holds the members that all variants have, including the discriminator; it is
	// Implicit if it is inline.
	Base *Struct
	// Discriminator is the member of Base whose value selects the variant; its type is
	// an *Enum.
	Discriminator *Member
	// Branches are the branches that the schema lists, in order. A value of the
	// discriminator that has none adds no members.
	Branches []*Branch
	// Simple marks a simple union of QEMU 5.2: each branch is an implicit
	// struct with one member, data.
	Simple bool
}

// A Branch is what one value of a union's discriminator adds.
type Branch struct {
	Name string // the value
	Pos  Pos
	Type Type // *Struct or *Union
	If   *Cond
}

// An Alternate is a value of one of several JSON kinds.
type Alternate struct {
	Common
	Branches []*AltBranch
}

// An AltBranch is one form that an alternate can take.
type AltBranch struct {
	Name  string
	Pos   Pos
	Type  Type
	If    *Cond
	Since string
}

// A Command is a command that a client can send.
type Command struct {
	Common
	// Args is nil if there are none, otherwise a *Struct (Implicit if inline) or, for a
	// boxed command, possibly a *Union.
	Args Type
	// Boxed is set if the schema gives the arguments as one named type.
	Boxed bool
	// Returns is nil if the command returns nothing.
	Returns Type
	// Gen is false if the command takes more arguments than the schema lists.
	Gen bool
	// SuccessResponse is false if the only reply is an error.
	SuccessResponse bool
	// AllowOOB is set if the command can be executed out of band.
	AllowOOB       bool
	AllowPreconfig bool
	Coroutine      bool
}

// An Event is a message that the server sends without being asked.
type Event struct {
	Common
	Data  Type // nil, *Struct or *Union, as for Command.Args
	Boxed bool
}

// A Feature is a mark on a definition, member or value. New releases can have new ones.
type Feature struct {
	Name  string
	Pos   Pos
	If    *Cond
	Since string
}

// A Cond is the condition under which something is compiled into QEMU.
// Exactly one of its fields is set.
type Cond struct {
	// Symbol is a configuration symbol, such as CONFIG_LINUX.
	Symbol string
	All    []*Cond
	Any    []*Cond
	Not    *Cond
}

// Pragmas are the settings that a schema makes for its own checks.
type Pragmas struct {
	DocRequired              bool
	CommandNameExceptions    []string
	CommandReturnsExceptions []string
	MemberNameExceptions     []string
	DocumentationExceptions  []string
}

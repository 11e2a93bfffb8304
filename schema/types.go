package schema

import "slices"

// The kinds of definition.

func (*Enum) Kind() string      { return "enum" }
func (*Struct) Kind() string    { return "struct" }
func (*Union) Kind() string     { return "union" }
func (*Alternate) Kind() string { return "alternate" }
func (*Command) Kind() string   { return "command" }
func (*Event) Kind() string     { return "event" }

// The names of the types. An inline struct has none.

func (b Builtin) TypeName() string    { return string(b) }
func (a *Array) TypeName() string     { return "[" + a.Elem.TypeName() + "]" }
func (e *Enum) TypeName() string      { return e.Name }
func (s *Struct) TypeName() string    { return s.Name }
func (u *Union) TypeName() string     { return u.Name }
func (a *Alternate) TypeName() string { return a.Name }

// A JSONKind is the kind of a JSON value, which its first character shows.
type JSONKind string

// The kinds of JSON value.
const (
	JSONObject JSONKind = "object"
	JSONArray  JSONKind = "array"
	JSONString JSONKind = "string"
	JSONNumber JSONKind = "number"
	JSONBool   JSONKind = "boolean"
	JSONNull   JSONKind = "null"
)

// KindOf returns the kind of all values of a type, or "" if they can be of several
// kinds.
func KindOf(t Type) JSONKind {
	switch t := t.(type) {
	case *Struct, *Union:
		return JSONObject
	case *Array:
		return JSONArray
	case *Enum:
		return JSONString
	case Builtin:
		switch t {
		case Str, QType:
			return JSONString
		case Bool:
			return JSONBool
		case Null:
			return JSONNull
		case Any:
			return ""
		}
		return JSONNumber
	}
	return ""
}

// AllMembers returns the members of the struct, those of its base first.
func (s *Struct) AllMembers() []*Member {
	if s == nil {
		return nil
	}
	if s.Base == nil {
		return s.Members
	}
	var chain []*Struct
	for ; s != nil; s = s.Base {
		chain = append(chain, s)
	}
	var all []*Member
	for _, s := range slices.Backward(chain) {
		all = append(all, s.Members...)
	}
	return all
}

// Value returns the value of that name, or nil.
func (e *Enum) Value(name string) *EnumValue {
	for _, v := range e.Values {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// Branch returns the branch for a value of the discriminator, or nil if that value adds
// no members.
func (u *Union) Branch(value string) *Branch {
	for _, b := range u.Branches {
		if b.Name == value {
			return b
		}
	}
	return nil
}

// Tag returns the type of the discriminator.
func (u *Union) Tag() *Enum { return u.Discriminator.Type.(*Enum) }

// Definitions returns all definitions, module by module.
func (s *Schema) Definitions() []Definition {
	var defs []Definition
	for _, m := range s.Modules {
		defs = append(defs, m.Definitions...)
	}
	return defs
}

// Commands returns the schema's commands, module by module.
func (s *Schema) Commands() []*Command { return only[*Command](s) }

// Events returns the schema's events, module by module.
func (s *Schema) Events() []*Event { return only[*Event](s) }

// Enums returns the enums with a definition of their own, module by module.
func (s *Schema) Enums() []*Enum { return only[*Enum](s) }

// Structs returns the structs that have a name, module by module.
func (s *Schema) Structs() []*Struct { return only[*Struct](s) }

// Unions returns the schema's unions, module by module.
func (s *Schema) Unions() []*Union { return only[*Union](s) }

// Alternates returns the schema's alternates, module by module.
func (s *Schema) Alternates() []*Alternate { return only[*Alternate](s) }

func only[D Definition](s *Schema) []D {
	var defs []D
	for _, def := range s.Definitions() {
		if d, ok := def.(D); ok {
			defs = append(defs, d)
		}
	}
	return defs
}

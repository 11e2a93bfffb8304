package schema

import "slices"

// The built-in types, in the order of the manual.
var builtins = []Builtin{
	Str, Number, Int, Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64, Size, Bool, Null, Any, QType,
}

// define registers all definitions under their names. Types, commands and events share
// one name space.
func (l *loader) define() {
	for _, d := range l.decls {
		c := d.def.Def()
		if slices.Contains(builtins, Builtin(c.Name)) {
			l.fail(d.errorf("the name is taken by the built-in type '%s'", c.Name))
			continue
		}
		if other := l.schema.defs[c.Name]; other != nil {
			l.fail(d.errorf("the name is taken by the %s that is defined at %v", other.Kind(), other.Def().Pos))
			continue
		}
		l.schema.defs[c.Name] = d.def
		c.Module.Definitions = append(c.Module.Definitions, d.def)
		if u, ok := d.def.(*Union); ok && u.Simple {
			kind := u.Discriminator.Type.(*Enum)
			if other := l.schema.defs[kind.Name]; other != nil {
				l.fail(d.errorf("the name of its tag's type, '%s', is taken by the %s that is defined at %v",
					kind.Name, other.Kind(), other.Def().Pos))
				continue
			}
			l.schema.defs[kind.Name] = kind
		}
	}
}

// resolve replaces the names of types by the types.
func (l *loader) resolve() {
	for _, d := range l.decls {
		if err := l.resolveTypes(d); err != nil {
			d.bad = true
			l.fail(err)
		}
	}
}

// lookupType finds a type; what names the place where it is used, for errors.
func (l *loader) lookupType(d *decl, t Type, what string) (Type, *Error) {
	ref, ok := t.(typeRef)
	if !ok {
		return t, nil
	}
	var elem Type
	if slices.Contains(builtins, Builtin(ref.name)) {
		elem = Builtin(ref.name)
	} else if elem, ok = l.schema.defs[ref.name].(Type); !ok {
		if other := l.schema.defs[ref.name]; other != nil {
			return nil, d.errorf("%s uses '%s' as a type, which is the %s", what, ref.name, describe(other))
		}
		return nil, d.errorf("%s uses the type '%s', which is not defined", what, ref.name)
	}
	if ref.list {
		return &Array{Elem: elem}, nil
	}
	return elem, nil
}

func (l *loader) resolveTypes(d *decl) *Error {
	var err *Error
	switch def := d.def.(type) {
	case *Struct:
		if def.Base, err = l.lookupBase(d); err != nil {
			return err
		}
		return l.resolveMembers(d, def.Members)
	case *Union:
		if def.Base == nil {
			if def.Base, err = l.lookupBase(d); err != nil {
				return err
			}
		} else if err := l.resolveMembers(d, def.Base.Members); err != nil {
			return err
		}
		for _, b := range def.Branches {
			if def.Simple {
				err = l.resolveMembers(d, b.Type.(*Struct).Members)
			} else {
				b.Type, err = l.lookupType(d, b.Type, "the branch '"+b.Name+"'")
			}
			if err != nil {
				return err
			}
		}
	case *Alternate:
		for _, b := range def.Branches {
			if b.Type, err = l.lookupType(d, b.Type, "the branch '"+b.Name+"'"); err != nil {
				return err
			}
		}
	case *Command:
		if def.Args, err = l.resolveArguments(d, def.Args); err != nil {
			return err
		}
		def.Returns, err = l.lookupType(d, def.Returns, "'returns'")
	case *Event:
		def.Data, err = l.resolveArguments(d, def.Data)
	}
	return err
}

func (l *loader) resolveMembers(d *decl, members []*Member) *Error {
	for _, m := range members {
		typ, err := l.lookupType(d, m.Type, "the member '"+m.Name+"'")
		if err != nil {
			return err
		}
		m.Type = typ
	}
	return nil
}

func (l *loader) resolveArguments(d *decl, args Type) (Type, *Error) {
	if s, ok := args.(*Struct); ok && s.Implicit {
		return s, l.resolveMembers(d, s.Members)
	}
	return l.lookupType(d, args, "'data'")
}

// lookupBase finds the base that is given by name, if any.
func (l *loader) lookupBase(d *decl) (*Struct, *Error) {
	if d.base == "" {
		return nil, nil
	}
	t, err := l.lookupType(d, typeRef{name: d.base}, "'base'")
	if err != nil {
		return nil, err
	}
	s, ok := t.(*Struct)
	if !ok {
		return nil, d.errorf("the 'base' must be a struct, not the %s", describe(t))
	}
	return s, nil
}

// describe names a type or another definition in a message, as in "union type
// 'U'".
func describe(v any) string {
	switch v := v.(type) {
	case Builtin:
		return "built-in type '" + string(v) + "'"
	case *Array:
		return "list type " + v.TypeName()
	case *Command, *Event:
		return v.(Definition).Kind() + " '" + v.(Definition).Def().Name + "'"
	case Definition:
		return v.Kind() + " type '" + v.Def().Name + "'"
	default:
		return "arguments"
	}
}

package schema

// Parts returns the names that a definition declares itself: members, arguments, values, an
// alternate's branches.
func Parts(def Definition) []string {
	var names []string
	members := func(t Type) {
		if st, ok := t.(*Struct); ok && (st.Implicit || Definition(st) == def) {
			for _, m := range st.Members {
				names = append(names, m.Name)
			}
		}
	}
	switch d := def.(type) {
	case *Enum:
		for _, v := range d.Values {
			names = append(names, v.Name)
		}
	case *Struct:
		members(d)
	case *Union:
		members(d.Base)
	case *Alternate:
		for _, b := range d.Branches {
			names = append(names, b.Name)
		}
	case *Command:
		members(d.Args)
	case *Event:
		members(d.Data)
	}
	return names
}

// Inherited returns the definition whose members def has in addition to those that it
// declares itself: the base of a struct or union, the named type of a command's
// arguments or of an event's data. It returns nil if there is none.
func Inherited(def Definition) Definition {
	var from Type
	switch d := def.(type) {
	case *Struct:
		if d.Base != nil {
			from = d.Base
		}
	case *Union:
		from = d.Base
	case *Command:
		from = d.Args
	case *Event:
		from = d.Data
	}
	switch t := from.(type) {
	case *Struct:
		if !t.Implicit {
			return t
		}
		if t.Base != nil { // the base of a merged union can have members that only older releases have
			return t.Base
		}
	case *Union:
		return t
	}
	return nil
}

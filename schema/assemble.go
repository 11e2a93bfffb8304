package schema

// Assemble makes a schema of modules whose definitions are resolved and obey the rules,
// such as those of loaded schemas.
func Assemble(modules []*Module) *Schema {
	s := &Schema{Modules: modules, defs: make(map[string]Definition)}
	for _, def := range s.Definitions() {
		s.defs[def.Def().Name] = def
		if u, ok := def.(*Union); ok && u.Tag().Implicit {
			s.defs[u.Tag().Name] = u.Tag()
		}
	}
	return s
}

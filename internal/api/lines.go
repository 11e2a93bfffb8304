package main

import (
	"fmt"
	"go/token"
	"go/types"
	"regexp"
	"slices"
	"strings"
)

// apiOf returns a line for each exported thing of a package, sorted.
func apiOf(pkg *types.Package) []string {
	a := &api{pkg: pkg}
	for _, name := range pkg.Scope().Names() {
		if token.IsExported(name) {
			a.object(pkg.Scope().Lookup(name))
		}
	}
	slices.Sort(a.lines)
	return slices.Compact(a.lines)
}

type api struct {
	pkg   *types.Package
	lines []string
}

func (a *api) add(format string, args ...any) {
	a.lines = append(a.lines, fmt.Sprintf(format, args...))
}

func (a *api) object(obj types.Object) {
	switch obj := obj.(type) {
	case *types.Const:
		a.add("const %s %s = %s", obj.Name(), a.typ(obj.Type()), obj.Val().ExactString())
	case *types.Var:
		a.add("var %s %s", obj.Name(), a.typ(obj.Type()))
	case *types.Func:
		a.add("func %s%s", obj.Name(), a.signature(obj.Signature()))
	case *types.TypeName:
		a.typeName(obj)
	}
}

func (a *api) typeName(obj *types.TypeName) {
	name := obj.Name()
	if obj.IsAlias() {
		a.add("type %s = %s", name, a.typ(types.Unalias(obj.Type())))
		return
	}
	named := obj.Type().(*types.Named)
	head := "type " + name + a.typeParams(named.TypeParams())
	switch under := named.Underlying().(type) {
	case *types.Struct:
		a.add("%s struct", head)
		for field := range under.Fields() {
			switch {
			case field.Embedded() && field.Exported():
				a.add("type %s struct, embedded %s", name, a.typ(field.Type()))
			case field.Exported():
				a.add("type %s struct, %s %s", name, field.Name(), a.typ(field.Type()))
			}
		}
	case *types.Interface:
		a.iface(head, name, under)
		return
	default:
		a.add("%s %s", head, a.typ(under))
	}
	values := types.NewMethodSet(named)
	for method := range types.NewMethodSet(types.NewPointer(named)).Methods() {
		if !method.Obj().Exported() {
			continue
		}
		receiver := name
		if values.Lookup(a.pkg, method.Obj().Name()) == nil {
			receiver = "*" + name
		}
		a.add("method (%s) %s%s", receiver, method.Obj().Name(), a.signature(method.Type().(*types.Signature)))
	}
}

// iface adds an interface. A new method breaks types of users that implement an interface
// without unexported methods: so a line lists all methods.
func (a *api) iface(head, name string, i *types.Interface) {
	var exported []string
	sealed := false
	for m := range i.Methods() {
		if !m.Exported() {
			sealed = true
			continue
		}
		exported = append(exported, m.Name())
		a.add("type %s interface, %s%s", name, m.Name(), a.signature(m.Signature()))
	}
	switch {
	case !i.IsMethodSet():
		a.add("%s %s", head, types.TypeString(i, a.qualifier))
	case sealed:
		a.add("%s interface, with unexported methods", head)
	default:
		a.add("%s interface { %s }", head, strings.Join(exported, ", "))
	}
}

func (a *api) qualifier(pkg *types.Package) string {
	if pkg == a.pkg {
		return ""
	}
	return pkg.Name()
}

// typ returns a type in Go syntax, without the names of parameters.
func (a *api) typ(t types.Type) string {
	switch t := t.(type) {
	case *types.Pointer:
		return "*" + a.typ(t.Elem())
	case *types.Slice:
		return "[]" + a.typ(t.Elem())
	case *types.Map:
		return "map[" + a.typ(t.Key()) + "]" + a.typ(t.Elem())
	case *types.Signature:
		return "func" + a.signature(t)
	}
	return types.TypeString(t, a.qualifier)
}

func (a *api) signature(s *types.Signature) string {
	text := a.typeParams(s.TypeParams()) + "(" + a.tuple(s.Params(), s.Variadic()) + ")"
	switch results := a.tuple(s.Results(), false); s.Results().Len() {
	case 0:
	case 1:
		text += " " + results
	default:
		text += " (" + results + ")"
	}
	return text
}

func (a *api) tuple(vars *types.Tuple, variadic bool) string {
	var list []string
	for v := range vars.Variables() {
		list = append(list, a.typ(v.Type()))
	}
	if variadic {
		last := len(list) - 1
		list[last] = "..." + strings.TrimPrefix(list[last], "[]")
	}
	return strings.Join(list, ", ")
}

func (a *api) typeParams(params *types.TypeParamList) string {
	var list []string
	for p := range params.TypeParams() {
		list = append(list, p.Obj().Name()+" "+a.typ(p.Constraint()))
	}
	if list == nil {
		return ""
	}
	return "[" + strings.Join(list, ", ") + "]"
}

var (
	typePart = regexp.MustCompile(`^type (\w+)(?:\[.*\])? (?:struct|interface), (?:embedded )?(\w+)`)
	method   = regexp.MustCompile(`^method \(\*?(\w+)\) (\w+)`)
	plain    = regexp.MustCompile(`^\w+ (\w+)`)
	alias    = regexp.MustCompile(`^type (\w+) = (\w+)$`)
	word     = regexp.MustCompile(`\w+`)
)

// subject returns what a line is about: a name of the package and, if the line is about a part
// of it, that part.
func subject(line string) (name, part string) {
	for _, form := range []*regexp.Regexp{typePart, method} {
		if m := form.FindStringSubmatch(line); m != nil {
			return m[1], m[2]
		}
	}
	if m := plain.FindStringSubmatch(line); m != nil {
		name = m[1]
	}
	return name, ""
}

// aliases returns the types of a package that have been renamed, by their old names.
type aliases map[string]string

func aliasesOf(lines []string) aliases {
	found := aliases{}
	for _, line := range lines {
		if m := alias.FindStringSubmatch(line); m != nil {
			found[m[1]] = m[2]
		}
	}
	return found
}

// in returns a line with the new names of types.
func (a aliases) in(line string) string {
	return word.ReplaceAllStringFunc(line, func(w string) string {
		if name, ok := a[w]; ok {
			return name
		}
		return w
	})
}

package wiretest

import (
	"go/ast"
	"go/token"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// A source is what the generated Go text declares and says in comments, found only by its
// syntax.
type source struct {
	types    map[string]typeDecl
	values   map[string]map[string]documented // of each enum, by the value
	commands map[string]methodDecl            // by command
	events   map[string]string                // the types by event
	tags     map[string]map[string]string
	seals    map[string]map[string]bool // the types that have an unexported method without result, by its name
}

// A documented is a name with its comment.
type documented struct{ name, doc string }

type typeDecl struct {
	doc  string
	expr ast.Expr
}

type methodDecl struct {
	doc          string
	args, result ast.Expr // nil: none
}

func (b Bindings) source(t testing.TB) *source {
	s := &source{
		types: map[string]typeDecl{}, values: map[string]map[string]documented{}, commands: map[string]methodDecl{},
		events: map[string]string{}, tags: map[string]map[string]string{}, seals: map[string]map[string]bool{},
	}
	for _, file := range b.files(t) {
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.GenDecl:
				s.general(d)
			case *ast.FuncDecl:
				s.function(d)
			}
		}
	}
	return s
}

func (s *source) general(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if !spec.Assign.IsValid() {
				s.types[spec.Name.Name] = typeDecl{d.Doc.Text(), spec.Type}
			}
		case *ast.ValueSpec:
			enum, ok := spec.Type.(*ast.Ident)
			if d.Tok != token.CONST || !ok {
				continue
			}
			if s.values[enum.Name] == nil {
				s.values[enum.Name] = map[string]documented{}
			}
			s.values[enum.Name][literal(spec.Values[0])] = documented{spec.Names[0].Name, spec.Doc.Text()}
		}
	}
}

func (s *source) function(d *ast.FuncDecl) {
	if d.Recv == nil {
		return
	}
	of := typeName(d.Recv.List[0].Type)
	name := d.Name.Name
	var only ast.Expr // what the function returns, if that is all that it does
	if d.Body != nil && len(d.Body.List) == 1 {
		if r, ok := d.Body.List[0].(*ast.ReturnStmt); ok && len(r.Results) == 1 {
			only = r.Results[0]
		}
	}
	switch {
	case name == "EventName":
		if event := literal(only); event != "" {
			s.events[event] = of
		}
	case of == "Client" && d.Name.IsExported():
		if command := executes(d.Body); command != "" {
			s.commands[command] = methodDecl{d.Doc.Text(), lastParam(d.Type), firstResult(d.Type)}
		}
	case d.Type.Results == nil && !d.Name.IsExported():
		if s.seals[name] == nil {
			s.seals[name] = map[string]bool{}
		}
		s.seals[name][of] = true
	default:
		if value, ok := only.(*ast.Ident); ok && len(d.Type.Params.List) == 0 {
			if s.tags[of] == nil {
				s.tags[of] = map[string]string{}
			}
			s.tags[of][typeName(d.Type.Results.List[0].Type)] = value.Name
		}
	}
}

// executes returns the command that a method's body executes, or "".
func executes(body *ast.BlockStmt) string {
	command := ""
	ast.Inspect(body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && command == "" {
			command = commandOf(call)
		}
		return true
	})
	return command
}

// commandOf returns the command that a call executes, which is the first literal among its
// arguments; "" for another call.
func commandOf(call *ast.CallExpr) string {
	if sel, ok := call.Fun.(*ast.SelectorExpr); !ok || !strings.HasPrefix(sel.Sel.Name, "Execute") {
		return ""
	}
	for _, arg := range call.Args {
		if _, ok := arg.(*ast.BasicLit); ok {
			return literal(arg)
		}
	}
	return ""
}

func lastParam(f *ast.FuncType) ast.Expr {
	if len(f.Params.List) < 2 {
		return nil
	}
	t := f.Params.List[1].Type
	if variadic, ok := t.(*ast.Ellipsis); ok {
		return variadic.Elt
	}
	return t
}

func firstResult(f *ast.FuncType) ast.Expr {
	if len(f.Results.List) < 2 {
		return nil
	}
	return f.Results.List[0].Type
}

func literal(e ast.Expr) string {
	if lit, ok := e.(*ast.BasicLit); ok {
		if text, err := strconv.Unquote(lit.Value); err == nil {
			return text
		}
	}
	return ""
}

// typeName returns the name of a type or of what a pointer to it leads to; "" for others.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return typeName(e.X)
	}
	return ""
}

// structOf returns the struct that a type is, or is defined over; nil if there is none.
func (s *source) structOf(name string) *ast.StructType {
	for {
		switch e := s.types[name].expr.(type) {
		case *ast.StructType:
			return e
		case *ast.Ident:
			name = e.Name
		default:
			return nil
		}
	}
}

// A fieldDecl is a field with its comment.
type fieldDecl struct {
	doc string
	typ ast.Expr
}

// fields returns the fields of a struct, by their names in JSON.
func fields(st *ast.StructType) map[string]fieldDecl {
	all := map[string]fieldDecl{}
	for _, f := range st.Fields.List {
		if f.Tag == nil {
			continue
		}
		tag, _, _ := strings.Cut(reflect.StructTag(literal(f.Tag)).Get("json"), ",")
		all[tag] = fieldDecl{f.Doc.Text(), f.Type}
	}
	return all
}

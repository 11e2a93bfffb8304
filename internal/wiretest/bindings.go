package wiretest

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

// Bindings are a generated package, with the schema that it comes from.
type Bindings struct {
	Schema   *schema.Schema
	Source   fs.FS // the package's folder
	Commands map[string]Method
	Events   map[string]reflect.Type
	// Types are the types that values can have, by their Go names: AllTypes
	// checks that none is missing.
	Types map[string]reflect.Type
}

// Load returns the bindings with a type of client, in the folder of the test.
func Load(t testing.TB, root string, client reflect.Type, types map[string]reflect.Type) Bindings {
	t.Helper()
	m, err := qemu.Merge(root)
	require.NoError(t, err)
	source := os.DirFS(".")
	commands, err := Methods(client, source)
	require.NoError(t, err)
	for command, method := range commands {
		if method.Args != nil && method.Args.Kind() == reflect.Interface { // of which that is the form of the schema
			method.Args = types[method.Name+"Args"]
			commands[command] = method
		}
	}
	return Bindings{m.Schema, source, commands, Events(client), types}
}

// Command returns a command of the schema, or nil.
func (b Bindings) Command(name string) *schema.Command {
	c, _ := b.Schema.Lookup(name).(*schema.Command)
	return c
}

// Event returns an event of the schema, or nil.
func (b Bindings) Event(name string) *schema.Event {
	e, _ := b.Schema.Lookup(name).(*schema.Event)
	return e
}

// A Method is a method of a generated client that executes a command.
type Method struct {
	Name   string
	Args   reflect.Type // nil: none
	Result reflect.Type // nil: none
}

// Methods finds the commands of a generated client: it reads from the source which method
// sends which command, so that it does not depend on the rules for names.
func Methods(client reflect.Type, source fs.FS) (map[string]Method, error) {
	names, err := executed(source)
	if err != nil {
		return nil, err
	}
	contexts, errors := reflect.TypeFor[context.Context](), reflect.TypeFor[error]()
	methods := map[string]Method{}
	for command, name := range names {
		m, ok := client.MethodByName(name)
		if !ok {
			continue
		}
		found := Method{Name: name}
		for i := 1; i < m.Type.NumIn(); i++ {
			in := m.Type.In(i)
			if m.Type.IsVariadic() && i == m.Type.NumIn()-1 {
				in = in.Elem()
			}
			if in != contexts {
				found.Args = in
			}
		}
		for out := range m.Type.Outs() {
			if out != errors {
				found.Result = out
			}
		}
		methods[command] = found
	}
	return methods, nil
}

// executed maps each command to the method whose body executes it.
func executed(source fs.FS) (map[string]string, error) {
	paths, err := fs.Glob(source, "*_gen.go")
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, path := range paths {
		text, err := fs.ReadFile(source, path)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv == nil {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if command := commandOf(call); command != "" {
						names[command] = fn.Name.Name
					}
				}
				return true
			})
		}
	}
	return names, nil
}

// Events maps each event's name to its type, which it finds by the client's handlers.
func Events(client reflect.Type) map[string]reflect.Type {
	events := map[string]reflect.Type{}
	for m := range client.Methods() {
		if !strings.HasPrefix(m.Name, "On") || m.Type.NumIn() != 2 || m.Type.In(1).Kind() != reflect.Func {
			continue
		}
		t := m.Type.In(1).In(0)
		if e, ok := reflect.TypeAssert[interface{ EventName() string }](reflect.Zero(t)); ok {
			events[e.EventName()] = t
		}
	}
	return events
}

package wiretest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema"
)

// files returns the package's generated files.
func (b Bindings) files(t testing.TB) []*ast.File {
	t.Helper()
	paths, err := fs.Glob(b.Source, "*_gen.go")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	var files []*ast.File
	for _, path := range paths {
		text, err := fs.ReadFile(b.Source, path)
		require.NoError(t, err)
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, file)
	}
	return files
}

// A declared is what the generated source declares, read from its syntax and
// its comments: kind and QAPI name of a definition to its Go name.
type declared struct {
	kinds     map[string]map[string]string
	values    map[string]int // of each enum type
	receivers map[string]int // of each unexported method
}

// heading matches the words in the comment of a generated declaration that name its purpose.
var heading = regexp.MustCompile(`^(\w+) .*? QAPI: (command|event|enum|struct|union|alternate) (\S+) \(\S+\.json\)`)

func (b Bindings) declared(t testing.TB) declared {
	t.Helper()
	d := declared{map[string]map[string]string{}, map[string]int{}, map[string]int{}}
	for _, file := range b.files(t) {
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.GenDecl:
				d.heading(decl.Doc)
				for _, spec := range decl.Specs {
					v, ok := spec.(*ast.ValueSpec)
					if !ok || decl.Tok != token.CONST {
						continue
					}
					if enum, ok := v.Type.(*ast.Ident); ok { // otherwise it is an older name
						d.values[enum.Name]++
					}
				}
			case *ast.FuncDecl:
				d.heading(decl.Doc)
				if decl.Recv != nil {
					d.receivers[decl.Name.Name]++
				}
			}
		}
	}
	return d
}

func (d declared) heading(doc *ast.CommentGroup) {
	text := strings.Join(strings.Fields(doc.Text()), " ")
	if m := heading.FindStringSubmatch(text); m != nil {
		if d.kinds[m[2]] == nil {
			d.kinds[m[2]] = map[string]string{}
		}
		d.kinds[m[2]][m[3]] = m[1]
	}
}

// Complete compares what the bindings declare with the parsed schema:
// nothing is missing and nothing is invented.
func (b Bindings) Complete(t *testing.T) {
	t.Helper()
	got := b.declared(t)
	want := map[string][]string{}
	for _, def := range b.Schema.Definitions() {
		if st, ok := def.(*schema.Struct); ok && onlyShape(b.Schema, st) {
			continue
		}
		want[def.Kind()] = append(want[def.Kind()], def.Def().Name)
	}
	for _, kind := range []string{"command", "event", "enum", "struct", "union", "alternate"} {
		slices.Sort(want[kind])
		assert.Equal(t, want[kind], slices.Sorted(maps.Keys(got.kinds[kind])), kind)
		t.Logf("%d of kind %s", len(want[kind]), kind)
	}
	for _, def := range b.Schema.Definitions() {
		switch d := def.(type) {
		case *schema.Enum:
			assert.Equal(t, len(d.Values), got.values[got.kinds["enum"][d.Name]], "values of enum %s", d.Name)
		case *schema.Union:
			tags := len(d.Discriminator.Type.(*schema.Enum).Values)
			assert.Equal(t, tags+1, got.receivers["encode"+got.kinds["union"][d.Name]],
				"union %s: a variant for each tag, and Unknown", d.Name)
		case *schema.Alternate:
			assert.Equal(t, len(d.Branches)+1, got.receivers["is"+got.kinds["alternate"][d.Name]],
				"alternate %s: a form for each branch, and Unknown", d.Name)
		}
	}
	assert.Len(t, b.Commands, len(want["command"]), "methods that execute a command")
	assert.Len(t, b.Events, len(want["event"]), "handlers of an event")
	for name, m := range b.Commands {
		assert.Equal(t, m.Name, got.kinds["command"][name], "the method that sends %s", name)
	}
}

// onlyShape reports whether a struct only gives other types their shape and has no Go
// type: it is used only as a base, or it wraps a branch of a union in the member data.
func onlyShape(s *schema.Schema, st *schema.Struct) bool {
	asBase, asBranch, asType := false, false, false
	uses := func(t schema.Type) {
		if a, ok := t.(*schema.Array); ok {
			t = a.Elem
		}
		asType = asType || t == schema.Type(st)
	}
	members := func(of *schema.Struct) {
		asBase = asBase || of.Base == st
		for _, m := range of.Members {
			uses(m.Type)
		}
	}
	for _, def := range s.Definitions() {
		switch d := def.(type) {
		case *schema.Struct:
			members(d)
		case *schema.Union:
			asBase = asBase || d.Base == st
			members(d.Base)
			for _, br := range d.Branches {
				asBranch = asBranch || br.Type == schema.Type(st)
			}
		case *schema.Alternate:
			for _, br := range d.Branches {
				uses(br.Type)
			}
		case *schema.Command:
			if args, ok := d.Args.(*schema.Struct); ok && args.Implicit {
				members(args)
			} else {
				uses(d.Args)
			}
			uses(d.Returns)
		case *schema.Event:
			if data, ok := d.Data.(*schema.Struct); ok && data.Implicit {
				members(data)
			}
		}
	}
	if asType {
		return false
	}
	if asBranch {
		return st.Base == nil && len(st.Members) == 1 && st.Members[0].Name == "data" && !st.Members[0].Optional
	}
	return asBase
}

// declaredTypes returns the exported types of the generated source that values can
// have: not the client's, and no interfaces or older names.
func (b Bindings) declaredTypes(t testing.TB) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, file := range b.files(t) {
		for _, decl := range file.Decls {
			types, ok := decl.(*ast.GenDecl)
			if !ok || types.Tok != token.TYPE {
				continue
			}
			for _, spec := range types.Specs {
				spec := spec.(*ast.TypeSpec)
				_, isInterface := spec.Type.(*ast.InterfaceType)
				if !isInterface && !spec.Assign.IsValid() && spec.Name.IsExported() && spec.Name.Name != "Client" {
					names[spec.Name.Name] = true
				}
			}
		}
	}
	return names
}

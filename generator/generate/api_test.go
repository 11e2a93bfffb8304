package generate

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/generator/internal/emit"
	"github.com/goqapi/goqapi/schema/qemu"
)

// broken has what the newest release of QEMU has broken in the bindings of the releases
// before it, with the reason.
var broken = map[string]string{
	"BlockExportOptions.Iothread *string":        "a list is taken, too: an alternate holds both",
	"MigrationParameters.TLSAuthz *string":       "it is null where it is not set: an alternate holds both",
	"MigrationParameters.TLSCreds *string":       "it is null where it is not set: an alternate holds both",
	"MigrationParameters.TLSHostname *string":    "it is null where it is not set: an alternate holds both",
	"CXLInjectDramEventArgs.Flags uint8":         "more flags are taken; a constant fits both",
	"CXLInjectGeneralMediaEventArgs.Flags uint8": "more flags are taken; a constant fits both",
	"CXLInjectMemoryModuleEventArgs.Flags uint8": "more flags are taken; a constant fits both",
}

// TestNothingBreaks compares the exported API of bindings for all releases but the newest
// with that of bindings for all: code that compiles with the first compiles with the
// second.
func TestNothingBreaks(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it generates everything twice")
	}
	for target, root := range map[string]string{"qmp": qemu.QMP, "qga": qemu.QGA} {
		releases, err := qemu.LoadAll(root)
		require.NoError(t, err)
		c := config{target: target, pkg: "p"}
		before, err := bindingsOf(c, releases[:len(releases)-1])
		require.NoError(t, err)
		now, err := bindingsOf(c, releases)
		require.NoError(t, err)
		was, is := apiOf(t, before), apiOf(t, now)
		lost := is.lacks(was)
		t.Logf("%s: of %d exported names of QEMU %s, %d are missing or have another type", target, len(was.decls), releases[len(releases)-2].Name, len(lost))
		for _, what := range lost {
			assert.NotEmpty(t, broken[what], what)
		}
		if target == "qmp" {
			for what := range broken {
				assert.Contains(t, lost, what, "a row that is not needed")
			}
		}
	}
}

// An api has what a package exports: "Client.Eject" or "EjectArgs.ID", each with its type.
type api struct {
	decls   map[string]string
	aliases map[string]string
}

func apiOf(t *testing.T, files []emit.File) *api {
	t.Helper()
	a := &api{map[string]string{}, map[string]string{}}
	for _, f := range files {
		file, err := parser.ParseFile(token.NewFileSet(), f.Name, f.Text, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					name = receiver(d.Recv.List[0].Type) + "." + name
				}
				if d.Name.IsExported() {
					a.decls[name] = signature(d.Type)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					a.spec(spec)
				}
			}
		}
	}
	return a
}

func (a *api) spec(spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		typ := ""
		if spec.Type != nil {
			typ = types.ExprString(spec.Type)
		} else {
			a.aliases[spec.Names[0].Name] = types.ExprString(spec.Values[0])
		}
		a.decls[spec.Names[0].Name] = "const " + typ
	case *ast.TypeSpec:
		name := spec.Name.Name
		if !spec.Name.IsExported() {
			return
		}
		if spec.Assign.IsValid() {
			a.aliases[name] = types.ExprString(spec.Type)
			return
		}
		switch typ := spec.Type.(type) {
		case *ast.StructType:
			a.decls[name] = "struct"
			for _, f := range typ.Fields.List {
				for _, n := range f.Names {
					if n.IsExported() {
						a.decls[name+"."+n.Name] = types.ExprString(f.Type)
					}
				}
			}
		case *ast.InterfaceType:
			a.decls[name] = "interface"
			for _, f := range typ.Methods.List {
				if len(f.Names) == 1 && f.Names[0].IsExported() {
					a.decls[name+"."+f.Names[0].Name] = signature(f.Type.(*ast.FuncType))
				}
			}
		default:
			a.decls[name] = types.ExprString(typ)
		}
	}
}

func receiver(e ast.Expr) string { return strings.TrimPrefix(types.ExprString(e), "*") }

// signature returns a function's type without the names of its parameters. Optional
// arguments are written as if they were mandatory: a call with them is the same.
func signature(f *ast.FuncType) string {
	text := func(list *ast.FieldList) string {
		if list == nil {
			return ""
		}
		var parts []string
		for _, field := range list.List {
			parts = append(parts, strings.TrimPrefix(types.ExprString(field.Type), "..."))
		}
		return strings.Join(parts, ", ")
	}
	return "func(" + text(f.Params) + ") (" + text(f.Results) + ")"
}

// now returns a name or a type, with each alias replaced by the name that it stands for.
func (a *api) now(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("*[](), .", r) })
	for _, word := range words {
		if to := a.aliases[word]; to != "" {
			text = replaceWord(text, word, to)
		}
	}
	return text
}

func replaceWord(text, word, by string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		j := i
		for j < len(text) && !strings.ContainsRune("*[](), .", rune(text[j])) {
			j++
		}
		if text[i:j] == word {
			b.WriteString(by)
		} else {
			b.WriteString(text[i:j])
		}
		if j < len(text) {
			b.WriteByte(text[j])
			j++
		}
		i = j
	}
	return b.String()
}

// lacks lists what was exported and is missing now, or has another type.
func (a *api) lacks(was *api) []string {
	var lost []string
	for _, name := range slices.Sorted(maps.Keys(was.decls)) {
		typ := was.decls[name]
		of, part, _ := strings.Cut(name, ".")
		now, ok := a.decls[strings.TrimSuffix(a.now(of)+"."+part, ".")]
		if ok && a.fits(a.now(typ), now) {
			continue
		}
		lost = append(lost, name+" "+typ)
	}
	for _, name := range slices.Sorted(maps.Keys(was.aliases)) {
		if a.aliases[name] == "" && a.decls[name] == "" {
			lost = append(lost, name)
		}
	}
	return lost
}

// fits reports whether a type may change into another one: a method may have received
// optional arguments.
func (a *api) fits(was, now string) bool {
	const bare = "func(context.Context) "
	results, ok := strings.CutPrefix(was, bare)
	return was == now || was == "const " && strings.HasPrefix(now, was) ||
		ok && strings.HasPrefix(now, "func(context.Context, ") && strings.HasSuffix(now, results)
}

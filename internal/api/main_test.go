package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lines returns the API of a package whose source is given.
func lines(t *testing.T, source string) []string {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", "package p\n"+source, 0)
	require.NoError(t, err)
	pkg, err := (&types.Config{}).Check("example.org/p", fset, []*ast.File{file}, nil)
	require.NoError(t, err)
	return apiOf(pkg)
}

func TestLines(t *testing.T) {
	assert.Equal(t, []string{
		"const A Enum = \"a\"",
		"const N untyped int = 1",
		"func F(int, ...string) (bool, error)",
		"func G[E any](*List[E], func(E) bool) E",
		"method (*List) Push(E)",
		"method (*Struct) Set(map[string][]int)",
		"method (List) Len() int",
		"method (Struct) Promoted()",
		"type Enum string",
		"type List[E any] []E",
		"type Old = Struct",
		"type Open interface { Do, Undo }",
		"type Open interface, Do(func(int) string)",
		"type Open interface, Undo()",
		"type Sealed interface, Do()",
		"type Sealed interface, with unexported methods",
		"type Struct struct",
		"type Struct struct, A *Enum",
		"type Struct struct, embedded Enum",
		"var V error",
	}, lines(t, `
type Enum string
const ( A Enum = "a"; N = 1; hidden = 2 )
var V error
func F(x int, more ...string) (ok bool, err error) { return false, nil }
func G[E any](l *List[E], each func(e E) bool) E { panic(0) }
type List[E any] []E
func (l List[E]) Len() int { return 0 }
func (l *List[E]) Push(e E) {}
type inner struct{}
func (inner) Promoted() {}
type Struct struct { Enum; inner; A *Enum; b int }
func (s *Struct) Set(m map[string][]int) {}
func (s *Struct) unexported() {}
type Old = Struct
type Open interface { Do(f func(n int) string); Undo() }
type Sealed interface { Do(); sealed() }
`))
}

// TestCompare has changes that break programs, and changes that do not.
func TestCompare(t *testing.T) {
	const old = `
type T struct { A int }
func (T) M() {}
func F(t T) T { return t }
const C = "c"
type Open interface { Do() }
type Sealed interface { Do(); sealed() }
`
	for name, c := range map[string]struct {
		now    string
		broken []string
	}{
		"nothing": {old, nil},
		"more": {`
type T struct { A int; B string }
func (T) M() {}
func (*T) N() {}
func F(other T) T { return other }
func G() {}
const C = "c"
type Open interface { Do() }
type Sealed interface { Do(); More(); sealed() }
`, nil},
		"a type was renamed": {`
type New struct { A int }
type T = New
func (New) M() {}
func F(t New) New { return t }
const C = "c"
type Open interface { Do() }
type Sealed interface { Do(); sealed() }
`, nil},
		"much": {`
type T struct { A *int }
func (*T) M() {}
func F(t ...T) T { panic(0) }
const C = "d"
type Open interface { Do(); More() }
`, []string{
			`const C untyped string = "c"`,
			"func F(T) T",
			"method (T) M()",
			"type Open interface { Do }",
			"type Sealed interface, Do()",
			"type Sealed interface, with unexported methods",
			"type T struct, A int",
		}},
	} {
		assert.Equal(t, c.broken, compare(lines(t, old), lines(t, c.now)).broken, name)
	}
	assert.Equal(t, 3, compare([]string{""}, []string{"a", "b", "c"}).added)
}

func TestNamed(t *testing.T) {
	section := unreleased("# Changelog\n\n## Unreleased\n\n- `qmp.Conn.Go` is gone, use `qmp.T`\n- `qapi.F`\n\n## 0.1\n\n- `qmp.Old` is gone\n")
	for line, named := range map[string]bool{
		"method (*Conn) Go(context.Context)":            true,
		"method (*Conn) Gone()":                         false,
		"type T struct":                                 true,
		"type T struct, A int":                          true,
		"type T[E any] struct, embedded B":              true,
		"type T interface { Do }":                       true,
		"method (T) M()":                                true,
		"func F(T)":                                     false, // of another package
		"type Old struct":                               false, // of an earlier version
		"type Conn struct, Go int":                      true,
		"type Conn struct":                              false,
		"const Go untyped int = 1":                      false,
		"func Go[E any](*List[E], func(E) bool) (E, T)": false,
		"type T interface, with unexported methods":     true,
	} {
		assert.Equal(t, named, isNamed(section, "qmp", line), line)
	}
}

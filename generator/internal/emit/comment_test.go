package emit

import (
	"go/format"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/generator/internal/plan"
)

// FuzzComment makes a comment of any text, as QEMU's documentation and as a
// description, and checks that it is only a comment: not a directive, and already as
// gofmt formats it.
func FuzzComment(f *testing.F) {
	for _, text := range []string{
		"+build ignore", "//go:build ignore", "go:generate rm", "*/ func f() {", "/*", "a\x00b\ufeffc\rd\x1be\xff",
		"a\n\n\v\n\n\fb", "::", "::\n\n    code", "- \n- a", "# head", "    code\n\n  +build x", "=====\n\n-----", "[a]: b",
		"\u202eno\u2066t a\u2069 \u200bcomment\u2028x",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		doc, about := plan.Facts{Doc: text, Features: []string{"f"}}, plan.Facts{Text: text}
		str := plan.Type{Name: "string"}
		files, err := Files(&plan.Package{Name: "p", Dial: "Dial", Files: []*plan.File{{Name: "s_gen.go", Decls: []plan.Decl{
			&plan.Struct{Facts: doc, Name: "A", Fields: []*plan.Field{{Facts: doc, Name: "F", Type: str}}},
			&plan.Struct{Facts: about, Name: "B", Fields: []*plan.Field{{Facts: about, Name: "F", Type: str}}},
		}}}})
		require.NoError(t, err)
		got := string(files[0].Text)
		assert.NotRegexp(t, `(?m)^\s*//(go:|\s*\+build([ \t]|$))`, got)
		assert.Empty(t, strings.Map(visible, got), "%q", got)
		formatted, err := format.Source([]byte(got))
		require.NoError(t, err)
		assert.Equal(t, string(formatted), got)
	})
}

// visible drops visible characters and those that lay out Go source.
func visible(r rune) rune {
	if unicode.IsPrint(r) || r == '\n' || r == '\t' {
		return -1
	}
	return r
}

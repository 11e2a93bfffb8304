package emit

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMarkup(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"heading":    {"List all shapes", "// List all shapes."},
		"paragraphs": {"One line\nand more.\n\n\n\nTwo.\n", "// One line\n// and more.\n//\n// Two."},
		"list":       {"Either:\n\n- a thing\n  of two lines\n\n* another", "// Either:\n//\n//   - a thing\n//     of two lines\n//\n//   - another"},
		"example": {".. qmp-example::\n   :title: Draw\n\n   -> { \"execute\": \"draw\",\n        \"arguments\": {} }\n   <- { \"return\": {} }\n\nBehind.",
			"// Example:\n// Draw:\n//\n//\t-> { \"execute\": \"draw\",\n//\t     \"arguments\": {} }\n//\t<- { \"return\": {} }\n//\n// Behind."},
		"old example": {"Example:\n-> { \"execute\": \"draw\" }\n<- { \"return\": {} }", "// Example:\n//\n//\t-> { \"execute\": \"draw\" }\n//\t<- { \"return\": {} }"},
		"note":        {".. note:: Slow.\n   Very.", "// Note: Slow.\n// Very."},
		"literal":     {"Like this::\n\n    a\n      b\n\nEnd.", "// Like this:\n//\n//\ta\n//\t  b\n//\n// End."},
		"nothing":     {"", ""},
		"lone colons": {"Before.\n\n::\n\n    code\n\nBehind.", "// Before.\n//\n//\tcode\n//\n// Behind."},
		"constraint":  {"Text.\n\n+build ignore\n\nMore::\n\n    +build ignore", "// Text.\n//\n// \"+build\" ignore\n//\n// More:\n//\n//\t\"+build\" ignore"},
		"no text":     {"a\x00b\ufeffc\rd\x1be\n\v\n\f\n\u00a0\nf\u2028g \xff.", "// abc de.\n//\n// f g \ufffd."},
		"tabs":        {"Either:\n\n-\ta\n\tb", "// Either:\n//\n//   - a\n//     b"},
	} {
		assert.Equal(t, c.want, strings.Join(markup(c.in), "\n"), name)
	}
}

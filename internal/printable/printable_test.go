package printable_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goqapi/goqapi/internal/printable"
)

func TestString(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"Gerät \"x\" 設備":        "Gerät \"x\" 設備",
		"a\r\nb\tc":             `a\r\nb\tc`,
		"\x1b[2J\x07\x00\x7f":   `\x1b[2J\a\x00\x7f`,
		"a\xffb\xc3":            `a\xffb\xc3`,
		"\u202eevil\u2066":      `\u202eevil\u2066`,
		"real \ufffd":           "real \ufffd",
		"back\\slash 'quoted'":  "back\\slash 'quoted'",
		"line\u2028separator":   `line\u2028separator`,
		"zero\u200bwidth\ufeff": `zero\u200bwidth\ufeff`,
	} {
		assert.Equal(t, want, printable.String(in), "%q", in)
	}
}

func TestStart(t *testing.T) {
	assert.Equal(t, "abc", printable.Start([]byte("abc"), 3))
	assert.Equal(t, "ab…", printable.Start([]byte("abc"), 2))
	assert.Equal(t, "a…", printable.Start([]byte("aüb"), 2), "characters are not cut in half")
	assert.Equal(t, `\n…`, printable.Start([]byte("\n\n"), 1))
	assert.Len(t, printable.Start([]byte(strings.Repeat("\x80", 100)), 10), 6*4+len("…"), "no text at all")
}

// Package printable makes text from a peer safe to print: a server or a guest must
// not be able to move the cursor of a terminal or to forge a line of a log.
package printable

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// String returns s with all characters that are not printable written as in a Go string
// literal: control characters, line ends, invalid UTF-8, and the characters that
// change the direction of text.
func String(s string) string {
	if strings.IndexFunc(s, unsafe) < 0 {
		return s
	}
	var out []byte
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		shown := s[:size]
		if unsafe(r) {
			quoted := strconv.Quote(shown)
			shown = quoted[1 : len(quoted)-1]
		}
		out = append(out, shown...)
		s = s[size:]
	}
	return string(out)
}

// unsafe reports whether r, or the invalid byte that it stands for, needs an escape.
// unicode.IsPrint knows control characters and those that change the direction.
func unsafe(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

// Start returns at most limit bytes from the start of text, printable, with an
// ellipsis where something was cut off.
func Start(text []byte, limit int) string {
	if len(text) <= limit {
		return String(string(text))
	}
	cut := limit
	for cut > 0 && limit-cut < utf8.UTFMax && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return String(string(text[:cut])) + "…"
}

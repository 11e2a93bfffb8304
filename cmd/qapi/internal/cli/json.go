package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf16"

	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
)

// width is how wide a line of JSON may be on a terminal before it is broken into several.
const width = 80

// printJSON prints JSON: indented if it is for a person and long, otherwise as one line.
func (a *app) printJSON(text []byte) {
	var out bytes.Buffer
	text = printableJSON(text)
	if err := json.Compact(&out, text); err != nil {
		out.Write(text)
	}
	if a.onTerminal() && out.Len() > width {
		out.Reset()
		_ = json.Indent(&out, text, "", "  ") // it was valid
	}
	out.WriteByte('\n')
	a.write(out.Bytes())
}

// onTerminal reports whether standard output is a terminal.
func (a *app) onTerminal() bool { return term.New(a.out, a.env).IsTerminal() }

// printableJSON returns JSON with \u in place of characters that a terminal could take for
// commands, or that change the direction of text. It stays the same value.
func printableJSON(text []byte) []byte {
	isSafe := func(r rune) bool {
		return r == '\n' || r == '\t' || r == '\r' || unicode.IsPrint(r) && r != unicode.ReplacementChar
	}
	if bytes.IndexFunc(text, func(r rune) bool { return !isSafe(r) }) < 0 {
		return text
	}
	out := make([]byte, 0, len(text)+16)
	for _, r := range string(text) {
		switch {
		case isSafe(r):
			out = append(out, string(r)...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

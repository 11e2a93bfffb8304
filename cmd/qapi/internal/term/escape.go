package term

import (
	"io"
	"strings"
	"unicode/utf8"
)

// An escaper escapes all control characters except line ends and tabs. Characters may be
// split between writes; an incomplete one at the end is not written.
type escaper struct {
	w    io.Writer
	rest []byte // the start of a character
}

func (e *escaper) Write(p []byte) (int, error) {
	text := append(e.rest, p...)
	whole := len(text)
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
		if start := len(text) - i; utf8.RuneStart(text[start]) {
			if !utf8.FullRune(text[start:]) {
				whole = start
			}
			break
		}
	}
	e.rest = append([]byte(nil), text[whole:]...)
	if _, err := io.WriteString(e.w, escapeLines(string(text[:whole]))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// escapeLines is [Escape] for text of several lines. A line end of Windows is one, too.
func escapeLines(text string) string {
	var b strings.Builder
	for text != "" {
		i := strings.IndexAny(text, "\n\t\r")
		if i < 0 {
			i = len(text)
		}
		b.WriteString(Escape(text[:i]))
		switch text = text[i:]; {
		case text == "":
		case strings.HasPrefix(text, "\r\n"):
			b.WriteByte('\n')
			text = text[2:]
		case text[0] == '\r':
			b.WriteString(Escape("\r"))
			text = text[1:]
		default:
			b.WriteByte(text[0])
			text = text[1:]
		}
	}
	return b.String()
}

package schema

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A token is the kind of a token: the character itself for "{}[]:,", otherwise one of
// the constants below.
type token byte

const (
	tokEOF     token = 0
	tokString  token = '\''
	tokTrue    token = 't'
	tokFalse   token = 'f'
	tokComment token = '#'
)

// String names the token for a message.
func (t token) String() string {
	switch t {
	case tokEOF:
		return "the end of the file"
	case tokString:
		return "a string"
	case tokTrue:
		return "true"
	case tokFalse:
		return "false"
	case tokComment:
		return "a documentation comment"
	default:
		return fmt.Sprintf("'%c'", byte(t))
	}
}

// A lexer splits a file into tokens.
type lexer struct {
	file string
	src  string // ends with a newline
	off  int    // where the next token is looked for
	line int    // of off, from 1

	// Columns are counted on from the last query: an offset in the current line, and
	// the number of characters of the line before it.
	mark, before int

	// The current token. text is a string's value or a comment's text.
	tok  token
	at   int // where it begins
	text string
}

// newlines replaces all kinds of line ends in text files, as QEMU's Python does.
var newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

func newLexer(file string, src []byte) *lexer {
	s := newlines.Replace(string(src))
	if !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return &lexer{file: file, src: s, line: 1}
}

// pos returns the place of the current token.
func (l *lexer) pos() Pos { return l.posOf(l.at) }

// posOf returns the place of an offset in the current line. The offset must not be smaller than in the previous
// call.
func (l *lexer) posOf(off int) Pos {
	l.before += utf8.RuneCountInString(l.src[l.mark:off])
	l.mark = off
	return Pos{l.file, l.line, l.before + 1}
}

func (l *lexer) errorf(off int, format string, args ...any) *Error {
	return &Error{Pos: l.posOf(off), Msg: fmt.Sprintf(format, args...)}
}

// next reads a token. Comments are skipped, except the "##" that opens a
// documentation comment.
func (l *lexer) next() *Error { return l.scan(false) }

// nextLine is like next, inside a documentation comment: every comment is a token.
func (l *lexer) nextLine() *Error { return l.scan(true) }

func (l *lexer) scan(comments bool) *Error {
	for {
		l.at = l.off
		c := l.src[l.off]
		l.off++
		switch c {
		case '\n':
			if l.off == len(l.src) {
				// The end is at the end of the last line, not on a new one, and
				// stays the end.
				l.off--
				l.tok = tokEOF
				return nil
			}
			l.line++
			l.mark, l.before = l.off, 0
		case ' ', '\t', '\f', '\v':
		case '#':
			doc := l.src[l.off] == '#'
			end := l.off + strings.IndexByte(l.src[l.off:], '\n')
			l.text = l.src[l.at:end]
			l.off = end
			if i := invalidUTF8(l.text); i >= 0 {
				return l.errorf(l.at+i, "the text is not UTF-8")
			}
			if comments || doc {
				l.tok = tokComment
				return nil
			}
		case '{', '}', '[', ']', ':', ',':
			l.tok = token(c)
			return nil
		case '\'':
			l.tok = tokString
			return l.scanString()
		default:
			return l.scanWord()
		}
	}
}

// scanString reads a string whose opening quote has been read.
func (l *lexer) scanString() *Error {
	start := l.off
	var unescaped []byte // used only if there are escapes
	for {
		c := l.src[l.off]
		switch {
		case c == '\n':
			return l.errorf(l.at, "the string has no closing quote")
		case c < ' ' || c > '~':
			return l.errorf(l.at, "the string holds %s; only printable ASCII is allowed", charAt(l.src, l.off))
		case c == '\'':
			l.text = l.src[start:l.off]
			if unescaped != nil {
				l.text = string(append(unescaped, l.text...))
			}
			l.off++
			return nil
		case c == '\\':
			if next := l.src[l.off+1]; next != '\\' {
				return l.errorf(l.at, "the string holds the escape \\%s; the only one is \\\\", strings.TrimSuffix(l.src[l.off+1:l.off+2], "\n"))
			}
			unescaped = append(unescaped, l.src[start:l.off+1]...)
			l.off += 2
			start = l.off
		default:
			l.off++
		}
	}
}

// scanWord reads true, false or a word that does not belong here.
func (l *lexer) scanWord() *Error {
	rest := l.src[l.at:]
	switch {
	case strings.HasPrefix(rest, "true"):
		l.tok, l.off = tokTrue, l.at+len("true")
		return nil
	case strings.HasPrefix(rest, "false"):
		l.tok, l.off = tokFalse, l.at+len("false")
		return nil
	}
	if rest[0] < ' ' || rest[0] >= utf8.RuneSelf {
		return l.errorf(l.at, "%s does not belong here", charAt(l.src, l.at))
	}
	const maxShown = 40
	word := rest[:strings.IndexAny(rest, "{}[]:,'# \t\r\n")]
	if len(word) > maxShown {
		word = word[:maxShown] + "..."
	}
	return l.errorf(l.at, "%q does not belong here", word)
}

// charAt describes the character at an offset.
func charAt(s string, off int) string {
	r, size := utf8.DecodeRuneInString(s[off:])
	if r == utf8.RuneError && size == 1 {
		return fmt.Sprintf("the byte 0x%02x", s[off])
	}
	return fmt.Sprintf("the character %q", r)
}

// invalidUTF8 returns where s stops being UTF-8, or -1.
func invalidUTF8(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return i
		}
	}
	return -1
}

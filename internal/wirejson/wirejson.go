// Package wirejson reads JSON as QEMU and its clients write it, where a decoder would do too
// much: it finds the ends of values, and the content of strings. Only SyntaxError checks the text.
package wirejson

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Lenient returns the options for decoding what a server has sent: checking for repeated names
// takes time, and file names need not be valid UTF-8.
func Lenient() json.Options {
	return json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// SyntaxError returns the error of jsontext about a text that is not one JSON value, nil if it is.
// Unlike json.Unmarshal it does not need reflection, which would be in every program.
func SyntaxError(text []byte) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text), Lenient())
	if _, err := dec.ReadValue(); err == io.EOF {
		return &jsontext.SyntacticError{Err: io.ErrUnexpectedEOF}
	} else if err != nil {
		return err
	}
	end := dec.InputOffset()
	switch _, err := dec.ReadValue(); err {
	case io.EOF:
		return nil
	case nil:
		return &jsontext.SyntacticError{ByteOffset: end, Err: errors.New("there is more after the value")}
	default:
		return err
	}
}

// Unquote returns the content of a quoted string, with U+FFFD in place of invalid UTF-8. It
// may be a part of quoted. It is nil for text that is not a quoted string.
func Unquote(quoted []byte) []byte {
	if len(quoted) < 2 || quoted[0] != '"' {
		return nil
	}
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	text, _ := jsontext.AppendUnquote(nil, quoted)
	return text
}

// EndOfString returns the end of the string whose first quote is at an index; the length of
// text if it does not end.
func EndOfString(text []byte, at int) int {
	for at++; at < len(text); at++ { // most strings are so short that bytes.IndexByte would be slower
		switch text[at] {
		case '"':
			return at + 1
		case '\\':
			at++
		}
	}
	return len(text)
}

// EndOfScalar returns the end of the string, number or literal that begins at an index.
func EndOfScalar(text []byte, at int) int {
	if at < len(text) && text[at] == '"' {
		return EndOfString(text, at)
	}
	for ; at < len(text); at++ {
		switch text[at] {
		case ',', '}', ']', ' ', '\t', '\r', '\n':
			return at
		}
	}
	return at
}

// KindName returns the name of a kind of JSON value, with its article.
func KindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 't', 'f':
		return "a boolean"
	}
	return k.String()
}

// A Nesting is the place in a JSON text that is read byte by byte. The zero Nesting is at the
// beginning.
type Nesting struct {
	Depth   int // how many objects and lists are open
	quoted  bool
	escaped bool
}

// InString reports whether a string has begun that has not ended yet.
func (n *Nesting) InString() bool { return n.quoted }

// Next goes on by one byte, and reports whether that byte is not part of a string.
func (n *Nesting) Next(b byte) (outside bool) {
	switch {
	case n.escaped:
		n.escaped = false
	case n.quoted:
		n.quoted, n.escaped = b != '"', b == '\\'
	case b == '"':
		n.quoted = true
	default:
		switch b {
		case '{', '[':
			n.Depth++
		case '}', ']':
			n.Depth--
		}
		return true
	}
	return false
}

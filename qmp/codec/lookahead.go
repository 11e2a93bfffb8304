package codec

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// lookAhead finds the string that the member named tag holds in the object
// that text begins with, behind white space and separators. It does not check
// the text: the decoder does, when it reads it. The value is nil if there is
// no such string; found is false if the text ends before that is certain.
func lookAhead(text []byte, tag string) (value []byte, found bool) {
	i := bytes.IndexByte(text, '{') + 1
	for i > 0 {
		i = skipSpace(text, i)
		if i >= len(text) {
			return nil, false
		}
		if text[i] != '"' { // the end, or an error that the decoder will see
			return nil, true
		}
		nameEnd := skipString(text, i)
		if nameEnd < 0 {
			return nil, false
		}
		name := unquote(text[i:nameEnd])
		i = skipSpace(text, nameEnd)
		if i >= len(text) {
			return nil, false
		}
		if string(name) != tag {
			i = skipValue(text, i)
			continue
		}
		if text[i] != '"' {
			return nil, true
		}
		end := skipString(text, i)
		if end < 0 {
			return nil, false
		}
		return unquote(text[i:end]), true
	}
	return nil, false
}

// skipSpace returns where the next value, name or end is.
func skipSpace(text []byte, i int) int {
	for i < len(text) {
		switch text[i] {
		case ' ', '\t', '\r', '\n', ',', ':':
			i++
		default:
			return i
		}
	}
	return i
}

// skipString returns where the string that begins at i ends; -1 if it does not.
func skipString(text []byte, i int) int {
	for i++; i < len(text); i++ { // most are too short for bytes.IndexByte to pay
		switch text[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return -1
}

// skipValue returns where the value that begins at i ends; -1 if it does not.
func skipValue(text []byte, i int) int {
	if i >= len(text) {
		return -1
	}
	switch text[i] {
	case '"':
		return skipString(text, i)
	case '{', '[':
		return skipNested(text, i)
	}
	for ; i < len(text); i++ {
		switch text[i] {
		case ',', '}', ']':
			return i // behind a number or a literal
		}
	}
	return -1
}

// structural are the bytes at which skipNested has something to do. One look
// here is faster than comparing each byte with all of them.
var structural = [256]bool{'"': true, '{': true, '[': true, '}': true, ']': true}

// skipNested is skipValue for an object or a list.
func skipNested(text []byte, i int) int {
	depth := 0
	for i >= 0 && i < len(text) {
		switch c := text[i]; {
		case !structural[c]:
			i++
		case c == '"':
			i = skipString(text, i)
		case c == '{' || c == '[':
			i++
			depth++
		default:
			i++
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// unquote returns what a string in quotes holds. Of a surrogate without its pair
// there is U+FFFD, as json.Unmarshal has it.
func unquote(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	text, _ := jsontext.AppendUnquote(nil, quoted) // what is no string the decoder will see
	return text
}

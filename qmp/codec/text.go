package codec

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// The functions here find their way in text that has been found to be valid JSON.

// lookAhead finds the string that the member named tag holds in the object that
// begins at i; nil if there is none.
func lookAhead(text []byte, i int, tag string) []byte {
	for i = skipSpace(text, i+1); text[i] != '}'; i = skipSpace(text, i) {
		value := skipString(text, i)
		name := unquote(text[i:value])
		value = skipSpace(text, value)
		i = skipValue(text, value)
		if string(name) == tag {
			if text[value] != '"' {
				return nil
			}
			return unquote(text[value:i])
		}
	}
	return nil
}

// skipSpace returns where the next value, name or end is.
func skipSpace(text []byte, i int) int {
	for {
		switch text[i] {
		case ' ', '\t', '\r', '\n', ',', ':':
			i++
		default:
			return i
		}
	}
}

// skipString returns where the string that begins at i ends.
func skipString(text []byte, i int) int {
	for i++; ; i++ { // most are too short for bytes.IndexByte to pay
		switch text[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
}

// skipValue returns where the value that begins at i ends.
func skipValue(text []byte, i int) int {
	switch text[i] {
	case '"':
		return skipString(text, i)
	case '{', '[':
		return skipNested(text, i)
	}
	for ; i < len(text); i++ { // a number or a literal
		switch text[i] {
		case ',', '}', ']', ' ', '\t', '\r', '\n':
			return i
		}
	}
	return i
}

// structural are the bytes at which skipNested has something to do. One look
// here is faster than comparing each byte with all of them.
var structural = [256]bool{'"': true, '{': true, '[': true, '}': true, ']': true}

// skipNested is skipValue for an object or a list.
func skipNested(text []byte, i int) int {
	for depth := 0; ; {
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
}

// unquote returns what a string in quotes holds. Of a surrogate without its pair
// there is U+FFFD, as json.Unmarshal has it.
func unquote(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	text, _ := jsontext.AppendUnquote(nil, quoted) // the error is about such a surrogate
	return text
}

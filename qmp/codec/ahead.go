package codec

import (
	"bytes"
	"reflect"
	"sort"

	"github.com/go-json-experiment/json/jsontext"
)

// The tag of a union may stand anywhere in its object, and says how to decode what
// stands before it. So it is looked for first, by functions that only find their way:
// the text is checked when it is decoded.

// ahead is what looking ahead has found in the text up to a place: where the long
// values end. Without it, unions in unions would be passed again for each level.
type ahead struct {
	spans []span // by begin
	upTo  int
}

// A span is an object or list of at least longSpan bytes.
type span struct{ begin, end int }

const (
	longSpan = 1000
	// keepBelow is how deep in other values it pays to keep spans: before, they are
	// passed again.
	keepBelow = 16
)

// tagAhead returns the string that the member named tag holds in the object that d
// has entered; nil if there is none.
func (d *Decoder) tagAhead(tag string) []byte {
	for i := passSpace(d.text, d.at); i < len(d.text) && d.text[i] == '"'; i = passSpace(d.text, i) {
		end := passString(d.text, i)
		value := passSpace(d.text, end)
		if value < len(d.text) && string(unquote(d.text[i:end])) == tag {
			if d.text[value] != '"' {
				return nil
			}
			return unquote(d.text[value:passString(d.text, value)])
		}
		i = d.pass(value)
	}
	return nil
}

// unquote returns what a string in quotes holds.
func unquote(quoted []byte) []byte {
	if len(quoted) > 1 && bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	text, _ := jsontext.AppendUnquote(nil, quoted)
	return text
}

// passSpace returns where the next value, name or end is.
func passSpace(text []byte, i int) int {
	for ; i < len(text); i++ {
		switch text[i] {
		case ' ', '\t', '\r', '\n', ',', ':':
		default:
			return i
		}
	}
	return i
}

// passString returns where the string that begins at i ends.
func passString(text []byte, i int) int {
	for i++; i < len(text); i++ { // most are too short for bytes.IndexByte to pay
		switch text[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(text)
}

// pass returns where the value that begins at i ends.
func (d *Decoder) pass(i int) int {
	if i >= len(d.text) {
		return i
	}
	switch d.text[i] {
	case '"':
		return passString(d.text, i)
	case '{', '[':
		return d.passLong(i)
	}
	for ; i < len(d.text); i++ { // a number or a word
		switch d.text[i] {
		case ',', '}', ']', ' ', '\t', '\r', '\n':
			return i
		}
	}
	return i
}

// passLong is pass for an object or a list, which may be long.
func (d *Decoder) passLong(begin int) int {
	if begin >= d.ahead.upTo {
		end := d.passNested(begin, d.depth > keepBelow)
		if d.depth > keepBelow {
			d.ahead.upTo = end
		}
		return end
	}
	spans := d.ahead.spans
	at := sort.Search(len(spans), func(n int) bool { return spans[n].begin >= begin })
	if at < len(spans) && spans[at].begin == begin {
		return spans[at].end
	}
	return d.passNested(begin, false) // it is short
}

// structural are the bytes at which passNested has something to do. One look
// here is faster than comparing each byte with all of them.
var structural = [256]bool{'"': true, '{': true, '[': true, '}': true, ']': true}

// passNested returns where the object or list that begins at i ends. It may keep the
// spans of that and of what is in it.
func (d *Decoder) passNested(i int, keep bool) int {
	var open []int // the spans that have not ended, by their place among all
	for depth := 0; i < len(d.text) && depth <= maxDepth; {
		switch c := d.text[i]; {
		case !structural[c]:
			i++
		case c == '"':
			i = passString(d.text, i)
		case c == '{' || c == '[':
			if keep && d.charge(2*int(reflect.TypeFor[span]().Size())) {
				open = append(open, len(d.ahead.spans))
				d.ahead.spans = append(d.ahead.spans, span{begin: i})
			}
			i++
			depth++
		default:
			i++
			depth--
			if last := len(open) - 1; last >= 0 {
				d.end(open[last], i)
				open = open[:last]
			}
			if depth == 0 {
				return i
			}
		}
	}
	return len(d.text) // decoding will refuse it
}

// end ends a span. What is short is not kept, nor what is in it.
func (d *Decoder) end(n, end int) {
	if d.ahead.spans[n].end = end; end-d.ahead.spans[n].begin < longSpan {
		d.ahead.spans = d.ahead.spans[:n]
	}
}

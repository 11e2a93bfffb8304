package codec

import (
	"bytes"
	"reflect"
	"sort"

	"github.com/go-json-experiment/json/jsontext"
)

// The tag of a union may be anywhere in its object, and decides how the members before
// it are decoded. So it is looked for first, by functions that only find where values
// end: the text is checked when it is decoded.

// ahead records where the long values end in the text that was looked at already.
// Without it, unions in unions would be read again for each level.
type ahead struct {
	spans []span // by begin
	upTo  int
}

// A span is an object or list of at least longSpan bytes.
type span struct{ begin, end int }

const (
	longSpan = 1000
	// keepBelow is the depth from which on spans are kept: values above it are read
	// again.
	keepBelow = 16
)

// tagAhead returns the string in the member named tag of the object that d has entered;
// nil if the object has no such member.
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

// unquote returns the content of a quoted string.
func unquote(quoted []byte) []byte {
	if len(quoted) > 1 && bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	text, _ := jsontext.AppendUnquote(nil, quoted)
	return text
}

// passSpace returns the index of the next value, name or end.
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

// passString returns the end of the string that begins at i.
func passString(text []byte, i int) int {
	for i = plainEnd(text, i+1); i < len(text); i = plainEnd(text, i+1) {
		switch text[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(text)
}

// pass returns the end of the value that begins at i.
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

// passLong is pass for an object or a list that may be long.
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

// structural are the bytes that passNested has to handle. Looking up a byte here is
// faster than comparing it with each of them.
var structural = [256]bool{'"': true, '{': true, '[': true, '}': true, ']': true}

// passNested returns the end of the object or list that begins at i. It may keep the
// spans of that and of the values in it.
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
	return len(d.text) // it does not end: decoding will refuse it
}

// end ends a span. A short one is dropped, together with the spans in it.
func (d *Decoder) end(n, end int) {
	if d.ahead.spans[n].end = end; end-d.ahead.spans[n].begin < longSpan {
		d.ahead.spans = d.ahead.spans[:n]
	}
}

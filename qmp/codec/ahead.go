package codec

import (
	"reflect"
	"sort"

	"github.com/goqapi/goqapi/internal/wirejson"
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
		end := wirejson.EndOfString(d.text, i)
		value := passSpace(d.text, end)
		if value < len(d.text) && string(wirejson.Unquote(d.text[i:end])) == tag {
			if d.text[value] != '"' {
				return nil
			}
			return wirejson.Unquote(d.text[value:wirejson.EndOfString(d.text, value)])
		}
		i = d.pass(value)
	}
	return nil
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

// pass returns the end of the value that begins at i.
func (d *Decoder) pass(i int) int {
	if i >= len(d.text) {
		return i
	}
	switch d.text[i] {
	case '"':
		return wirejson.EndOfString(d.text, i)
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
			i = wirejson.EndOfString(d.text, i)
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

package codec

import (
	"encoding/binary"
	"math/bits"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/wirejson"
)

// The grammar of JSON, byte by byte. Where text is not JSON, the methods fail with
// errSyntax; the error of jsontext then describes what is wrong.

// peek skips spaces and returns the next byte; 0 at the end.
func (d *Decoder) peek() byte {
	if d.at < len(d.text) && d.text[d.at] > ' ' {
		return d.text[d.at]
	}
	return d.peekAfterSpace()
}

func (d *Decoder) peekAfterSpace() byte {
	for ; d.at < len(d.text); d.at++ {
		switch c := d.text[d.at]; c {
		case ' ', '\t', '\r', '\n':
		case 0:
			d.fail(errSyntax)
			return 0
		default:
			return c
		}
	}
	return 0
}

// enter enters the object or list that is next.
func (d *Decoder) enter() {
	d.at++
	if d.depth++; d.depth > maxDepth {
		d.fail(errSyntax)
	}
}

// next goes to the next member or element of the object or list that d is in, and
// reports whether there is one; if not, it leaves the object or list.
func (d *Decoder) next(begin, end byte) bool {
	first := d.at > 0 && d.text[d.at-1] == begin // true only right after enter
	if value := d.at + len(", "); !first && value <= len(d.text) && string(d.text[d.at:value]) == ", " && d.at < d.nextCheck {
		d.at = value // what servers print
		return true
	}
	c := d.peek()
	if c == end {
		d.at++
		d.depth--
		return false
	}
	if !first {
		if c != ',' {
			d.fail(errSyntax)
			return false
		}
		d.at++
	}
	if d.at >= d.nextCheck {
		d.checkContext()
	}
	return d.err == nil
}

// Member goes to the next member of the object that d is in and returns its name, which is
// valid until the next string is read. After the last member it leaves the object, and
// returns nil.
func (d *Decoder) Member() []byte {
	if begin := d.at + len(`, "`); begin <= len(d.text) && string(d.text[d.at:begin]) == `, "` && d.text[d.at-1] != '{' && d.at < d.nextCheck {
		if name := d.plainName(begin); name != nil {
			return name
		}
	}
	return d.anyMember()
}

// plainName reads the name that begins at an index, and goes to the value. It returns nil if the
// name is not plain, or if the text is not written as servers print it.
func (d *Decoder) plainName(begin int) []byte {
	end := plainEnd(d.text, begin)
	value := end + len(`": `)
	if value > len(d.text) || string(d.text[end:value]) != `": ` {
		return nil
	}
	d.at = value
	return d.text[begin:end]
}

// anyMember is Member for text of any form.
func (d *Decoder) anyMember() []byte {
	if !d.next('{', '}') {
		return nil
	}
	if d.peek() != '"' {
		d.fail(errSyntax)
		return nil
	}
	name := d.quoted()
	if d.peek() != ':' {
		d.fail(errSyntax)
		return nil
	}
	d.at++
	return name
}

// Masks for eight bytes at a time.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plainEnd returns the index of the first byte from i on that does not stand for itself in a
// string: a quote, a backslash, a control character, or a part of a character that is not
// ASCII; if there is none, the length of text.
func plainEnd(text []byte, i int) int {
	for ; i+8 <= len(text); i += 8 {
		w := binary.LittleEndian.Uint64(text[i:])
		quote, escape := w^ones*'"', w^ones*'\\' // a byte is 0 where w has that character
		// The lowest high bit is that of the first such byte.
		if found := (w | (w - ones*' ') | (quote - ones) | (escape - ones)) & highs; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(text); i++ {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
			break
		}
	}
	return i
}

// quoted reads the string that is next and returns its content, which is valid until the
// next string is read.
func (d *Decoder) quoted() []byte {
	begin := d.at + 1
	end := plainEnd(d.text, begin)
	if end < len(d.text) && d.text[end] == '"' {
		d.at = end + 1
		return d.text[begin:end]
	}
	return d.unusual()
}

// unusual is like quoted, for strings that are not plain. In place of invalid UTF-8 it returns
// U+FFFD, as json.Unmarshal does.
func (d *Decoder) unusual() []byte {
	quoted := d.text[d.at:wirejson.EndOfString(d.text, d.at)]
	text, err := jsontext.AppendUnquote(d.scratch[:0], quoted)
	if err != nil && !jsontext.Value(quoted).IsValid(lenient) {
		d.fail(errSyntax)
		return nil
	}
	d.at += len(quoted)
	d.scratch = text
	return text
}

// number reads the number that is next and returns its text, and its value if that is written
// as a few digits; otherwise -1.
func (d *Decoder) number() (text []byte, value int64) {
	begin := d.at
	for ; d.at < len(d.text) && '0' <= d.text[d.at] && d.text[d.at] <= '9'; d.at++ {
		value = 10*value + int64(d.text[d.at]-'0')
	}
	digits := d.at - begin
	d.at = wirejson.EndOfScalar(d.text, d.at)
	text = d.text[begin:d.at]
	if digits == len(text) && digits <= 18 && (text[0] != '0' || digits == 1) {
		return text, value
	}
	if !jsontext.Value(text).IsValid() {
		d.fail(errSyntax)
	}
	return text, -1
}

// word reads null, true or false.
func (d *Decoder) word(word string) {
	if end := d.at + len(word); end > len(d.text) || string(d.text[d.at:end]) != word {
		d.fail(errSyntax)
		return
	}
	d.at += len(word)
}

// Skip reads the next value and returns its text, which is a part of the text that is decoded.
func (d *Decoder) Skip() []byte {
	c := d.peek()
	begin := d.at
	switch c {
	case '"':
		d.quoted()
	case '{', '[':
		d.skipNested(c)
	case 'n':
		d.word("null")
	case 't':
		d.word("true")
	case 'f':
		d.word("false")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		d.number()
	default:
		d.fail(errSyntax)
	}
	return d.text[begin:d.at]
}

// skipNested is Skip for an object or a list.
func (d *Decoder) skipNested(first byte) {
	begin := d.at
	if d.skippingAhead {
		if end := endOfFlat(d.text, begin); end > 0 {
			d.at = end
			return
		}
	}
	if first == '{' {
		for name := d.Object(""); name != nil; name = d.Member() {
			d.Skip()
		}
	} else {
		for d.enter(); d.next('[', ']'); {
			d.Skip()
		}
	}
	if d.skippingAhead && d.at-begin >= longValue && d.charge(entrySize) {
		if d.ends == nil {
			d.ends = map[int]int{}
		}
		d.ends[begin] = d.at
	}
}

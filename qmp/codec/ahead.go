package codec

import "bytes"

// The tag of a union may be anywhere in its object, and decides how the members before
// it are decoded. So it is looked for first.

// tagAhead returns the string in the member named tag of the object that d has entered;
// nil if the object has no such member. It does not move d.
func (d *Decoder) tagAhead(tag string) (value []byte) {
	at, depth := d.at, d.depth
	for name := d.Member(); name != nil; name = d.Member() {
		if string(name) == tag {
			value = d.tag()
			break
		}
		d.skipAhead()
	}
	if d.err == nil {
		d.at, d.depth = at, depth
	}
	return value
}

// tag reads the value of a tag; it returns nil for null.
func (d *Decoder) tag() []byte {
	if d.peek() != '"' {
		d.other("a string is expected")
		return nil
	}
	value := d.quoted()
	d.scratch = nil // the value may be in it
	return value
}

// skipAhead skips the value that is next. A long value that it has skipped before, for a union that
// contains this one, is not read again.
func (d *Decoder) skipAhead() {
	d.peek()
	if end, known := d.ends[d.at]; known {
		d.at = end
		return
	}
	d.skippingAhead = true
	d.Skip()
	d.skippingAhead = false
}

// longValue is how many bytes a value must have so that skipAhead remembers its end.
const longValue = 1000

// endOfFlat returns the end of the object or list that begins at an index, if it is short and
// contains no other value of its kind; otherwise 0. It does not check the content.
func endOfFlat(text []byte, begin int) int {
	value := text[begin:min(begin+longValue, len(text))]
	end := bytes.IndexByte(value, value[0]+2) // in ASCII, that is '}' for '{', and ']' for '['
	if end < 0 {
		return 0
	}
	inner := value[1:end]
	if bytes.IndexByte(inner, value[0]) >= 0 || bytes.IndexByte(inner, '\\') >= 0 || bytes.Count(inner, []byte{'"'})%2 != 0 {
		return 0 // the end may be in a string, or that of another value
	}
	return begin + end + 1
}

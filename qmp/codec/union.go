package codec

import (
	"github.com/go-json-experiment/json/jsontext"
)

// A MemberFunc decodes the value of the member that [Decoder.Name] returns, if it knows
// that member; otherwise it reads nothing and returns false.
type MemberFunc = func(*Decoder) bool

// A Union is a union that is being decoded: [Decoder.Union] looks ahead for its tag,
// and depending on the tag one of the methods reads the union. Their first argument
// decodes the members that all variants have.
type Union struct {
	// Tag is the discriminator's value; empty if the object has none. It is
	// valid until the next string is read.
	Tag []byte

	d       *Decoder
	tagName string
}

// boxed is the size that is counted for a variant or a form of an alternate: no type of a
// variant is larger.
const boxed = 512

// Union begins to decode a union: it finds the value of the member named tag. typ is
// the Go type, for errors.
func (d *Decoder) Union(typ, tag string) Union {
	u := Union{d: d, tagName: tag}
	if d.peek() != '{' {
		d.mismatch("an object is expected for " + typ)
		return u
	}
	d.enter()
	d.charge(boxed)
	u.Tag = d.tagAhead(tag)
	return u
}

// next goes to the next member that is neither the tag nor a common one.
func (u *Union) next(common MemberFunc) bool {
	for u.d.Member() {
		switch {
		case string(u.d.name) == u.tagName:
			u.skipTag()
		case !common(u.d):
			return true
		}
	}
	return false
}

// skipTag reads the tag, which is known already.
func (u *Union) skipTag() {
	if u.d.peek() == '"' {
		u.d.quoted()
	} else {
		u.d.other("a string is expected")
	}
}

// Variant decodes the members of the variant.
func (u *Union) Variant(common, member MemberFunc) {
	for u.next(common) {
		if !member(u.d) {
			u.d.Unknown()
		}
	}
}

// Empty decodes a variant that adds no members.
func (u *Union) Empty(common MemberFunc) {
	for u.next(common) {
		u.d.Unknown()
	}
}

// Data decodes a variant that is the value of the member data, with a function.
func (u *Union) Data(common MemberFunc, decode func(*Decoder)) {
	for u.next(common) {
		if string(u.d.name) == "data" {
			decode(u.d)
		} else {
			u.d.Unknown()
		}
	}
}

// Members returns an object of all members that are neither the tag nor
// common, for a variant that the bindings do not know.
func (u *Union) Members(common MemberFunc) []byte {
	object := []byte("{")
	for u.next(common) {
		if len(object) > 1 {
			object = append(object, ',')
		}
		object, _ = jsontext.AppendQuote(object, u.d.name) // writes U+FFFD for invalid UTF-8
		value := u.d.skip()
		u.d.charge(2 * len(value))
		object = append(append(object, ':'), value...)
	}
	return append(object, '}')
}

// Nested decodes a variant that is itself a union, in the same object.
func (u *Union) Nested(common MemberFunc, decode func(*Decoder)) {
	begin := u.d.at - 1 // where the object is
	object := u.Members(common)
	if u.d.err == nil {
		u.d.inner(begin, decodeText(u.d.ctx, object, u.d.strict, u.d, decode))
	}
}

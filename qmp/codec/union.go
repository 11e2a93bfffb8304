package codec

import (
	"github.com/go-json-experiment/json/jsontext"
)

// A MemberFunc decodes the value of the member with a name, if it knows that member;
// otherwise it reads nothing and returns false.
type MemberFunc = func(d *Decoder, name []byte) bool

// A Union is a union that is being decoded: [Decoder.Union] looks ahead for its tag,
// which decides how the members are read.
type Union struct {
	// Tag is the discriminator's value; empty if the object has none.
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

// Member goes to the next member that is not the tag, and returns its name; nil after the
// last one.
func (u *Union) Member() []byte {
	for {
		name := u.d.Member()
		if name == nil || string(name) != u.tagName {
			return name
		}
		u.d.tag() // it is known
	}
}

// Empty decodes a variant that adds no members.
func (u *Union) Empty(common MemberFunc) {
	for name := u.Member(); name != nil; name = u.Member() {
		if !common(u.d, name) {
			u.d.Unknown()
		}
	}
}

// Members returns an object of all members that are neither the tag nor
// common, for a variant that the bindings do not know.
func (u *Union) Members(common MemberFunc) []byte {
	object := []byte("{")
	for name := u.Member(); name != nil; name = u.Member() {
		if common(u.d, name) {
			continue
		}
		if len(object) > 1 {
			object = append(object, ',')
		}
		object, _ = jsontext.AppendQuote(object, name) // writes U+FFFD for invalid UTF-8
		value := u.d.Skip()
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

package codec

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Union is a union while it is decoded: BeginUnion looks ahead for its tag,
// and one of the other methods reads it, as the tag demands.
type Union struct {
	// Tag is the discriminator's value; empty if the object has none. It is
	// valid until the union is read.
	Tag []byte

	dec     *jsontext.Decoder
	tagName string
	common  MemberFunc
	at      jsontext.Pointer // where dec's text came from, if it is a copy
}

// BeginUnion begins to decode the union x, which is next in dec: it finds the
// value of the member named tag. common decodes the members that all variants
// have, when the variant is read.
func BeginUnion(dec *jsontext.Decoder, x any, tag string, common MemberFunc) (Union, error) {
	u := Union{dec: dec, tagName: tag, common: common}
	if err := expectObject(dec, x); err != nil {
		return u, err
	}
	value, found := lookAhead(dec.UnreadBuffer(), tag)
	if !found { // the rest is still to be read from somewhere, or it is cut
		object, err := dec.ReadValue()
		if err != nil {
			return u, err
		}
		u.at = dec.StackPointer()
		u.dec = newDecoder(object.Clone())
		u.dec.PeekKind() // fills its buffer
		value, _ = lookAhead(u.dec.UnreadBuffer(), tag)
	}
	u.Tag = value
	_, err := u.dec.ReadToken()
	return u, err
}

// rest calls f with the name of each member that is neither the tag nor
// common. f must read the value.
func (u *Union) rest(f func(name []byte) error) error {
	err := eachNext(u.dec, func(name []byte) error {
		if string(name) == u.tagName {
			return u.skipTag()
		}
		known, err := u.common(u.dec, name)
		if err == nil && !known {
			err = f(name)
		}
		return err
	})
	return below(u.at, u.dec, err)
}

// skipTag reads the tag, which is known already unless it is no string.
func (u *Union) skipTag() error {
	if u.dec.PeekKind() == '"' {
		return u.dec.SkipValue()
	}
	var tag string
	return json.UnmarshalDecode(u.dec, &tag)
}

// Variant decodes the members of the variant. Those that neither it nor the
// union knows are ignored.
func (u *Union) Variant(member MemberFunc) error {
	return u.rest(func(name []byte) error {
		known, err := member(u.dec, name)
		if err == nil && !known {
			err = u.dec.SkipValue()
		}
		return err
	})
}

// Empty decodes a variant that adds no members.
func (u *Union) Empty() error {
	return u.rest(func([]byte) error { return u.dec.SkipValue() })
}

// Data decodes a variant that is the value of one member, data.
func (u *Union) Data(x any) error {
	return u.rest(func(name []byte) error {
		if string(name) == "data" {
			return json.UnmarshalDecode(u.dec, x)
		}
		return u.dec.SkipValue()
	})
}

// Members returns an object of all members that are neither the tag nor
// common, for a variant that the bindings do not know.
func (u *Union) Members() ([]byte, error) {
	object := []byte("{")
	err := u.rest(func(name []byte) error {
		if len(object) > 1 {
			object = append(object, ',')
		}
		object, _ = jsontext.AppendQuote(object, name) // U+FFFD for what is no text
		value, err := u.dec.ReadValue()
		object = append(append(object, ':'), value...)
		return err
	})
	return append(object, '}'), err
}

// Nested decodes a variant that is itself a union, in the same object.
func (u *Union) Nested(x any) error {
	at := u.at + u.dec.StackPointer()
	object, err := u.Members()
	if err != nil {
		return err
	}
	dec := newDecoder(object)
	return below(at, dec, json.UnmarshalDecode(dec, x))
}

// below makes the place that an error of dec names one below at, which is
// where dec's text came from.
func below(at jsontext.Pointer, dec *jsontext.Decoder, err error) error {
	if err == nil || at == "" {
		return err
	}
	sem, ok := err.(*json.SemanticError)
	if !ok {
		return &json.SemanticError{JSONPointer: at + dec.StackPointer(), Err: err}
	}
	moved := *sem
	moved.JSONPointer = at + sem.JSONPointer
	return &moved
}

// goName is the name of x's type as users write it.
func goName(x any) string {
	return strings.TrimPrefix(fmt.Sprintf("%T", x), "*")
}

// newDecoder returns a decoder of text that behaves like Unmarshal's.
func newDecoder(text []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(text),
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

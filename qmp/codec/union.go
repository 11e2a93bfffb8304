package codec

import (
	"github.com/go-json-experiment/json/jsontext"
)

// A Union is a union while it is decoded: BeginUnion looks ahead for its tag,
// and one of the other methods reads it, as the tag demands. Their first argument
// decodes the members that all variants have.
type Union struct {
	// Tag is the discriminator's value; empty if the object has none. It is
	// valid as long as the decoder's text.
	Tag []byte

	dec     *Decoder
	tagName string
}

// BeginUnion begins to decode the union x, which is next in dec: it finds the
// value of the member named tag.
func BeginUnion(dec *Decoder, x any, tag string) (Union, error) {
	u := Union{dec: dec, tagName: tag}
	if err := expectObject(dec, x); err != nil {
		return u, err
	}
	u.Tag = lookAhead(dec.text, dec.at, tag)
	dec.enter()
	return u, nil
}

// rest calls f with the name of each member that is neither the tag nor
// common. f must read the value.
func (u *Union) rest(common MemberFunc, f func(name []byte) error) error {
	return u.dec.eachMember(func(name []byte) error {
		if string(name) == u.tagName {
			return u.skipTag()
		}
		known, err := common(u.dec, name)
		if err == nil && !known {
			err = f(name)
		}
		return err
	})
}

// skipTag reads the tag, which is known already unless it is no string.
func (u *Union) skipTag() error {
	if u.dec.PeekKind() == '"' {
		u.dec.readValue()
		return nil
	}
	var tag string
	_, err := Value(u.dec, &tag)
	return err
}

// Variant decodes the members of the variant. Those that neither it nor the
// union knows are ignored.
func (u *Union) Variant(common, member MemberFunc) error {
	return u.rest(common, func(name []byte) error {
		known, err := member(u.dec, name)
		if !known {
			u.dec.readValue()
		}
		return err
	})
}

// Empty decodes a variant that adds no members.
func (u *Union) Empty(common MemberFunc) error {
	return u.rest(common, func([]byte) error {
		u.dec.readValue()
		return nil
	})
}

// Data decodes a variant that is the value of one member, data.
func (u *Union) Data(common MemberFunc, x any) error {
	return u.rest(common, func(name []byte) error {
		if string(name) == "data" {
			_, err := Value(u.dec, x)
			return err
		}
		u.dec.readValue()
		return nil
	})
}

// Members returns an object of all members that are neither the tag nor
// common, for a variant that the bindings do not know.
func (u *Union) Members(common MemberFunc) ([]byte, error) {
	object := []byte("{")
	err := u.rest(common, func(name []byte) error {
		if len(object) > 1 {
			object = append(object, ',')
		}
		object, _ = jsontext.AppendQuote(object, name) // U+FFFD for what is no text
		object = append(append(object, ':'), u.dec.readValue()...)
		return nil
	})
	return append(object, '}'), err
}

// Nested decodes a variant that is itself a union, in the same object.
func (u *Union) Nested(common MemberFunc, x any) error {
	object, err := u.Members(common)
	if err != nil {
		return err
	}
	return Unmarshal(object, x)
}

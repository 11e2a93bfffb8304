package codec

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Union is a union while it is decoded: BeginUnion reads up to the tag, and
// one of the other methods the rest, as the tag demands. Members that come
// before the tag and are not common to all variants are kept for it.
type Union struct {
	// Tag is the discriminator's value; empty if the object has none.
	Tag string

	dec    *jsontext.Decoder
	common MemberFunc
	kept   []byte // `{"a":1,"b":2`, or nothing
	ended  bool   // the object's end has been read
}

// BeginUnion begins to decode the union x, which is next in dec: it reads its
// discriminator, the member named tag, and decodes with common the members
// that all variants have.
func BeginUnion(dec *jsontext.Decoder, x any, tag string, common MemberFunc) (*Union, error) {
	u := &Union{dec: dec, common: common}
	if err := beginObject(dec, x); err != nil {
		return u, err
	}
	for dec.PeekKind() != '}' {
		name, err := readName(dec)
		if err != nil {
			return u, err
		}
		if string(name) == tag {
			_, err := String(dec, &u.Tag)
			return u, err
		}
		known, err := common(dec, name)
		if err == nil && !known {
			err = u.keep(name)
		}
		if err != nil {
			return u, err
		}
	}
	u.ended = true
	_, err := dec.ReadToken()
	return u, err
}

// keep keeps the member of that name, whose value is next.
func (u *Union) keep(name []byte) error {
	sep := byte(',')
	if u.kept == nil {
		sep = '{'
	}
	var err error
	u.kept, err = jsontext.AppendQuote(append(u.kept, sep), name)
	if err != nil {
		return err
	}
	value, err := u.dec.ReadValue()
	u.kept = append(append(u.kept, ':'), value...)
	return err
}

// Variant decodes the members of the variant. Those that neither it nor the
// union knows are ignored.
func (u *Union) Variant(member MemberFunc) error {
	if u.kept != nil {
		if err := u.replay(member); err != nil {
			return err
		}
	}
	return u.rest(func(name []byte) error {
		known, err := member(u.dec, name)
		if err == nil && !known {
			err = u.dec.SkipValue()
		}
		return err
	})
}

// replay decodes the members kept.
func (u *Union) replay(member MemberFunc) error {
	at := u.dec.StackPointer().Parent()
	return withDecoder(append(u.kept, '}'), func(dec *jsontext.Decoder) error {
		err := DecodeObject(dec, nil, member)
		return below(at, dec, err)
	})
}

// rest calls f with the name of each member that is left and not common.
func (u *Union) rest(f func(name []byte) error) error {
	if u.ended {
		return nil
	}
	return eachNext(u.dec, func(name []byte) error {
		known, err := u.common(u.dec, name)
		if err == nil && !known {
			err = f(name)
		}
		return err
	})
}

// Empty decodes a variant that adds no members.
func (u *Union) Empty() error {
	return u.Variant(func(*jsontext.Decoder, []byte) (bool, error) { return false, nil })
}

// Data decodes a variant that is the value of one member, data.
func (u *Union) Data(x any) error {
	return u.Variant(func(dec *jsontext.Decoder, name []byte) (bool, error) {
		if string(name) == "data" {
			return Value(dec, x)
		}
		return false, nil
	})
}

// Members returns an object of all members that are not common, for a variant
// that is a union itself or that the bindings do not know.
func (u *Union) Members() (jsontext.Value, error) {
	if err := u.rest(u.keep); err != nil {
		return nil, err
	}
	if u.kept == nil {
		return jsontext.Value("{}"), nil
	}
	return append(u.kept, '}'), nil
}

// Nested decodes a variant that is itself a union, in the same object.
func (u *Union) Nested(x any) error {
	at := u.dec.StackPointer()
	object, err := u.Members()
	if err != nil {
		return err
	}
	return withDecoder(object, func(dec *jsontext.Decoder) error {
		return below(at, dec, json.UnmarshalDecode(dec, x))
	})
}

// below makes the place that an error of dec names one of the place at, which
// is where dec's text came from.
func below(at jsontext.Pointer, dec *jsontext.Decoder, err error) error {
	if err == nil {
		return nil
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

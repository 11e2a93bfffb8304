package codec

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A MemberFunc decodes the value of the member of that name, which is next in
// dec, if it knows the member; otherwise it reads nothing and returns false.
// The name is only valid until dec is read.
type MemberFunc func(dec *jsontext.Decoder, name []byte) (known bool, err error)

// Value decodes the next value into what x points to. Like all functions here
// that decode a member's value, it tells that the member was known.
func Value(dec *jsontext.Decoder, x any) (known bool, err error) {
	if raw, ok := x.(*stdjson.RawMessage); ok { // reflection has a long way to its methods
		return true, DecodeRaw(dec, raw)
	}
	return true, json.UnmarshalDecode(dec, x)
}

// Object decodes a value that has a function of its own for that.
func Object[T any](dec *jsontext.Decoder, x *T, decode func(*T, *jsontext.Decoder) error) (known bool, err error) {
	return true, decode(x, dec)
}

// OptionalObject is Object for an optional member.
func OptionalObject[T any](dec *jsontext.Decoder, x **T, decode func(*T, *jsontext.Decoder) error) (known bool, err error) {
	if dec.PeekKind() == 'n' {
		*x = nil
		return true, dec.SkipValue()
	}
	*x = new(T)
	return true, decode(*x, dec)
}

// List decodes a list whose elements have a function of their own for that.
func List[T any](dec *jsontext.Decoder, x *[]T, decode func(*T, *jsontext.Decoder) error) (known bool, err error) {
	if dec.PeekKind() != '[' {
		return true, json.UnmarshalDecode(dec, x) // null, or an error that says what is wrong
	}
	if _, err := dec.ReadToken(); err != nil {
		return true, err
	}
	list := []T{}
	if dec.PeekKind() != ']' {
		list = make([]T, 0, 4)
	}
	for dec.PeekKind() != ']' {
		list = append(list, *new(T)) // decoded in place: a variable would be one allocation more
		if err := decode(&list[len(list)-1], dec); err != nil {
			return true, err
		}
	}
	*x = list
	_, err = dec.ReadToken()
	return true, err
}

// ListOf is a place for a result that is a list whose elements have a function of
// their own to be decoded by.
func ListOf[T any](x *[]T, decode func(*T, *jsontext.Decoder) error) json.UnmarshalerFrom {
	return &listOf[T]{x, decode}
}

type listOf[T any] struct {
	x      *[]T
	decode func(*T, *jsontext.Decoder) error
}

func (l *listOf[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	_, err := List(dec, l.x, l.decode)
	return err
}

// Prop decodes a member that the schema does not know.
func Prop(dec *jsontext.Decoder, name []byte, props *map[string]any) (known bool, err error) {
	key := string(name)
	v, err := anything(dec)
	if *props == nil {
		*props = map[string]any{}
	}
	(*props)[key] = v
	return true, err
}

// anything decodes a value of any type. Integers keep all their digits: they
// become int64, or uint64 where that is too small.
func anything(dec *jsontext.Decoder) (any, error) {
	switch dec.PeekKind() {
	case '0':
		text, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		if i, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			return i, nil
		}
		if u, err := strconv.ParseUint(string(text), 10, 64); err == nil {
			return u, nil
		}
		f, err := strconv.ParseFloat(string(text), 64)
		return f, badNumber(dec, &f, text, err)
	case '[':
		list := []any{}
		_, err := List(dec, &list, func(x *any, dec *jsontext.Decoder) (err error) {
			*x, err = anything(dec)
			return err
		})
		return list, err
	case '{':
		object := map[string]any{}
		err := DecodeObject(dec, &object, func(dec *jsontext.Decoder, name []byte) (bool, error) {
			return Prop(dec, name, &object)
		})
		return object, err
	}
	var v any
	err := json.UnmarshalDecode(dec, &v)
	return v, err
}

// DecodeNull reads a null.
func DecodeNull(dec *jsontext.Decoder) error {
	if kind := dec.PeekKind(); kind != 'n' && kind != 0 {
		return &json.SemanticError{JSONKind: kind, Err: errors.New("null is expected")}
	}
	_, err := dec.ReadToken()
	return err
}

// DecodeRaw keeps the next value as it is.
func DecodeRaw[T ~[]byte](dec *jsontext.Decoder, x *T) error {
	text, err := dec.ReadValue()
	*x = append((*x)[:0:0], text...)
	return err
}

// DecodeObject decodes an object member by member, ignoring those that the
// function does not know.
func DecodeObject(dec *jsontext.Decoder, x any, member MemberFunc) error {
	if err := expectObject(dec, x); err != nil {
		return err
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	return eachNext(dec, func(name []byte) error {
		known, err := member(dec, name)
		if err == nil && !known {
			err = dec.SkipValue()
		}
		return err
	})
}

// expectObject fails unless an object is next; x is what should come out of it.
func expectObject(dec *jsontext.Decoder, x any) error {
	kind := dec.PeekKind()
	if kind == '{' || kind == jsontext.KindInvalid {
		return nil // reading tells what is invalid
	}
	if err := dec.SkipValue(); err != nil {
		return err
	}
	return &json.SemanticError{
		JSONPointer: dec.StackPointer(), JSONKind: kind,
		Err: fmt.Errorf("an object is expected for %s", goName(x)),
	}
}

// eachNext calls f with the name of each member that is left of the object
// that dec is in, and reads the object's end. f must read the value.
func eachNext(dec *jsontext.Decoder, f func(name []byte) error) error {
	for dec.PeekKind() != '}' {
		name, err := readName(dec)
		if err == nil {
			err = f(name)
		}
		if err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// readName reads the name of a member. It is valid until dec is read again.
func readName(dec *jsontext.Decoder) ([]byte, error) {
	quoted, err := dec.ReadValue()
	if err != nil {
		return nil, err
	}
	return unquote(quoted), nil
}

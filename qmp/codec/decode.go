package codec

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A MemberFunc decodes the value of the member of that name, which is next in
// dec, if it knows the member; otherwise it reads nothing and returns false.
type MemberFunc func(dec *Decoder, name []byte) (known bool, err error)

// Value decodes the next value into what x points to, by reflection. Like all
// functions here that decode a member's value, it tells that the member was known.
func Value(dec *Decoder, x any) (known bool, err error) {
	text := dec.readValue()
	if raw, ok := x.(*stdjson.RawMessage); ok { // reflection has a long way to its methods
		*raw = bytes.Clone(text)
		return true, nil
	}
	return true, Unmarshal(text, x)
}

// Object decodes a value that has a function of its own for that.
func Object[T any](dec *Decoder, x *T, decode func(*T, *Decoder) error) (known bool, err error) {
	return true, decode(x, dec)
}

// OptionalObject is Object for an optional member.
func OptionalObject[T any](dec *Decoder, x **T, decode func(*T, *Decoder) error) (known bool, err error) {
	if dec.PeekKind() == 'n' {
		return other(dec, x)
	}
	*x = new(T)
	return true, decode(*x, dec)
}

// List decodes a list whose elements have a function of their own for that.
func List[T any](dec *Decoder, x *[]T, decode func(*T, *Decoder) error) (known bool, err error) {
	if dec.PeekKind() != '[' {
		return other(dec, x) // null, or an error that says what is wrong
	}
	dec.enter()
	list := []T{}
	if dec.PeekKind() != ']' {
		list = make([]T, 0, 4)
	}
	for dec.PeekKind() != ']' {
		i := len(list)
		list = append(list, *new(T)) // decoded in place: a variable would be one allocation more
		if err := decode(&list[i], dec); err != nil {
			return true, below(jsontext.Pointer("/"+strconv.Itoa(i)), err)
		}
	}
	dec.leave()
	*x = list
	return true, nil
}

// ListOf is a place for a result that is a list whose elements have a function of
// their own to be decoded by.
func ListOf[T any](x *[]T, decode func(*T, *Decoder) error) json.UnmarshalerFrom {
	return &listOf[T]{x, decode}
}

type listOf[T any] struct {
	x      *[]T
	decode func(*T, *Decoder) error
}

func (l *listOf[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return Decode(dec, func(dec *Decoder) error {
		_, err := List(dec, l.x, l.decode)
		return err
	})
}

// Prop decodes a member that the schema does not know.
func Prop(dec *Decoder, name []byte, props *map[string]any) (known bool, err error) {
	v, err := anything(dec)
	if *props == nil {
		*props = map[string]any{}
	}
	(*props)[string(name)] = v
	return true, err
}

// anything decodes a value of any type. Integers keep all their digits: they
// become int64, or uint64 where that is too small.
func anything(dec *Decoder) (any, error) {
	switch dec.PeekKind() {
	case '0':
		text := dec.readValue()
		if i, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			return i, nil
		}
		if u, err := strconv.ParseUint(string(text), 10, 64); err == nil {
			return u, nil
		}
		f, err := strconv.ParseFloat(string(text), 64)
		return f, badNumber(reflect.TypeFor[float64](), text, err)
	case '[':
		list := []any{}
		_, err := List(dec, &list, func(x *any, dec *Decoder) (err error) {
			*x, err = anything(dec)
			return err
		})
		return list, err
	case '{':
		object := map[string]any{}
		err := DecodeObject(dec, &object, func(dec *Decoder, name []byte) (bool, error) {
			return Prop(dec, name, &object)
		})
		return object, err
	}
	var v any
	_, err := Value(dec, &v)
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
// function does not know. x is what comes out of it.
func DecodeObject(dec *Decoder, x any, member MemberFunc) error {
	if err := expectObject(dec, x); err != nil {
		return err
	}
	dec.enter()
	return dec.eachMember(func(name []byte) error {
		known, err := member(dec, name)
		if !known {
			dec.readValue()
		}
		return err
	})
}

// expectObject fails unless an object is next; x is what should come out of it.
func expectObject(dec *Decoder, x any) error {
	kind := dec.PeekKind()
	if kind == '{' {
		return nil
	}
	return &json.SemanticError{JSONKind: kind, Err: fmt.Errorf("an object is expected for %s", goName(x))}
}

// below makes the place of an error one below at.
func below(at jsontext.Pointer, err error) error {
	if err == nil || at == "" {
		return err
	}
	sem, ok := err.(*json.SemanticError)
	if !ok {
		return &json.SemanticError{JSONPointer: at, Err: err}
	}
	moved := *sem
	moved.JSONPointer = at + sem.JSONPointer
	return &moved
}

// goName is the name of x's type as users write it.
func goName(x any) string {
	return strings.TrimPrefix(fmt.Sprintf("%T", x), "*")
}

package codec

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A MemberFunc decodes the value of the member of that name, which is next in
// dec, if it knows the member; otherwise it reads nothing and returns false.
// The name is only valid until dec is read.
type MemberFunc func(dec *jsontext.Decoder, name []byte) (known bool, err error)

// Value decodes the next value into what x points to. It tells a MemberFunc's
// caller that the member was known.
func Value(dec *jsontext.Decoder, x any) (known bool, err error) {
	return true, json.UnmarshalDecode(dec, x)
}

// String is Value for strings and enums.
func String[T ~string](dec *jsontext.Decoder, x *T) (known bool, err error) {
	if dec.PeekKind() != '"' {
		return true, json.UnmarshalDecode(dec, x)
	}
	tok, err := dec.ReadToken()
	if err == nil {
		*x = T(tok.String())
	}
	return true, err
}

// OptionalString is Value for optional strings and enums.
func OptionalString[T ~string](dec *jsontext.Decoder, x **T) (known bool, err error) {
	*x = new(T)
	return String(dec, *x)
}

// List decodes a list whose elements need a function of their own.
func List[T any](dec *jsontext.Decoder, x *[]T, elem func(*jsontext.Decoder, *T) (bool, error)) (known bool, err error) {
	if kind := dec.PeekKind(); kind != '[' {
		return true, json.UnmarshalDecode(dec, x) // null, or an error that says what is wrong
	}
	if _, err := dec.ReadToken(); err != nil {
		return true, err
	}
	*x = []T{}
	for dec.PeekKind() != ']' {
		var v T
		if _, err := elem(dec, &v); err != nil {
			return true, err
		}
		*x = append(*x, v)
	}
	_, err = dec.ReadToken()
	return true, err
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
		return strconv.ParseFloat(string(text), 64)
	case '[':
		list := []any{}
		_, err := List(dec, &list, func(dec *jsontext.Decoder, x *any) (bool, error) {
			v, err := anything(dec)
			*x = v
			return true, err
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
	if err := beginObject(dec, x); err != nil {
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

// beginObject reads the brace of an object; x is what should come out of it.
func beginObject(dec *jsontext.Decoder, x any) error {
	if kind := dec.PeekKind(); kind != '{' && kind != 0 {
		if err := dec.SkipValue(); err != nil {
			return err
		}
		return &json.SemanticError{JSONKind: kind, Err: fmt.Errorf("an object is expected for %s", goName(x))}
	}
	_, err := dec.ReadToken()
	return err
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
	if bytes.IndexByte(quoted, '\\') >= 0 {
		return jsontext.AppendUnquote(nil, quoted)
	}
	if len(quoted) < 2 { // not a string: cannot be, since dec checks names
		return nil, fmt.Errorf("%s is not a member's name", quoted)
	}
	return quoted[1 : len(quoted)-1], nil
}

// eachMember calls f with the name, in quotes, and the value of each member of
// an object. Both are valid until f returns.
func eachMember(object jsontext.Value, f func(name, value jsontext.Value) error) error {
	return withDecoder(object, func(dec *jsontext.Decoder) error {
		if err := beginObject(dec, nil); err != nil {
			return err
		}
		for dec.PeekKind() != '}' {
			name, err := dec.ReadValue()
			if err != nil {
				return err
			}
			name = name.Clone()
			value, err := dec.ReadValue()
			if err == nil {
				err = f(name, value)
			}
			if err != nil {
				return err
			}
		}
		_, err := dec.ReadToken()
		return err
	})
}

// decoders are those of withDecoder, with their buffers.
var decoders = sync.Pool{New: func() any { return new(pooledDecoder) }}

type pooledDecoder struct {
	dec jsontext.Decoder
	buf bytes.Buffer
}

// withDecoder calls f with a decoder that reads text.
func withDecoder(text []byte, f func(*jsontext.Decoder) error) error {
	p := decoders.Get().(*pooledDecoder)
	p.buf = *bytes.NewBuffer(text)
	p.dec.Reset(&p.buf, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	err := f(&p.dec)
	p.buf = bytes.Buffer{}
	p.dec.Reset(&p.buf) // keeps nothing of text alive
	decoders.Put(p)
	return err
}

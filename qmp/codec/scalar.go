package codec

import (
	"errors"
	"reflect"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The functions below decode scalars without reflection. A value of another
// kind goes the long way, which ends in an error that says what is wrong.

// String decodes a string or an enum.
func String[T ~string](dec *jsontext.Decoder, x *T) (known bool, err error) {
	text, err := dec.ReadValue()
	switch {
	case err != nil:
	case text.Kind() == '"':
		*x = T(unquote(text))
	default:
		err = again(dec, text, x)
	}
	return true, err
}

// Strings decodes a list of strings or enums.
func Strings[T ~string](dec *jsontext.Decoder, x *[]T) (known bool, err error) {
	return List(dec, x, func(x *T, dec *jsontext.Decoder) error {
		_, err := String(dec, x)
		return err
	})
}

// again decodes the value that dec has just read by reflection, for the error.
func again(dec *jsontext.Decoder, text jsontext.Value, x any) error {
	return below(dec.StackPointer(), dec, Unmarshal(text, x))
}

// Bool decodes true or false.
func Bool[T ~bool](dec *jsontext.Decoder, x *T) (known bool, err error) {
	if kind := dec.PeekKind(); kind != 't' && kind != 'f' {
		return Value(dec, x)
	}
	tok, err := dec.ReadToken()
	if err == nil {
		*x = T(tok.Bool())
	}
	return true, err
}

// Int decodes a signed integer.
func Int[T ~int8 | ~int16 | ~int32 | ~int64](dec *jsontext.Decoder, x *T) (known bool, err error) {
	text, err := number(dec, x)
	if text == nil {
		return true, err
	}
	n, err := strconv.ParseInt(string(text), 10, reflect.TypeFor[T]().Bits())
	*x = T(n)
	return true, badNumber(dec, x, text, err)
}

// Uint decodes an unsigned integer.
func Uint[T ~uint8 | ~uint16 | ~uint32 | ~uint64](dec *jsontext.Decoder, x *T) (known bool, err error) {
	text, err := number(dec, x)
	if text == nil {
		return true, err
	}
	n, err := strconv.ParseUint(string(text), 10, reflect.TypeFor[T]().Bits())
	*x = T(n)
	return true, badNumber(dec, x, text, err)
}

// number reads the text of a number. What is none has been dealt with when it is nil.
func number(dec *jsontext.Decoder, x any) (jsontext.Value, error) {
	text, err := dec.ReadValue()
	if err != nil {
		return nil, err
	}
	if text.Kind() != '0' {
		return nil, again(dec, text, x)
	}
	return text, nil
}

// badNumber is err, of parsing a number into what x points to, with its place.
func badNumber(dec *jsontext.Decoder, x any, text jsontext.Value, err error) error {
	if err == nil {
		return nil
	}
	return &json.SemanticError{
		JSONPointer: dec.StackPointer(),
		JSONKind:    '0',
		JSONValue:   text.Clone(),
		GoType:      reflect.TypeOf(x).Elem(),
		Err:         errors.Unwrap(err), // strconv's own repeats the text
	}
}

// OptionalString is String for an optional member.
func OptionalString[T ~string](dec *jsontext.Decoder, x **T) (known bool, err error) {
	return optional(dec, x, String[T])
}

// OptionalBool is Bool for an optional member.
func OptionalBool[T ~bool](dec *jsontext.Decoder, x **T) (known bool, err error) {
	return optional(dec, x, Bool[T])
}

// OptionalInt is Int for an optional member.
func OptionalInt[T ~int8 | ~int16 | ~int32 | ~int64](dec *jsontext.Decoder, x **T) (known bool, err error) {
	return optional(dec, x, Int[T])
}

// OptionalUint is Uint for an optional member.
func OptionalUint[T ~uint8 | ~uint16 | ~uint32 | ~uint64](dec *jsontext.Decoder, x **T) (known bool, err error) {
	return optional(dec, x, Uint[T])
}

// optional decodes into a new T; null is none.
func optional[T any](dec *jsontext.Decoder, x **T, decode func(*jsontext.Decoder, *T) (bool, error)) (known bool, err error) {
	if dec.PeekKind() == 'n' {
		*x = nil
		return true, dec.SkipValue()
	}
	*x = new(T)
	return decode(dec, *x)
}

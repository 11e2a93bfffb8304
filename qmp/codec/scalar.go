package codec

import (
	"bytes"
	"errors"
	"reflect"
	"strconv"

	"github.com/go-json-experiment/json"
)

// The functions below decode scalars without reflection. A value of another
// kind goes the long way, which ends in an error that says what is wrong.

// String decodes a string or an enum.
func String[T ~string](dec *Decoder, x *T) (known bool, err error) {
	if dec.PeekKind() != '"' {
		return other(dec, x)
	}
	*x = T(dec.readString())
	return true, nil
}

// Strings decodes a list of strings or enums.
func Strings[T ~string](dec *Decoder, x *[]T) (known bool, err error) {
	return List(dec, x, func(x *T, dec *Decoder) error {
		_, err := String(dec, x)
		return err
	})
}

// Bool decodes true or false.
func Bool[T ~bool](dec *Decoder, x *T) (known bool, err error) {
	if kind := dec.PeekKind(); kind != 't' && kind != 'f' {
		return other(dec, x)
	}
	*x = dec.readValue()[0] == 't'
	return true, nil
}

// Int decodes a signed integer.
func Int[T ~int8 | ~int16 | ~int32 | ~int64](dec *Decoder, x *T) (known bool, err error) {
	if dec.PeekKind() != '0' {
		return other(dec, x)
	}
	text := dec.readValue()
	n, err := strconv.ParseInt(string(text), 10, reflect.TypeFor[T]().Bits())
	*x = T(n)
	return true, badNumber(reflect.TypeFor[T](), text, err)
}

// Uint decodes an unsigned integer.
func Uint[T ~uint8 | ~uint16 | ~uint32 | ~uint64](dec *Decoder, x *T) (known bool, err error) {
	if dec.PeekKind() != '0' {
		return other(dec, x)
	}
	text := dec.readValue()
	n, err := strconv.ParseUint(string(text), 10, reflect.TypeFor[T]().Bits())
	*x = T(n)
	return true, badNumber(reflect.TypeFor[T](), text, err)
}

// other decodes a value by reflection. Unlike [Value] it leaves the compiler the
// knowledge that x stays where it is, so that a variant need not be allocated twice.
func other[T any](dec *Decoder, x *T) (known bool, err error) {
	v := *x
	known, err = Value(dec, &v)
	*x = v
	return known, err
}

// badNumber is err, of parsing a number into a t, with the number.
func badNumber(t reflect.Type, text []byte, err error) error {
	if err == nil {
		return nil
	}
	return &json.SemanticError{
		JSONKind:  '0',
		JSONValue: bytes.Clone(text),
		GoType:    t,
		Err:       errors.Unwrap(err), // strconv's own repeats the text
	}
}

// OptionalString is String for an optional member.
func OptionalString[T ~string](dec *Decoder, x **T) (known bool, err error) {
	return optional(dec, x, String[T])
}

// OptionalBool is Bool for an optional member.
func OptionalBool[T ~bool](dec *Decoder, x **T) (known bool, err error) {
	return optional(dec, x, Bool[T])
}

// OptionalInt is Int for an optional member.
func OptionalInt[T ~int8 | ~int16 | ~int32 | ~int64](dec *Decoder, x **T) (known bool, err error) {
	return optional(dec, x, Int[T])
}

// OptionalUint is Uint for an optional member.
func OptionalUint[T ~uint8 | ~uint16 | ~uint32 | ~uint64](dec *Decoder, x **T) (known bool, err error) {
	return optional(dec, x, Uint[T])
}

// optional decodes into a new T; null is none.
func optional[T any](dec *Decoder, x **T, decode func(*Decoder, *T) (bool, error)) (known bool, err error) {
	if dec.PeekKind() == 'n' {
		return other(dec, x)
	}
	*x = new(T)
	return decode(dec, *x)
}

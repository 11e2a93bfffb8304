package codec

import (
	"bytes"
	"errors"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/wirejson"
)

// Check reads the next value with a function. An error of the function is reported with the path of
// the value.
func (d *Decoder) Check(read func() error) {
	d.peek()
	begin := d.at
	if err := read(); d.err == nil {
		d.inner(begin, err)
	}
}

// Kind returns the first byte of the next value, which shows its kind, or '0' for every
// number; 0 if there is no value.
func (d *Decoder) Kind() jsontext.Kind {
	c := d.peek()
	if c == '-' || '0' <= c && c <= '9' {
		return '0'
	}
	return jsontext.Kind(c)
}

// Object goes to the first member of an object and returns its name; nil if there is none:
//
//	for name := d.Object("T"); name != nil; name = d.Member() {
//		switch string(name) {
//
// typ is the Go type, for errors.
func (d *Decoder) Object(typ string) []byte {
	if d.peek() != '{' {
		d.other("an object is expected for " + typ)
		return nil
	}
	d.enter()
	if d.at < min(d.nextCheck, len(d.text)) && d.text[d.at] == '"' {
		if name := d.plainName(d.at + 1); name != nil {
			return name
		}
	}
	return d.anyMember()
}

// Unknown reads the value of a member that the bindings do not know.
func (d *Decoder) Unknown() {
	if d.strict {
		d.peek()
		d.fail(&json.SemanticError{Err: json.ErrUnknownName})
	}
	d.Skip()
}

// other reads a null in place of another value, or fails because the value is of the wrong kind.
func (d *Decoder) other(expected string) {
	if !d.null() {
		d.mismatch(expected)
	}
}

// mismatch fails because the next value is of the wrong kind.
func (d *Decoder) mismatch(expected string) {
	kind := d.Kind()
	d.fail(&json.SemanticError{JSONKind: kind, Err: errors.New(expected + ", not " + wirejson.KindName(kind))})
}

// null reads a null, if one is next.
func (d *Decoder) null() bool {
	if d.peek() != 'n' {
		return false
	}
	d.word("null")
	return true
}

// String decodes a string or an enum.
func (d *Decoder) String(x *string) {
	if d.peek() != '"' {
		d.other("a string is expected")
		*x = ""
		return
	}
	*x = d.keep(d.quoted())
}

const (
	// chunk is how much memory short strings share. One string that is still used keeps all of it.
	chunk = 1 << 10
	// short is the length up to which strings share memory.
	short = 128
)

// keep returns text as a string.
func (d *Decoder) keep(text []byte) string {
	if len(text) > short {
		d.charge(len(text))
		return string(text)
	}
	begin := d.strings.Len()
	if begin+len(text) > d.strings.Cap() {
		d.charge(chunk)
		d.strings = strings.Builder{}
		d.strings.Grow(chunk)
		begin = 0
	}
	d.strings.Write(text)
	return d.strings.String()[begin:]
}

// Bool decodes true or false.
func (d *Decoder) Bool(x *bool) {
	*x = false
	switch d.peek() {
	case 't':
		d.word("true")
		*x = true
	case 'f':
		d.word("false")
	default:
		d.other("true or false is expected")
	}
}

// Int decodes a signed integer.
func Int[T ~int8 | ~int16 | ~int32 | ~int64](x *T, d *Decoder) {
	text, n := d.numeric()
	if *x = T(n); n < 0 || int64(*x) != n {
		long, err := strconv.ParseInt(string(text), 10, reflect.TypeFor[T]().Bits())
		d.badNumber(text, err)
		*x = T(long)
	}
}

// Uint decodes an unsigned integer.
func Uint[T ~uint8 | ~uint16 | ~uint32 | ~uint64](x *T, d *Decoder) {
	text, n := d.numeric()
	if *x = T(n); n < 0 || int64(*x) != n {
		long, err := strconv.ParseUint(string(text), 10, reflect.TypeFor[T]().Bits())
		d.badNumber(text, err)
		*x = T(long)
	}
}

// Float decodes a number.
func (d *Decoder) Float(x *float64) {
	text, n := d.numeric()
	if *x = float64(n); n < 0 {
		var err error
		*x, err = strconv.ParseFloat(string(text), 64)
		d.badNumber(text, err)
	}
}

// numeric reads a number, as number does; if something else is next, it returns 0.
func (d *Decoder) numeric() (text []byte, value int64) {
	if d.Kind() != '0' {
		d.other("a number is expected")
		return nil, 0
	}
	return d.number()
}

// badNumber fails if err, an error about the number that was read, is not nil.
func (d *Decoder) badNumber(text []byte, err error) {
	if err != nil && d.err == nil {
		d.at -= len(text)
		d.fail(&json.SemanticError{
			JSONKind:  '0',
			JSONValue: bytes.Clone(text),
			Err:       errors.Unwrap(err), // the error of strconv itself repeats the text
		})
	}
}

// Null reads a null.
func (d *Decoder) Null() {
	if !d.null() {
		d.mismatch("null is expected")
	}
}

// Alternate is like [Decoder.Kind], for a value that goes into an interface.
func (d *Decoder) Alternate() jsontext.Kind {
	d.charge(boxed)
	return d.Kind()
}

// Raw keeps the text of the next value.
func (d *Decoder) Raw(x *[]byte) {
	text := d.Skip()
	n := len(text)
	if n > short {
		if d.charge(n) {
			*x = bytes.Clone(text)
		}
		return
	}
	if cap(d.raw)-len(d.raw) < n {
		d.charge(chunk)
		d.raw = make([]byte, 0, chunk)
	}
	begin := len(d.raw)
	d.raw = append(d.raw, text...)
	*x = d.raw[begin : begin+n : begin+n]
}

// The methods for scalars are not inlined: generated code has thousands of calls of them, and
// the compiler would assume that x escapes.

// Int64 decodes a signed integer.
//
//go:noinline
func (d *Decoder) Int64(x *int64) { Int(x, d) }

// Uint64 decodes an unsigned integer.
//
//go:noinline
func (d *Decoder) Uint64(x *uint64) { Uint(x, d) }

// OptString decodes an optional string, as [Ptr] does.
//
//go:noinline
func (d *Decoder) OptString(x **string) { Ptr(d, x, DecodeString) }

// OptBool decodes an optional true or false.
//
//go:noinline
func (d *Decoder) OptBool(x **bool) { Ptr(d, x, DecodeBool) }

// OptInt64 decodes an optional signed integer.
//
//go:noinline
func (d *Decoder) OptInt64(x **int64) { Ptr(d, x, Int) }

// OptUint64 decodes an optional unsigned integer.
//
//go:noinline
func (d *Decoder) OptUint64(x **uint64) { Ptr(d, x, Uint) }

// The functions below can be passed to [List] and [Ptr].

// DecodeString decodes a string or an enum.
func DecodeString[T ~string](x *T, d *Decoder) {
	var s string
	d.String(&s)
	*x = T(s)
}

// DecodeBool decodes true or false.
func DecodeBool(x *bool, d *Decoder) { d.Bool(x) }

// DecodeFloat decodes a number.
func DecodeFloat(x *float64, d *Decoder) { d.Float(x) }

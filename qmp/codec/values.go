package codec

import (
	"bytes"
	"errors"
	"reflect"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Name returns the name of the member whose value is next.
func (d *Decoder) Name() []byte { return d.name }

// Check reads the next value with a function. An error of that is one at the value.
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

// Object goes to the first member of an object, and reports whether there is one:
//
//	for ok := d.Object("T"); ok; ok = d.Member() {
//		switch string(d.Name()) {
//
// typ is the Go type, for errors.
func (d *Decoder) Object(typ string) bool {
	if d.peek() != '{' {
		d.other("an object is expected for " + typ)
		return false
	}
	d.enter()
	return d.Member()
}

// Unknown reads the value of a member that the bindings do not know.
func (d *Decoder) Unknown() {
	if d.strict {
		d.peek()
		d.fail(&json.SemanticError{Err: json.ErrUnknownName})
	}
	d.skip()
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
	d.fail(&json.SemanticError{JSONKind: kind, Err: errors.New(expected + ", not " + KindName(kind))})
}

// KindName returns the name of a kind of JSON value, with its article.
func KindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 't', 'f':
		return "a boolean"
	}
	return k.String()
}

// List decodes a list whose elements are decoded by a function.
func List[T any](d *Decoder, decode func(*T, *Decoder)) []T {
	begin := d.at
	if !d.list() {
		return nil
	}
	growing := growingFor[T](d)
	list := *growing
	*growing = nil // a list of the same type in this one needs other memory
	size := int(reflect.TypeFor[T]().Size())
	for d.element() {
		if len(list) == cap(list) {
			list = append(make([]T, 0, d.room(begin, len(list), size)), list...)
		}
		list = list[:len(list)+1]
		decode(&list[len(list)-1], d)
	}
	if size*len(list) > longList || !d.charge(size*len(list)) {
		return list
	}
	grown := append(make([]T, 0, len(list)), list...)
	clear(list)
	*growing = list[:0]
	return grown
}

// longList is the number of bytes from which on a list is not copied when it is complete.
const longList = 16 << 10

// growingFor returns the memory in which lists of a type grow before they are copied. They
// use it one after the other.
func growingFor[T any](d *Decoder) *[]T {
	for _, g := range d.growing {
		if g, ok := g.(*[]T); ok {
			return g
		}
	}
	g := new([]T)
	d.growing = append(d.growing, g)
	return g
}

// room returns for how many elements of a size a list should have room after its first n.
// The list begins at an index in the text. It is the number that the rest of the text may
// have, if the list is all of it, but not many times more than n.
func (d *Decoder) room(begin, n, size int) int {
	room := min(4, 512/max(size, 1))
	if n > 0 {
		times := 2
		if d.depth == 1 {
			times = 8
		}
		rest := int64(len(d.text)-d.at) * int64(n) / int64(d.at-begin) // the product is too large for an int of 32 bits
		room = min(times*n, n+int(rest))
	}
	room = max(room, n+1)
	if !d.charge(room * size) {
		return n + 1
	}
	return room
}

// list enters a list, if one is next.
func (d *Decoder) list() bool {
	if d.peek() != '[' {
		d.other("a list is expected")
		return false
	}
	d.enter()
	return true
}

// Ptr decodes an optional value with a function, into x, or into a new T if x is nil. For
// null it returns nil.
func Ptr[T any](d *Decoder, x *T, decode func(*T, *Decoder)) *T {
	if d.null() {
		return nil
	}
	if x == nil {
		d.charge(int(reflect.TypeFor[T]().Size()))
		x = new(T)
	}
	decode(x, d)
	return x
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
func (d *Decoder) String() string {
	if d.peek() != '"' {
		d.other("a string is expected")
		return ""
	}
	return d.keep(d.quoted())
}

const (
	// chunk is how much memory short strings share. One that is still used keeps all of it.
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
	if d.strings.Cap()-d.strings.Len() < len(text) {
		d.charge(chunk)
		d.strings.Reset()
		d.strings.Grow(chunk)
	}
	at := d.strings.Len()
	d.strings.Write(text)
	return d.strings.String()[at:]
}

// Bool decodes true or false.
func (d *Decoder) Bool() bool {
	switch d.peek() {
	case 't':
		d.word("true")
		return true
	case 'f':
		d.word("false")
	default:
		d.other("true or false is expected")
	}
	return false
}

// Int decodes a signed integer.
func Int[T ~int8 | ~int16 | ~int32 | ~int64](d *Decoder) T {
	n, text := d.digitsOf()
	v := T(n)
	if n < 0 || int64(v) != n {
		m, err := strconv.ParseInt(string(text), 10, reflect.TypeFor[T]().Bits())
		d.badNumber(text, err)
		v = T(m)
	}
	return v
}

// Uint decodes an unsigned integer.
func Uint[T ~uint8 | ~uint16 | ~uint32 | ~uint64](d *Decoder) T {
	n, text := d.digitsOf()
	v := T(n)
	if n < 0 || int64(v) != n {
		m, err := strconv.ParseUint(string(text), 10, reflect.TypeFor[T]().Bits())
		d.badNumber(text, err)
		v = T(m)
	}
	return v
}

// digitsOf reads a number and returns its text, and its value if it has only a few
// digits; otherwise -1. It returns no text and 0 if something else is next.
func (d *Decoder) digitsOf() (n int64, text []byte) {
	if text = d.numeric(); len(text) > 18 {
		return -1, text
	}
	for _, c := range text {
		if c < '0' || '9' < c {
			return -1, text
		}
		n = 10*n + int64(c-'0')
	}
	return n, text
}

// Float decodes a number.
func (d *Decoder) Float() float64 {
	text := d.numeric()
	if text == nil {
		return 0
	}
	n, err := strconv.ParseFloat(string(text), 64)
	d.badNumber(text, err)
	return n
}

// numeric reads a number; nil if something else is next.
func (d *Decoder) numeric() []byte {
	if c := d.peek(); c != '-' && (c < '0' || '9' < c) {
		d.other("a number is expected")
		return nil
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

// Raw returns the text of the next value.
func (d *Decoder) Raw() []byte {
	text := d.skip()
	if !d.charge(len(text)) {
		return nil
	}
	return bytes.Clone(text)
}

// The functions below can be given to those that decode a list or a pointer.

// DecodeString decodes a string or an enum.
func DecodeString[T ~string](x *T, d *Decoder) { *x = T(d.String()) }

// DecodeBool decodes true or false.
func DecodeBool[T ~bool](x *T, d *Decoder) { *x = T(d.Bool()) }

// DecodeInt decodes a signed integer.
func DecodeInt[T ~int8 | ~int16 | ~int32 | ~int64](x *T, d *Decoder) { *x = Int[T](d) }

// DecodeUint decodes an unsigned integer.
func DecodeUint[T ~uint8 | ~uint16 | ~uint32 | ~uint64](x *T, d *Decoder) { *x = Uint[T](d) }

// DecodeFloat decodes a number.
func DecodeFloat[T ~float64](x *T, d *Decoder) { *x = T(d.Float()) }

// Prop decodes the next member, which the schema does not know.
func (d *Decoder) Prop(props *map[string]any) {
	name := d.keep(d.name)
	if *props == nil {
		d.charge(mapSize)
		*props = map[string]any{}
	}
	d.charge(entrySize)
	(*props)[name] = d.anything()
}

// How many bytes a map and an entry in it take, roughly.
const (
	mapSize   = 400
	entrySize = 64
)

// anything decodes a value of any type. Integers keep all their digits: they
// become int64, or uint64 where that is too small.
func (d *Decoder) anything() any {
	switch d.Kind() {
	case '"':
		return d.String()
	case 't', 'f':
		return d.Bool()
	case '0':
		return d.anyNumber()
	case '[':
		return List(d, func(x *any, d *Decoder) { *x = d.anything() })
	case '{':
		d.charge(mapSize)
		object := map[string]any{}
		for ok := d.Object("any"); ok; ok = d.Member() {
			d.Prop(&object)
		}
		return object
	}
	d.other("a value is expected")
	return nil
}

func (d *Decoder) anyNumber() any {
	text := d.number()
	if i, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return i
	}
	if u, err := strconv.ParseUint(string(text), 10, 64); err == nil {
		return u
	}
	f, err := strconv.ParseFloat(string(text), 64)
	d.badNumber(text, err)
	return f
}

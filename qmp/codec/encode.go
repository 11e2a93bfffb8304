package codec

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// An Encoder writes the members of one object. After its first error it
// writes nothing more.
type Encoder struct {
	enc *jsontext.Encoder
	typ string
	err error
}

// EncodeObject writes an object whose members the function writes. typ is the
// name of the Go type, for errors.
func EncodeObject(enc *jsontext.Encoder, typ string, members func(*Encoder)) error {
	if err := enc.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	e := Encoder{enc: enc, typ: typ}
	members(&e)
	if e.err != nil {
		return e.err
	}
	return enc.WriteToken(jsontext.EndObject)
}

func (e *Encoder) token(t jsontext.Token) {
	if e.err == nil {
		e.err = e.enc.WriteToken(t)
	}
}

// value writes a value of any type that encodes itself or that reflection can encode.
func (e *Encoder) value(v any) {
	if e.err == nil {
		e.err = json.MarshalEncode(e.enc, v)
	}
}

// String writes a member that is a string.
func (e *Encoder) String(name, v string) {
	e.token(jsontext.String(name))
	e.token(jsontext.String(v))
}

// Bool writes a member that is true or false.
func (e *Encoder) Bool(name string, v bool) {
	e.token(jsontext.String(name))
	e.token(jsontext.Bool(v))
}

// Int writes a member that is a signed integer.
func (e *Encoder) Int(name string, v int64) {
	e.token(jsontext.String(name))
	e.token(jsontext.Int(v))
}

// Uint writes a member that is an unsigned integer.
func (e *Encoder) Uint(name string, v uint64) {
	e.token(jsontext.String(name))
	e.token(jsontext.Uint(v))
}

// Value writes a member of any type that encodes itself or that reflection
// can encode. For a pointer it writes the value that it points to.
func (e *Encoder) Value(name string, v any) {
	e.token(jsontext.String(name))
	e.value(v)
}

// In sets the Go type whose members follow, that of a variant; errors name it.
func (e *Encoder) In(typ string) { e.typ = typ }

// Variant reports whether v, the value of a field that holds a union's variant or an alternate, can
// be written. If v is nil, Variant sets an error; sum is the interface of the field, for the text.
func (e *Encoder) Variant(field, sum string, v any) bool {
	if e.err == nil && IsNil(v) {
		e.err = fmt.Errorf("%s.%s is not set: it needs one of the types of %s", e.typ, field, sum)
	}
	return e.err == nil
}

// Alternate writes a member that holds an alternate, which must not be nil.
func (e *Encoder) Alternate(name, field, alternate string, v any) {
	if e.Variant(field, alternate, v) {
		e.Value(name, v)
	}
}

// Alternates writes a member that is a list of alternates, none of them nil.
func Alternates[T any](e *Encoder, name, field, alternate string, list []T) {
	e.token(jsontext.String(name))
	e.token(jsontext.BeginArray)
	for i, v := range list {
		if IsNil(v) {
			e.Variant(field+"["+strconv.Itoa(i)+"]", alternate, nil)
		}
		e.value(v)
	}
	e.token(jsontext.EndArray)
}

// Tag writes a union's discriminator. An empty tag is not written: it belongs to a value
// that was received without one.
func (e *Encoder) Tag(name, tag string) {
	if tag != "" {
		e.String(name, tag)
	}
}

// Refuse sets an error, whose text contains why, if props has one of these members.
func (e *Encoder) Refuse(props map[string]any, why string, names ...string) {
	for _, name := range names {
		if _, there := props[name]; there && e.err == nil {
			e.err = fmt.Errorf("%s.Props has '%s', %s", e.typ, name, why)
		}
	}
}

// Props writes members that the schema does not know, in the order of their
// names, except those that are nil: servers refuse null, or ignore it.
// They must not repeat the members that the schema knows.
func (e *Encoder) Props(props map[string]any, known ...string) {
	e.Refuse(props, "which has a field of its own", known...)
	for _, name := range slices.Sorted(maps.Keys(props)) {
		if v := props[name]; !IsNil(v) {
			e.Value(name, v)
		}
	}
}

// Members writes the members of a whole object, such as those of a variant
// that the bindings do not know. Empty text has no members.
func (e *Encoder) Members(object []byte) {
	if e.err != nil || len(object) == 0 {
		return
	}
	err := Unmarshal(object, func(d *Decoder) {
		for name := d.Object("the members of an unknown variant"); name != nil; name = d.Member() {
			e.Value(string(name), jsontext.Value(d.Skip()))
		}
	})
	if e.err == nil {
		e.err = err
	}
}

// EncodeRaw writes JSON text that came from somewhere else; for empty text it writes null.
func EncodeRaw(enc *jsontext.Encoder, text []byte) error {
	if len(text) == 0 {
		return enc.WriteToken(jsontext.Null)
	}
	return enc.WriteValue(text)
}

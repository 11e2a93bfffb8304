// Package redacted prints values of generated bindings as JSON without secrets, for their String,
// GoString and LogValue methods.
//
// Other programs rarely need it: the bindings have a function Text for them.
package redacted

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/redact"
	"github.com/goqapi/goqapi/internal/wirejson"
	"github.com/goqapi/goqapi/qmp/codec"
)

// Text returns x as text for people: its JSON, compact and without secrets; for an error
// its text.
func Text(x any) string {
	switch x := x.(type) {
	case error:
		return redact.Text(x.Error())
	case printer:
		if !codec.IsNil(x) {
			return x.String()
		}
	}
	text, err := withoutSecrets(x, json.WithMarshalers(json.MarshalToFunc(logged)))
	if err != nil {
		return failed(err)
	}
	return string(text)
}

// A printer is a value that hides its secrets itself when it is printed.
type printer interface {
	fmt.Stringer
	slog.LogValuer
}

// logged encodes a value in the way in which it is logged: the value itself knows best what is secret in it.
func logged(enc *jsontext.Encoder, x slog.LogValuer) error {
	v := x.LogValue()
	if raw, is := v.Any().(stdjson.RawMessage); is {
		return enc.WriteValue(jsontext.Value(raw))
	}
	if v.Kind() == slog.KindString {
		return enc.WriteToken(jsontext.String(v.String()))
	}
	return errors.ErrUnsupported
}

// Short returns x as JSON for String methods: without secrets, and cut off if it is very long.
func Short(x any) string {
	text, err := withoutSecrets(x)
	if err != nil {
		return failed(err)
	}
	return redact.Cut(text)
}

// GoShort is like [Short], for GoString methods, with the name of x's type.
func GoShort(x any) string {
	of := x
	if p, is := x.(partOf); is {
		of = p.value()
	}
	return fmt.Sprintf("%T(%s)", of, Short(x))
}

// LogValue is like [Short], for LogValue methods: a JSON log gets JSON, not a string.
func LogValue(x any) slog.Value {
	text, err := withoutSecrets(x)
	if err != nil {
		return slog.StringValue(failed(err))
	}
	if short := redact.Cut(text); len(short) != len(text) {
		return slog.StringValue(short)
	}
	return slog.AnyValue(stdjson.RawMessage(text))
}

// failed returns the text for a value that cannot be encoded, in the form that package fmt uses.
func failed(err error) string { return "%!v(" + redact.Text(err.Error()) + ")" }

func withoutSecrets(x any, opts ...json.Options) ([]byte, error) {
	text, err := json.Marshal(x, json.Deterministic(true), wirejson.Lenient(), json.JoinOptions(opts...))
	if err != nil {
		return nil, err
	}
	if _, is := x.(alone); is {
		return redact.JSONAlone(text), nil
	}
	return redact.JSON(text), nil
}

// A partOf is a part of an object that is printed without the rest.
type partOf interface{ value() any }

// Tagged returns a variant of a union to be printed: as an object with the union's tag, since the
// tag decides which members are secrets. members writes the other members.
func Tagged(variant any, name, tag string, members func(*codec.Encoder)) any {
	return tagged{variant, name, tag, members}
}

type tagged struct {
	variant   any
	name, tag string
	members   func(*codec.Encoder)
}

func (t tagged) value() any { return t.variant }

func (t tagged) MarshalJSONTo(enc *jsontext.Encoder) error {
	return codec.EncodeObject(enc, fmt.Sprintf("%T", t.variant), func(e *codec.Encoder) {
		e.Tag(t.name, t.tag)
		t.members(e)
	})
}

// Alone returns a value that is printed without the object of which it is a part: whether its
// members are secrets may depend on a member of that object.
func Alone(x any) any { return alone{x} }

type alone struct{ x any }

func (a alone) value() any { return a.x }

func (a alone) MarshalJSONTo(enc *jsontext.Encoder) error { return json.MarshalEncode(enc, a.x) }

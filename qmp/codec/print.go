package codec

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/redact"
)

// Text is x for people: its JSON, compact and without secrets; of an error its text.
func Text(x any) string {
	switch x := x.(type) {
	case error:
		return redact.Text(x.Error())
	case printer:
		if !isNil(x) {
			return x.String()
		}
	}
	text, err := withoutSecrets(x, json.WithMarshalers(json.MarshalToFunc(logged)))
	if err != nil {
		return failed(err)
	}
	return string(text)
}

// A printer hides its secrets by itself.
type printer interface {
	fmt.Stringer
	slog.LogValuer
}

// logged encodes a value as it is logged, since it knows best what is secret in it.
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

// Short is x as JSON for String methods: without secrets, and cut if it is very long.
func Short(x any) string {
	text, err := withoutSecrets(x)
	if err != nil {
		return failed(err)
	}
	return redact.Cut(text)
}

// GoShort is [Short] for GoString methods, with the name of x's type.
func GoShort(x any) string {
	of := x
	if p, is := x.(partOf); is {
		of = p.value()
	}
	return fmt.Sprintf("%T(%s)", of, Short(x))
}

// LogValue is [Short] for LogValue methods: JSON where the log is JSON.
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

// failed is what stands for a value that cannot be encoded, as package fmt has it.
func failed(err error) string { return "%!v(" + redact.Text(err.Error()) + ")" }

func withoutSecrets(x any, opts ...json.Options) ([]byte, error) {
	text, err := json.Marshal(x, json.Deterministic(true),
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true), // as it came
		json.JoinOptions(opts...))
	if err != nil {
		return nil, err
	}
	if _, is := x.(alone); is {
		return redact.JSONAlone(text), nil
	}
	return redact.JSON(text), nil
}

// A partOf is a part of an object that is printed by itself.
type partOf interface{ value() any }

// Tagged is a variant of a union to be printed: as an object that has its tag, since that
// says what is a secret. members writes the others.
func Tagged(variant any, name, tag string, members func(*Encoder)) any {
	return tagged{variant, name, tag, members}
}

type tagged struct {
	variant   any
	name, tag string
	members   func(*Encoder)
}

func (t tagged) value() any { return t.variant }

func (t tagged) MarshalJSONTo(enc *jsontext.Encoder) error {
	return EncodeObject(enc, fmt.Sprintf("%T", t.variant), func(e *Encoder) {
		e.Tag(t.name, t.tag)
		t.members(e)
	})
}

// Alone is a value to be printed, of which it is not known what object it is a part of.
func Alone(x any) any { return alone{x} }

type alone struct{ x any }

func (a alone) value() any { return a.x }

func (a alone) MarshalJSONTo(enc *jsontext.Encoder) error { return json.MarshalEncode(enc, a.x) }

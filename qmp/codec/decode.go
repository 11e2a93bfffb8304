package codec

import (
	"context"
	"reflect"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Into is a function that decodes a result and stores it.
type Into func(*Decoder)

// Decode decodes one JSON value, as a server sends it, into x: an [Into], or the value
// that x points to. A member that x does not have is ignored; of a repeated member the
// last one counts. It ends when ctx does. It may use memory in proportion to text; if it
// needs more, it returns an error.
func Decode(ctx context.Context, text []byte, x any) error {
	decode, ok := x.(Into)
	if !ok {
		decode = func(d *Decoder) {
			err := d.unmarshal(text, x, nil)
			if d.at = len(text); d.err == nil && err != nil {
				d.stop(err)
			}
		}
	}
	return decodeText(ctx, text, false, nil, decode)
}

// DecodeInto is [Decode] with an [Into]. A program that decodes everything with such functions
// does not contain the reflection of the JSON module, and is 700 KB smaller.
func DecodeInto(ctx context.Context, text []byte, result Into) error {
	return decodeText(ctx, text, false, nil, result)
}

// Unmarshal decodes a JSON value with a function, for an UnmarshalJSON method. Such a
// method cannot get the option that makes unknown members errors.
func Unmarshal(text []byte, decode func(*Decoder)) error {
	return decodeText(context.Background(), text, false, nil, decode)
}

// UnmarshalFrom is Unmarshal for an UnmarshalJSONFrom method.
func UnmarshalFrom(dec *jsontext.Decoder, decode func(*Decoder)) error {
	var w whole
	if err := json.UnmarshalDecode(dec, &w); err != nil {
		return err
	}
	strict, _ := json.GetOption(dec.Options(), json.RejectUnknownMembers)
	if err := decodeText(context.Background(), w.text, strict, w.within, decode); err != nil {
		return below(dec.StackPointer(), err)
	}
	return nil
}

// whole is a value that is read as a whole. If the JSON module reads it for a Decoder,
// [Decoder.measure] stores that Decoder in within.
type whole struct {
	text   []byte
	within *Decoder
}

// UnmarshalJSONFrom reads the next value.
func (w *whole) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	w.text, err = dec.ReadValue()
	return err
}

// Value decodes the next value by reflection into the value that x points to.
func (d *Decoder) Value(x any) { d.reflected(x, nil) }

// Prop decodes the value of a member that the schema does not know, and stores it in props under
// its name. Integers keep all their digits: they become int64, or uint64 where that is too small.
func (d *Decoder) Prop(props *map[string]any, name []byte) {
	key := string(name)
	if *props == nil {
		*props = map[string]any{}
	}
	d.charge(entrySize + len(key))
	var x any
	d.reflected(&x, json.UnmarshalFromFunc(d.exact))
	(*props)[key] = x
}

// reflected decodes the next value by reflection, with functions for some types.
func (d *Decoder) reflected(x any, with *json.Unmarshalers) {
	d.Check(func() error {
		if text := d.Skip(); d.err == nil {
			return d.unmarshal(text, x, with)
		}
		return nil
	})
}

// inner sets the error of decoding a part of the text that begins there.
func (d *Decoder) inner(begin int, err error) {
	if err != nil {
		d.at = begin
		d.fail(err)
	}
}

// unmarshal decodes a text by reflection. If this may need much memory, it counts the memory.
func (d *Decoder) unmarshal(text []byte, x any, with *json.Unmarshalers) error {
	opts := []json.Options{lenient, json.RejectUnknownMembers(d.strict)}
	if d.unmeasured -= len(text); d.unmeasured < 0 && with == nil {
		if d.meter == nil {
			d.meter = json.UnmarshalFromFunc(d.measure)
		}
		with = d.meter
	}
	if with != nil {
		opts = append(opts, json.WithUnmarshalers(with))
	}
	err := json.Unmarshal(text, x, opts...)
	if d.stopped {
		err = d.err
	}
	return err
}

// measure is called before reflection decodes a value, with a pointer to the place for it; for an
// interface it is called once more, for the value in it. It charges four times the size, since
// lists are copied while they grow.
func (d *Decoder) measure(_ *jsontext.Decoder, x any) error {
	if w, ok := x.(*whole); ok {
		w.within = d
		return errUseDefault
	}
	t := reflect.TypeOf(x).Elem()
	size := 4 * int(t.Size())
	switch t.Kind() {
	case reflect.Map:
		size += mapSize
	case reflect.Slice, reflect.String:
		size += 16
	}
	d.charge(size)
	if d.nextCheck -= 64; d.nextCheck < d.at {
		d.checkContext()
	}
	if d.err != nil {
		return d.err
	}
	return errUseDefault
}

// exact is like measure, and in addition decodes the numbers in values of type any without losing digits.
func (d *Decoder) exact(dec *jsontext.Decoder, x any) error {
	number, ok := x.(*any)
	if !ok || dec.PeekKind() != '0' {
		return d.measure(dec, x)
	}
	value, err := dec.ReadValue()
	text := string(value)
	if i, bad := strconv.ParseInt(text, 10, 64); bad == nil {
		*number = i
	} else if u, bad := strconv.ParseUint(text, 10, 64); bad == nil {
		*number = u
	} else if err == nil {
		*number, err = strconv.ParseFloat(text, 64)
	}
	return err
}

// How many bytes a map and an entry in it take, roughly.
const (
	mapSize   = 400
	entrySize = 64
)

package codec

import (
	"context"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Into is a place for a result that has a function of its own to be decoded by.
type Into func(*Decoder)

// Skip reads a value, and keeps nothing of it.
func Skip(d *Decoder) { d.skip() }

// Decode decodes one JSON value as a server sends it into x, an [Into] or what
// x points to: a member that x does not have is ignored, and a repeated one counts
// once, the last. It ends when ctx does. What is decoded may take memory in proportion
// to text; beyond that there is an error.
func Decode(ctx context.Context, text []byte, x any) error {
	decode, ok := x.(Into)
	if !ok {
		decode = func(d *Decoder) { d.reflect(text, x) }
	}
	return decodeText(ctx, text, false, nil, decode)
}

// Unmarshal decodes a JSON value with a function, for an UnmarshalJSON method. The
// one who calls that has no way to say that unknown members are errors.
func Unmarshal(text []byte, decode func(*Decoder)) error {
	return decodeText(context.Background(), text, false, nil, decode)
}

// UnmarshalFrom is Unmarshal for an UnmarshalJSONFrom method.
func UnmarshalFrom(dec *jsontext.Decoder, decode func(*Decoder)) error {
	var w whole
	var err error
	if _, ok := json.GetOption(dec.Options(), json.WithUnmarshalers); ok {
		err = json.UnmarshalDecode(dec, &w)
	} else {
		err = w.UnmarshalJSONFrom(dec)
	}
	if err != nil {
		return err
	}
	strict, _ := json.GetOption(dec.Options(), json.RejectUnknownMembers)
	if err = decodeText(context.Background(), w.text, strict, w.within, decode); err != nil {
		return below(dec.StackPointer(), err)
	}
	return nil
}

// whole is a value that is read as a whole. If the JSON module reads it for a
// Decoder, meter puts that in.
type whole struct {
	text   []byte
	within *Decoder
}

// UnmarshalJSONFrom reads the next value.
func (w *whole) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	w.text, err = dec.ReadValue()
	return err
}

// Value decodes the next value into what x points to, by reflection.
func (d *Decoder) Value(x any) {
	d.peek()
	begin := d.at
	if text := d.skip(); d.err == nil {
		d.inner(begin, d.unmarshal(text, x))
	}
}

// inner takes the error of decoding a part of the text that begins there.
func (d *Decoder) inner(begin int, err error) {
	if err != nil {
		d.at = begin
		d.fail(err)
	}
}

// reflect decodes all of the text by reflection.
func (d *Decoder) reflect(text []byte, x any) {
	err := d.unmarshal(text, x)
	d.at = len(text)
	if d.err == nil && err != nil {
		d.stop(err)
	}
}

// unmarshal decodes a text by reflection, and counts what that allocates if it may be
// much.
func (d *Decoder) unmarshal(text []byte, x any) error {
	opts := []json.Options{lenient, json.RejectUnknownMembers(d.strict)}
	if d.unmeasured -= len(text); d.unmeasured < 0 {
		if d.meter == nil {
			d.meter = json.UnmarshalFromFunc(d.measure)
		}
		opts = append(opts, json.WithUnmarshalers(d.meter))
	}
	err := json.Unmarshal(text, x, opts...)
	if d.stopped {
		err = d.err
	}
	return err
}

// measure is called for each value that reflection is about to decode, with the
// pointer to where; what an interface holds is one more. Lists grow, so that what is in
// them takes memory several times.
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
	if d.look -= 64; d.look < d.at {
		d.pause()
	}
	if d.err != nil {
		return d.err
	}
	return errUseDefault
}

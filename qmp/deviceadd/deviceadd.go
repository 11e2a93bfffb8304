// Package deviceadd writes what the command that plugs in a device sends, device_add, for
// generated bindings. It refuses values on which servers crash, or which they drop without an error.
//
// Other programs rarely need it.
package deviceadd

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/wirejson"
	"github.com/goqapi/goqapi/qmp/codec"
)

// A Driver is a device: DeviceDriver returns its type in QEMU, and its JSON is an object with its
// properties. If that object has a member props, the members of props are properties, too.
type Driver interface{ DeviceDriver() string }

// A Propertied is a device whose properties are the JSON of the value that DeviceProperties returns,
// not the JSON of the device itself.
type Propertied interface{ DeviceProperties() any }

// Arguments returns what is sent for a device: one object with the driver and the properties.
// Some values make encoding fail, before anything is sent: null, an id or a bus that is not a
// string, an empty id, the members in refused, which only the server itself may set, and, if the
// server drops them, lists and objects.
func Arguments(dev Driver, dropsLists bool, refused ...string) any {
	return arguments{dev, dropsLists, refused}
}

// DropsLists reports whether a QEMU of that version drops lists and objects as the values of a
// device's properties, without an error. QEMU 9.2 is the first that does not drop them; 0.0 is a
// version that is not known.
func DropsLists(major, minor int) bool { return major > 0 && (major < 9 || major == 9 && minor < 2) }

type arguments struct {
	dev        Driver
	dropsLists bool
	refused    []string
}

// MarshalJSON implements json.Marshaler.
func (a arguments) MarshalJSON() ([]byte, error) { return codec.Marshal(a) }

// MarshalJSONTo implements json.MarshalerTo of encoding/json/v2.
func (a arguments) MarshalJSONTo(enc *jsontext.Encoder) error {
	switch {
	case a.dev == nil:
		return errors.New("the device is nil")
	case codec.IsNil(a.dev):
		return fmt.Errorf("the device is a nil %T", a.dev)
	}
	w := writer{arguments: a, driver: a.dev.DeviceDriver()}
	if w.driver == "" {
		return fmt.Errorf("%T has no driver", a.dev)
	}
	var x any = a.dev
	if p, ok := x.(Propertied); ok {
		x = p.DeviceProperties()
	}
	text, err := json.Marshal(x, json.Deterministic(true))
	if err != nil {
		return err
	}
	if kind := jsontext.Value(text).Kind(); kind != '{' {
		return fmt.Errorf("%T encodes to %s, not to an object", a.dev, wirejson.KindName(kind))
	}
	w.out = append(make([]byte, 0, len(text)+len(w.driver)+len(`{"driver":"",}`)), `{"driver":`...)
	if w.out, err = jsontext.AppendQuote(w.out, w.driver); err != nil {
		return err
	}
	if err = w.object(text, nil); err != nil {
		return err
	}
	return enc.WriteValue(append(w.out, '}'))
}

// A writer writes the properties of a device.
type writer struct {
	arguments
	driver string
	out    []byte
	name   []byte
}

// object writes the members of an object, which may itself be the member props of another.
func (w *writer) object(text, within []byte) error {
	var props []byte
	var failed error
	err := codec.Unmarshal(text, func(d *codec.Decoder) {
		for next := d.Object("a device"); next != nil && failed == nil; next = d.Member() {
			name := append(w.name[:0], next...) // which the value may overwrite
			w.name = name
			switch value := d.Skip(); {
			case within == nil && string(name) == "props" && value[0] == '{':
				props = value
			case within != nil && value[0] == 'n': // a property that is not set: it is left out
			default:
				failed = w.member(name, value, within)
			}
		}
	})
	switch {
	case failed != nil:
		return fmt.Errorf("%T has %w", w.dev, failed)
	case err != nil || props == nil:
		return err
	}
	return w.object(props, text)
}

// member writes a member, unless it must not be sent.
func (w *writer) member(name, value, within []byte) error {
	if err := w.check(name, value); err != nil {
		return err
	}
	if within != nil && has(within, name) {
		return fmt.Errorf("'%s' both as a member and in its props", name)
	}
	if string(name) == "driver" {
		return nil
	}
	var err error
	w.out, err = jsontext.AppendQuote(append(w.out, ','), name)
	w.out = append(append(w.out, ':'), value...)
	return err
}

// check returns what is wrong with a member.
func (w *writer) check(name, value []byte) error {
	if slices.Contains(w.refused, string(name)) {
		return fmt.Errorf("'%s', which only the server itself may set", name)
	}
	if hasNull(value) {
		return fmt.Errorf("'%s' with a null, which no device takes: leave out what is not set", name)
	}
	if w.dropsLists && (value[0] == '[' || value[0] == '{') {
		return fmt.Errorf("'%s' that is %s, which QEMU before 9.2 drops without an error", name, wirejson.KindName(jsontext.Value(value).Kind()))
	}
	switch string(name) {
	case "id", "bus", "driver":
		if value[0] != '"' {
			return fmt.Errorf("'%s' that is %s, not a string", name, wirejson.KindName(jsontext.Value(value).Kind()))
		}
	}
	switch {
	case string(name) == "id" && len(value) == len(`""`):
		return errors.New("an 'id' that is empty")
	case string(name) == "driver" && string(wirejson.Unquote(value)) != w.driver:
		return fmt.Errorf("'driver' %s, but its DeviceDriver is %q", value, w.driver)
	}
	return nil
}

// has reports whether an object has a member.
func has(object, member []byte) (found bool) {
	_ = codec.Unmarshal(object, func(d *codec.Decoder) {
		for name := d.Object("a device"); name != nil; name = d.Member() {
			found = found || bytes.Equal(name, member)
			d.Skip()
		}
	})
	return found
}

// hasNull reports whether a JSON value is or holds a null.
func hasNull(value []byte) bool {
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case 'n': // of the words null, true and false, only null has one
			return true
		case '"':
			i = wirejson.EndOfString(value, i) - 1
		}
	}
	return false
}

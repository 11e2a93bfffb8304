package codec

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Driver is a device: it names its type, and encodes to an object of its properties, of which
// the members of a member props are a part.
type Driver interface{ DeviceDriver() string }

// A Propertied is a device that encodes to something else than its properties. What the method
// returns encodes to them.
type Propertied interface{ DeviceProperties() any }

// Device is what a command that plugs a device in sends for it: the driver, and beside it the
// properties. What servers crash on or drop in silence fails when it is encoded, before anything
// is sent: null, an id or a bus that is not a string, an empty id, and the members refused, which
// only the server itself may set.
func Device(dev Driver, refused ...string) any { return device{dev, refused} }

type device struct {
	dev     Driver
	refused []string
}

// MarshalJSON implements json.Marshaler.
func (d device) MarshalJSON() ([]byte, error) { return Marshal(d) }

// MarshalJSONTo implements json.MarshalerTo of encoding/json/v2.
func (d device) MarshalJSONTo(enc *jsontext.Encoder) error {
	switch {
	case d.dev == nil:
		return errors.New("the device is nil")
	case isNil(d.dev):
		return fmt.Errorf("the device is a nil %T", d.dev)
	}
	w := deviceWriter{device: d, driver: d.dev.DeviceDriver()}
	if w.driver == "" {
		return fmt.Errorf("%T has no driver", d.dev)
	}
	var x any = d.dev
	if p, ok := x.(Propertied); ok {
		x = p.DeviceProperties()
	}
	text, err := json.Marshal(x, json.Deterministic(true))
	if err != nil {
		return err
	}
	if kind := jsontext.Value(text).Kind(); kind != '{' {
		return fmt.Errorf("%T encodes to %s, not to an object", d.dev, KindName(kind))
	}
	return EncodeObject(enc, "", func(e *Encoder) {
		e.String("driver", w.driver)
		w.e = e
		w.object(text, "")
	})
}

// A deviceWriter writes the properties of a device.
type deviceWriter struct {
	device
	driver string
	e      *Encoder
	names  []string // that have been written
}

// object writes the members of an object. within is the member that holds it, if one does.
func (w *deviceWriter) object(text []byte, within string) {
	var props []byte
	w.e.failed(Unmarshal(text, func(d *Decoder) {
		for ok := d.Object("a device"); ok && w.e.err == nil; ok = d.Member() {
			name := string(d.name)
			switch value := d.skip(); {
			case within == "" && name == "props" && value[0] == '{':
				props = value
			case within != "" && value[0] == 'n': // one that is not set, as elsewhere
			default:
				w.member(name, within, value)
			}
		}
	}))
	if props != nil && w.e.err == nil {
		w.object(props, "props")
	}
}

// member writes a member, unless it must not be sent.
func (w *deviceWriter) member(name, within string, value []byte) {
	err := w.check(name, value)
	if err == nil && within != "" && slices.Contains(w.names, name) {
		err = fmt.Errorf("'%s' in its %s, which is a member of its own", name, within)
	}
	if err != nil {
		w.e.failed(fmt.Errorf("%T has %w", w.dev, err))
		return
	}
	w.names = append(w.names, name)
	if name != "driver" {
		w.e.token(jsontext.String(name))
		w.e.raw(value)
	}
}

// check returns what is wrong with a member.
func (w *deviceWriter) check(name string, value []byte) error {
	isString := value[0] == '"'
	switch {
	case slices.Contains(w.refused, name):
		return fmt.Errorf("'%s', which only the server itself may set", name)
	case hasNull(value):
		return fmt.Errorf("'%s' with a null, which no device takes: leave out what is not set", name)
	case (name == "id" || name == "bus" || name == "driver") && !isString:
		return fmt.Errorf("'%s' that is %s, not a string", name, KindName(jsontext.Value(value).Kind()))
	case name == "id" && len(value) == len(`""`):
		return errors.New("an 'id' that is empty")
	case name == "driver" && string(unquote(value)) != w.driver:
		return fmt.Errorf("'driver' %s, but its DeviceDriver is %q", value, w.driver)
	}
	return nil
}

// hasNull reports whether a JSON value is or holds a null.
func hasNull(value []byte) bool {
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case 'n': // no other word has one
			return true
		case '"':
			i = passString(value, i) - 1
		}
	}
	return false
}

package codec

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Driver is a device: it names its type, and encodes to an object of its properties.
type Driver interface{ DeviceDriver() string }

// Device is what a command that plugs a device in sends for it: the driver, and beside it
// what the device encodes to. What servers crash on or drop in silence fails when it
// is encoded, before anything is sent: null, an id or a bus that is not a string, an empty
// id, and the members refused, which only the server itself may set.
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
	typ := fmt.Sprintf("%T", d.dev)
	driver := d.dev.DeviceDriver()
	if driver == "" {
		return fmt.Errorf("%s has no driver", typ)
	}
	text, err := json.Marshal(d.dev, json.Deterministic(true))
	if err != nil {
		return err
	}
	if kind := jsontext.Value(text).Kind(); kind != '{' {
		return fmt.Errorf("%s encodes to %s, not to an object", typ, KindName(kind))
	}
	return EncodeObject(enc, typ, func(e *Encoder) {
		e.String("driver", driver)
		e.failed(Unmarshal(text, func(from *Decoder) {
			for ok := from.Object(typ); ok && e.err == nil; ok = from.Member() {
				name := string(from.name)
				value := from.skip()
				if err := d.check(driver, name, value); err != nil {
					e.failed(fmt.Errorf("%s has %w", typ, err))
				}
				if name != "driver" {
					e.token(jsontext.String(name))
					e.raw(value)
				}
			}
		}))
	})
}

// check returns what is wrong with a member.
func (d device) check(driver, name string, value []byte) error {
	isString := value[0] == '"'
	switch {
	case slices.Contains(d.refused, name):
		return fmt.Errorf("'%s', which only the server itself may set", name)
	case hasNull(value):
		return fmt.Errorf("'%s' with a null, which no device takes: leave out what is not set", name)
	case (name == "id" || name == "bus" || name == "driver") && !isString:
		return fmt.Errorf("'%s' that is %s, not a string", name, KindName(jsontext.Value(value).Kind()))
	case name == "id" && len(value) == len(`""`):
		return errors.New("an 'id' that is empty")
	case name == "driver" && string(unquote(value)) != driver:
		return fmt.Errorf("'driver' %s, but its DeviceDriver is %q", value, driver)
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

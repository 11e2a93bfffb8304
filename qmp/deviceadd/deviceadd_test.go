package deviceadd_test

import (
	stdjson "encoding/json"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp/deviceadd"
)

// disk is a device as users write them.
type disk struct {
	ID     any    `json:"id,omitzero"`
	Bus    any    `json:"bus,omitzero"`
	Drive  *int   `json:"drive"`
	Serial string `json:"serial,omitempty"`
}

func (disk) DeviceDriver() string { return "virtio-blk-pci" }

// object is a device that is any JSON.
type object string

func (object) DeviceDriver() string                        { return "x" }
func (o object) MarshalJSON() ([]byte, error)              { return []byte(o), nil }
func (o object) MarshalJSONTo(enc *jsontext.Encoder) error { return enc.WriteValue([]byte(o)) }

// converted is a device whose JSON is not that of its properties.
type converted struct{ Bytes int }

func (converted) DeviceDriver() string  { return "virtio-rng-pci" }
func (converted) DeviceProperties() any { return map[string]int{"max-bytes": 1} }

type driverless struct{}

func (driverless) DeviceDriver() string { return "" }

func marshalers() map[string]func(any) ([]byte, error) {
	return map[string]func(any) ([]byte, error){
		"v2": func(v any) ([]byte, error) { return json.Marshal(v) }, "v1": stdjson.Marshal,
	}
}

func TestDevice(t *testing.T) {
	for name, marshal := range marshalers() {
		for want, dev := range map[string]deviceadd.Driver{
			`{"driver":"virtio-blk-pci","id":"a","bus":"b","drive":7,"serial":"n\"ull"}`: disk{"a", "b", new(7), `n"ull`},
			`{"driver":"virtio-blk-pci","drive":8}`:                                      &disk{Drive: new(8)},
			`{"driver":"x"}`:                                                             object(`{}`),
			`{"driver":"x","a":1,"z":"2"}`:                                               object(`{"a":1,"props":{"z":"2","b":null}}`),
			`{"driver":"x","props":[1]}`:                                                 object(`{"props":[1]}`),
			`{"driver":"x","\"a":"\"b"}`:                                                 object(`{"\"a":"\"b"}`),
			`{"driver":"virtio-rng-pci","max-bytes":1}`:                                  converted{},
			`{"driver":"x","y":{"n":["n\\",true,1]}}`:                                    object(`{"y":{"n":["n\\",true,1]},"driver":"x"}`),
		} {
			got, err := marshal(deviceadd.Arguments(dev, false, "realized"))
			assert.NoError(t, err, name)
			assert.Equal(t, want, string(got), name)
		}
	}
}

func TestDeviceRefused(t *testing.T) {
	for name, marshal := range marshalers() {
		for _, c := range []struct {
			dev  deviceadd.Driver
			want string
		}{
			{nil, "the device is nil"},
			{(*disk)(nil), "the device is a nil *deviceadd_test.disk"},
			{driverless{}, "deviceadd_test.driverless has no driver"},
			{disk{}, "deviceadd_test.disk has 'drive' with a null"},
			{object(`{"x":[{"y":[null]}]}`), "deviceadd_test.object has 'x' with a null"},
			{object(`null`), "deviceadd_test.object encodes to null, not to an object"},
			{object(`["x"]`), "encodes to a list, not to an object"},
			{object(`{"realized":true}`), "deviceadd_test.object has 'realized', which only the server itself may set"},
			{object(`{"re\u0061lized":true}`), "has 'realized', which"},
			{object(`{"type":"x"}`), "has 'type', which"},
			{object(`{"id":""}`), "has an 'id' that is empty"},
			{object(`{"id":5}`), "has 'id' that is a number, not a string"},
			{object(`{"bus":["x"]}`), "has 'bus' that is a list, not a string"},
			{object(`{"driver":true}`), "has 'driver' that is a boolean, not a string"},
			{object(`{"driver":"y"}`), `has 'driver' "y", but its DeviceDriver is "x"`},
			{object(`{"a":1,"a":2}`), "duplicate"},
			{object(`{"props":{"a":1},"a":2}`), "has 'a' both as a member and in its props"},
			{object(`{"props":{"id":5}}`), "has 'id' that is a number, not a string"},
			{object(`{"props":{"realized":true}}`), "has 'realized', which only"},
			{object(`{"props":{"a":[null]}}`), "has 'a' with a null"},
			{object(`{"props":null}`), "has 'props' with a null"},
			{object(`{"a":`), "EOF"},
		} {
			_, err := marshal(deviceadd.Arguments(c.dev, false, "realized", "type"))
			assert.ErrorContains(t, err, c.want, name)
		}
	}
}

// Lists are an error where the server would drop them.
func TestDeviceLists(t *testing.T) {
	for _, c := range []struct {
		major, minor int
		drops        bool
	}{{0, 0, false}, {5, 2, true}, {7, 2, true}, {9, 1, true}, {9, 2, false}, {10, 0, false}, {11, 1, false}} {
		assert.Equal(t, c.drops, deviceadd.DropsLists(c.major, c.minor), "%d.%d", c.major, c.minor)
	}
	dev := mapped{"ports": []string{"n1"}}
	_, err := stdjson.Marshal(deviceadd.Arguments(dev, true))
	assert.ErrorContains(t, err, "'ports' that is a list, which QEMU before 9.2 drops without an error")
	got, err := stdjson.Marshal(deviceadd.Arguments(dev, false))
	require.NoError(t, err)
	assert.Equal(t, `{"driver":"mapped","ports":["n1"]}`, string(got))
}

type mapped map[string]any

func (mapped) DeviceDriver() string { return "mapped" }

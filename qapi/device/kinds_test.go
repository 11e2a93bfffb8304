package device

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// An outcome is what device_add of a real QEMU accepted for a property.
type outcome struct {
	Device, Property, Type string
	Accepted               []string // the JSON values that it accepted
}

// outcomes returns the outcomes of a release, and the values that were tried.
func outcomes(t *testing.T, release string) (values []string, of []outcome) {
	t.Helper()
	text, err := os.ReadFile(corpus.Path(t, "devices", release, "accepted.json"))
	require.NoError(t, err)
	var all struct {
		Values     []string
		Properties []outcome
	}
	require.NoError(t, json.Unmarshal(text, &all))
	require.NotEmpty(t, all.Properties)
	return all.Values, all.Properties
}

// unseen reports whether a server refuses a value for a reason that does not follow from the type of
// the property, and that Check does not find.
func unseen(o outcome, value string) bool {
	text := o.Type == "str" || o.Type == "string" || strings.HasPrefix(o.Type, "link<") || isEnum(o.Type)
	switch {
	case value[0] == '"', text: // its form, or what it names
		return true
	case value[0] == '[', value[0] == '{': // what is in a list
		return true
	case strings.HasSuffix(o.Property, "block_size"): // powers of 2
		return true
	case o.Property == "x-nv-gpudirect-clique": // at most 15
		return true
	case o.Property == "vgamem", o.Property == "guest-stats-polling-interval", o.Property == "addr":
		return value[0] == '-' || o.Property == "guest-stats-polling-interval" // limits of the device
	}
	return false
}

// TestMismatch compares what Check says about values with what real servers accepted.
func TestMismatch(t *testing.T) {
	for release, version := range map[string]qmp.Version{"7.2": {Major: 7, Minor: 2}, "11.1": {Major: 11, Minor: 1}} {
		values, all := outcomes(t, release)
		for _, o := range all {
			if slices.Contains([]string{"(not listed)", "child<virtio-blk-device>", "child<base-xhci>", "busnr", "guest statistics"}, o.Type) {
				continue // a property that does not exist, which Check reports, or that nobody sets
			}
			accepted := map[string]bool{}
			for _, v := range o.Accepted {
				accepted[v] = true
			}
			for _, v := range values {
				if v == "null" {
					continue // it is refused earlier
				}
				why := mismatch(o.Property, o.Type, jsontext.Value(v), version)
				dropped := release == "7.2" && (v[0] == '[' || v[0] == '{')
				switch {
				case accepted[v] && dropped:
					assert.NotEmpty(t, why, "%s: %s.%s (%s) drops %s", release, o.Device, o.Property, o.Type, v)
				case accepted[v] && o.Property == "addr" && release == "7.2": // another address than on newer releases
				case accepted[v] && o.Property == "len-ports": // its elements cannot be given
				case accepted[v]:
					assert.Empty(t, why, "%s: %s.%s (%s) takes %s", release, o.Device, o.Property, o.Type, v)
				case !unseen(o, v):
					assert.NotEmpty(t, why, "%s: %s.%s (%s) refuses %s", release, o.Device, o.Property, o.Type, v)
				}
			}
		}
	}
}

// TestStructs checks that the fields of devices can have the values that QEMU 11.1 accepts, and no
// values of a kind that it refuses.
func TestStructs(t *testing.T) {
	values, all := outcomes(t, "11.1")
	devices := map[string]reflect.Type{}
	for _, dev := range []qapi.Device{
		VirtioNetPCI{}, PCIERootPort{}, VirtioRngPCI{}, VirtioBalloonPCI{}, BochsDisplay{}, VirtioBlkPCI{}, E1000{}, USBSerial{}, AC97{},
		TPMCrb{}, VhostUserInputPCI{}, VfioPCI{}, Vmgenid{}, Nvdimm{}, PcDimm{}, IDEHD{}, Floppy{}, Rocker{}, VirtioVGA{},
		VirtioIOMMUPCI{}, VfioUserPCI{}, Nvme{}, QEMUXHCI{},
	} {
		devices[dev.DeviceDriver()] = reflect.TypeOf(dev)
	}
	tried := 0
	for _, o := range all {
		dev, ok := devices[o.Device]
		require.True(t, ok, o.Device)
		if !hasField(dev, o.Property) || o.Type == "(not listed)" { // these are for Props; for id and bus QEMU accepts anything
			continue
		}
		for _, v := range values {
			can := canHold(t, dev, o.Property, v)
			takes := slices.Contains(o.Accepted, v)
			switch {
			case can == takes, v == "null":
			case takes: // other forms of what a field can hold: -1 for the greatest number, and numbers for PCI addresses
				assert.True(t, v[0] == '-' && (o.Type == "uint64" || o.Type == "size") || o.Property == "addr", "%s.%s cannot hold %s", o.Device, o.Property, v)
			default:
				assert.True(t, unseen(o, v), "%s.%s can hold %s", o.Device, o.Property, v)
			}
			tried++
		}
	}
	assert.Greater(t, tried, 2000)
}

// hasField reports whether a device has a field for a property.
func hasField(dev reflect.Type, property string) bool {
	return slices.ContainsFunc(reflect.VisibleFields(dev), func(f reflect.StructField) bool {
		return f.Tag.Get("json") == property+",omitzero"
	})
}

// canHold reports whether a field can hold a value: it encodes as it was.
func canHold(t *testing.T, dev reflect.Type, property, value string) bool {
	t.Helper()
	x := reflect.New(dev)
	text := []byte(`{"` + property + `":` + value + `}`)
	if err := jsonv2.Unmarshal(text, x.Interface()); err != nil {
		return false
	}
	again, err := jsonv2.Marshal(x.Interface())
	require.NoError(t, err)
	return string(again) == string(text) || string(again) == "{}" && value == `""`
}

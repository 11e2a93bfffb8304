package device_test

import (
	stdjson "encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/schema/qemu"
)

// fill sets everything in v.
func fill(v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *device.PCIAddr:
		*x = device.SlotFunction(0x1f, 2)
		return
	case *qapi.SocketAddress:
		*x = qapi.SocketAddress{Type: qapi.SocketAddressUnix{Path: "/run/x"}}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(field)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		if v.Type().Elem().Kind() == reflect.Bool {
			v.SetMapIndex(reflect.ValueOf("avx2"), reflect.ValueOf(false))
		} else {
			v.SetMapIndex(reflect.ValueOf("x-more"), reflect.ValueOf("y"))
		}
	case reflect.String:
		v.SetString("auto")
	case reflect.Bool: // false, which is not the same as absent
	default:
		if v.CanUint() {
			v.SetUint(1<<v.Type().Bits() - 1)
		} else {
			v.SetInt(-1 << (v.Type().Bits() - 1))
		}
	}
}

// TestJSON encodes and decodes devices, without properties and with all of them, with each JSON
// package: users put these types in their own JSON.
func TestJSON(t *testing.T) {
	for _, dev := range allTypes {
		full := reflect.New(reflect.TypeOf(dev)).Elem()
		fill(full)
		for _, value := range []any{dev, full.Interface()} {
			plain, err := stdjson.Marshal(value)
			require.NoError(t, err)
			text, err := json.Marshal(value)
			require.NoError(t, err)
			require.JSONEq(t, string(plain), string(text), "%T", dev)

			again := reflect.New(reflect.TypeOf(dev))
			require.NoError(t, stdjson.Unmarshal(plain, again.Interface()))
			require.Equal(t, value, again.Elem().Interface(), "by encoding/json")
			again = reflect.New(reflect.TypeOf(dev))
			require.NoError(t, json.Unmarshal(text, again.Interface()))
			require.Equal(t, value, again.Elem().Interface(), "by json")
		}
		none, err := stdjson.Marshal(dev)
		require.NoError(t, err)
		assert.Equal(t, "{}", string(none), "%T", dev)
	}
}

// TestArguments checks that exactly the properties of a device are sent, by the names that QEMU has
// for them.
func TestArguments(t *testing.T) {
	for _, dev := range allTypes {
		full := reflect.New(reflect.TypeOf(dev)).Elem()
		fill(full)
		filled := full.Interface().(qapi.Device)
		args, err := qapi.DeviceArgs(filled)
		require.NoError(t, err)
		assert.Equal(t, filled.DeviceDriver(), args.Driver)
		assert.Equal(t, "auto", *args.ID)
		assert.Equal(t, "y", args.Props["x-more"])
		delete(args.Props, "x-more")
		delete(args.Props, "avx2") // a feature
		known := properties(t, typeOf(args.Driver))
		for name := range args.Props {
			assert.True(t, known[name], "%T: no release has a property %s of it", dev, name)
		}
		if driver := dev.DeviceDriver(); driver != "" {
			args, err := qapi.DeviceArgs(dev)
			require.NoError(t, err)
			assert.Equal(t, qapi.DeviceAddArgs{Driver: driver}, args, "%T", dev)
		}
	}
}

// typeOf returns the type in QEMU that has the properties of a driver: for all models of
// processors it is their parent.
func typeOf(driver string) string {
	if strings.HasSuffix(driver, "-cpu") {
		return strings.TrimPrefix(driver, "auto-")
	}
	return driver
}

// properties returns those that a type has in any release, or, for processors, a type below it.
func properties(t *testing.T, typ string) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, release := range qemu.DeviceReleases() {
		list, err := qemu.Devices(release)
		require.NoError(t, err)
		for _, of := range list.Types {
			if of.Name != typ && (of.Parent != typ || !strings.HasSuffix(typ, "-cpu")) {
				continue
			}
			for _, p := range list.Props(of) {
				known[p.Name] = true
			}
		}
	}
	return known
}

// TestNoMagic checks that no device has a property whose name this package uses for something else.
func TestNoMagic(t *testing.T) {
	for _, release := range qemu.DeviceReleases() {
		list, err := qemu.Devices(release)
		require.NoError(t, err)
		for _, typ := range list.Types {
			for _, p := range typ.Props {
				assert.NotContains(t, []string{"props", "driver", "id"}, p.Name, "QEMU %s: %s", release, typ.Name)
			}
		}
	}
}

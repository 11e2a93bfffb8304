package device_test

import (
	stdjson "encoding/json"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi/device"
)

func TestPCIAddr(t *testing.T) {
	for _, c := range []struct {
		in   string
		want device.PCIAddr
		out  string
	}{
		{`"05.0"`, device.Slot(5), `"05.0"`},
		{`"5"`, device.Slot(5), `"05.0"`},
		{`"1f.7"`, device.SlotFunction(31, 7), `"1f.7"`},
		{`"1F.1"`, device.SlotFunction(31, 1), `"1f.1"`},
		{`"10.0"`, device.Slot(16), `"10.0"`},
		{`0`, device.Slot(0), `"00.0"`}, // the form that QEMU gives the value
		{`41`, device.SlotFunction(5, 1), `"05.1"`},
		{`255`, device.SlotFunction(31, 7), `"1f.7"`},
		{`-1`, device.PCIAddr{}, `-1`},
		{`null`, device.PCIAddr{}, `-1`},
		{`""`, device.PCIAddr{}, `-1`},
	} {
		for name, unmarshal := range map[string]func([]byte, any) error{
			"v1": stdjson.Unmarshal, "v2": func(text []byte, x any) error { return json.Unmarshal(text, x) },
		} {
			got := device.Slot(9)
			require.NoError(t, unmarshal([]byte(c.in), &got), name)
			assert.Equal(t, c.want, got, "%s: %s", name, c.in)
		}
		text, err := stdjson.Marshal(c.want)
		require.NoError(t, err)
		assert.Equal(t, c.out, string(text))
		text, err = json.Marshal(c.want)
		require.NoError(t, err)
		assert.Equal(t, c.out, string(text))
	}
	assert.Equal(t, "05.1", device.SlotFunction(5, 1).String())
	assert.Empty(t, device.PCIAddr{}.String())
	assert.True(t, device.PCIAddr{}.IsZero())
	assert.False(t, device.Slot(0).IsZero(), "slot 0 is a place")
	assert.Equal(t, 31, device.SlotFunction(31, 7).Slot())
	assert.Equal(t, 7, device.SlotFunction(31, 7).Function())
}

func TestPCIAddrRefused(t *testing.T) {
	for _, text := range []string{`"20.0"`, `"5.8"`, `"x"`, `"5."`, `".1"`, `"0000:05.0"`, `256`, `-2`, `1.5`, `true`, `["05.0"]`, `{}`} {
		var a device.PCIAddr
		assert.Error(t, stdjson.Unmarshal([]byte(text), &a), text)
		assert.Error(t, json.Unmarshal([]byte(text), &a), text)
	}
	for _, a := range []device.PCIAddr{device.Slot(32), device.Slot(-1), device.SlotFunction(0, 8), device.SlotFunction(1<<30, 0)} {
		_, err := json.Marshal(a)
		assert.ErrorContains(t, err, "not the address of a PCI device")
		assert.NotPanics(t, func() { _ = a.String() })
	}
	_, err := device.ParsePCIAddr("32.9")
	assert.ErrorContains(t, err, `device: "32.9" is not the address of a PCI device`)
}

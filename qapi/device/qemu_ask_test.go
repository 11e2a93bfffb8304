package device_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qmp"
)

// start starts a pc with places for many devices.
func start(t *testing.T, q qemutest.QEMU, args ...string) *qapi.Client {
	t.Helper()
	conn, err := qmp.NewConn(t.Context(), q.Start(t, "-qmp", append([]string{
		"-machine", "pc", "-accel", "tcg", "-m", "128M,slots=4,maxmem=1G", "-device", "pci-bridge,id=b1,chassis_nr=1", "-device", "pci-bridge,id=b2,chassis_nr=2",
		"-device", "virtio-scsi-pci,id=scsi0", "-device", "qemu-xhci,id=xhci", "-device", "virtio-serial-pci,id=ser0",
	}, args...)...))
	require.NoError(t, err)
	return qapi.NewClient(conn)
}

// TestQEMURead plugs in each device that needs only an id, and reads it back: the values of
// properties on all releases fit the fields.
func TestQEMURead(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		t.Parallel() // a device that is refused takes 60 ms
		c := start(t, q)
		v, err := c.QueryVersion(t.Context())
		require.NoError(t, err)
		count := 0
		for i, dev := range allTypes {
			if !v.AtLeast(10, 0) && strings.Contains(dev.DeviceDriver(), "-gl") {
				continue // QEMU 7.2 ends without a module for them
			}
			set := reflect.New(reflect.TypeOf(dev))
			id := fmt.Sprintf("dev%d", i)
			set.Elem().FieldByName("ID").SetString(id)
			if addr := set.Elem().FieldByName("Addr"); addr.IsValid() && addr.Type() == reflect.TypeFor[device.PCIAddr]() {
				set.Elem().FieldByName("Bus").SetString([]string{"b1", "b2"}[count%2])
			}
			err := c.DeviceAdd(t.Context(), set.Interface().(qapi.Device))
			if err != nil { // it needs something, or is not for this machine
				require.NoError(t, c.Conn().Err(), "%s ends it", dev.DeviceDriver())
				continue
			}
			count++
			got := reflect.New(reflect.TypeOf(dev))
			if assert.NoError(t, device.ReadInto(t.Context(), c, id, got.Interface()), dev.DeviceDriver()) {
				assertSet(t, set.Elem().Interface(), got.Elem().Interface())
			}
		}
		t.Logf("%d devices", count)
		assert.Greater(t, count, 30)
	})
}

// TestQEMUReadOther reads devices into values of other types.
func TestQEMUReadOther(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		c := start(t, q)
		require.NoError(t, c.DeviceAdd(t.Context(), qapi.DeviceAddArgs{Driver: "usb-tablet", ID: new("tab0"), Props: map[string]any{"serial": "7"}}))

		open, err := device.Read[qapi.DeviceAddArgs](t.Context(), c, "tab0")
		require.NoError(t, err)
		assert.Equal(t, "usb-tablet", open.Driver)
		assert.Equal(t, "tab0", *open.ID)
		assert.Equal(t, "xhci.0", *open.Bus)
		assert.Equal(t, "7", open.Props["serial"])

		own, err := device.Read[struct {
			Serial string `json:"serial"`
			Bus    string `json:"bus"`
		}](t.Context(), c, "/machine/peripheral/tab0")
		require.NoError(t, err)
		assert.Equal(t, "7", own.Serial)
		assert.Equal(t, "xhci.0", own.Bus)

		_, err = device.Read[device.USBKbd](t.Context(), c, "tab0")
		assert.EqualError(t, err, "device: reading tab0: it is a usb-tablet, not a usb-kbd")
		_, err = device.Read[device.X86CPU](t.Context(), c, "tab0")
		assert.ErrorContains(t, err, "device: reading tab0: it is a usb-tablet, whose type does not end in -x86_64-cpu")
		_, err = device.Read[device.USBTablet](t.Context(), c, "tab1")
		refused, ok := errors.AsType[*qmp.Error](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, qmp.ClassDeviceNotFound, refused.Class)
	})
}

// TestQEMUCheck checks devices against real servers that would refuse or misunderstand them.
func TestQEMUCheck(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		c := start(t, q)
		version, err := c.QueryVersion(t.Context())
		require.NoError(t, err)
		strict := version.AtLeast(10, 0)
		for _, c2 := range []struct {
			dev  qapi.Device
			old  string // the fault that 5.2 and 7.2 find
			want string // the fault that 10.0 and 11.1 find
		}{
			{device.VirtioBlkPCI{Drive: "x", Bootindex: new(int32(0)), Addr: device.Slot(3)}, "", ""},
			{device.VirtioBlkPCI{Props: map[string]any{"x-disable-legacy-check": true}}, "", ""},
			{qapi.DeviceAddArgs{Driver: "virtio-blk"}, "", ""},
			{qapi.DeviceAddArgs{Driver: "qemu64-x86_64-cpu", Props: map[string]any{"avx2": true}}, "", ""},
			{open("virtio-blk-pcii", "drive", "x"), "has no device 'virtio-blk-pcii'; did you mean 'virtio-blk-pci'?", "has no device 'virtio-blk-pcii'; did you mean 'virtio-blk-pci'?"},
			{open("ICH9-LPC", "addr", "5"), "is a part of machines, which users cannot create", "is a part of machines, which users cannot create"},
			{open("virtio-blk-pci", "drve", "x"), "has no property 'drve'; did you mean 'drive'?", "has no property 'drve'; did you mean 'drive'?"},
			{open("e1000", "bootindex", "1"), "", "property 'bootindex' is a number, not a string"},
			{open("e1000", "multifunction", "on"), "", "property 'multifunction' is a boolean, not a string"},
			{open("e1000", "multifunction", "maybe"), "property 'multifunction' is a boolean, not a string", "property 'multifunction' is a boolean, not a string"},
			{open("e1000", "bootindex", int64(1<<31)), "property 'bootindex' is an integer of 32 bits, not 2147483648", "property 'bootindex' is an integer of 32 bits, not 2147483648"},
			{open("e1000", "addr", 16), "property 'addr' is the number 16, which this server takes for a slot, unlike newer ones", ""},
			{open("e1000", "romfile", []string{"x"}), "property 'romfile' cannot be a list: this server drops it without an error", "property 'romfile' is str, not a list"},
			{device.Rocker{Ports: []string{"n1"}}, "has no property 'ports'", ""},
			{open("e1000", "nonsense", []string{"x"}), "has no property 'nonsense'", "has no property 'nonsense'"},
			{(*device.E1000)(nil), "the device is a nil *device.E1000", "the device is a nil *device.E1000"},
		} {
			want := c2.old
			if strict {
				want = c2.want
			}
			err := device.Check(t.Context(), c, c2.dev)
			if want == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, want)
			}
		}

		err = device.Check(t.Context(), c, qapi.DeviceAddArgs{Driver: "e1000", Props: map[string]any{"nettdev": "x", "macc": "y"}})
		first, ok := errors.AsType[*device.PropertyError](err)
		require.True(t, ok)
		assert.Equal(t, "macc", first.Property)
		assert.Equal(t, "mac", first.Nearest)
		assert.ErrorContains(t, err, "netdev", "all faults are reported")
	})
}

// open returns a device with one property.
func open(driver, property string, value any) qapi.Device {
	return qapi.DeviceAddArgs{Driver: driver, Props: map[string]any{property: value}}
}

// TestQEMUTraps shows where real servers behave unexpectedly, and what this package does then.
func TestQEMUTraps(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		c := start(t, q, "-netdev", "user,id=net0")
		add := func(dev qapi.Device) error { return c.DeviceAdd(t.Context(), dev) }

		// A property that only the server may set, or an id that is not a string, is not sent: it would end
		// the server.
		for _, name := range []string{"realized", "type", "parent_bus", "hotplugged"} {
			require.ErrorContains(t, add(device.E1000{Props: map[string]any{name: true}}), "which only the server itself may set")
		}
		require.ErrorContains(t, add(device.E1000{Props: map[string]any{"id": 5}}), "'id' that is a number")
		require.ErrorContains(t, add(device.E1000{Props: map[string]any{"bus": 5}}), "'bus' that is a number")
		_, err := c.QueryStatus(t.Context())
		require.NoError(t, err)

		// An address is the same place for all releases; an empty romfile means that there is no ROM.
		require.NoError(t, add(device.E1000{ID: "nic0", Netdev: "net0", Addr: device.Slot(16), Romfile: new(""), Bootindex: new(int32(0))}))
		nic, err := device.Read[device.E1000](t.Context(), c, "nic0")
		require.NoError(t, err)
		assert.Equal(t, device.Slot(16), nic.Addr)
		assert.Equal(t, "10.0", nic.Addr.String())
		assert.Empty(t, *nic.Romfile)
		assert.Zero(t, *nic.Bootindex)
		require.NoError(t, add(device.E1000{ID: "nic1"}))
		nic, err = device.Read[device.E1000](t.Context(), c, "nic1")
		require.NoError(t, err)
		assert.NotEmpty(t, *nic.Romfile)

		// QEMU 5.2 and 7.2 accept a list, and ignore it; Check and DeviceAdd return an error.
		v, err := c.QueryVersion(t.Context())
		require.NoError(t, err)
		rocker := device.Rocker{ID: "sw0", Name: "sw0", Ports: []string{"net7"}}
		if v.AtLeast(10, 0) {
			require.NoError(t, device.Check(t.Context(), c, rocker))
			require.Error(t, add(rocker), "there is no netdev net7")
		} else {
			require.Error(t, device.Check(t.Context(), c, rocker))
			require.ErrorContains(t, add(rocker), "'ports' that is a list, which QEMU before 9.2 drops without an error")
		}

		// Features of processors whose names would clash in Go arrive unchanged.
		args, err := qapi.DeviceArgs(device.X86CPU{Model: "qemu64", Features: map[string]bool{"sse4.1": true, "sse4-1": true, "sse4_1": false}})
		require.NoError(t, err)
		require.NoError(t, device.Check(t.Context(), c, args))
	})
}

package qmptest_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/schema/qemu"
)

// adder makes a device_add of a server that has the node disk0.
func adder(t *testing.T, opts ...qmptest.Option) func(driver string, props map[string]any) error {
	t.Helper()
	srv := qmptest.Start(t, opts...)
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	c := qapi.NewClient(conn)
	require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{NodeName: new("disk0"), Driver: qapi.BlockdevOptionsNullCo{}}))
	return func(driver string, props map[string]any) error {
		args := map[string]any{"driver": driver}
		maps.Copy(args, props)
		return c.Conn().Execute(t.Context(), "device_add", args, nil) // DeviceAdd would refuse lists
	}
}

// Values are checked by the rules of the release, or by those of the newest release if the test asks for it.
func TestStrictDevices(t *testing.T) {
	disk := func(name string, value any) map[string]any {
		return map[string]any{"drive": "disk0", "share-rw": true, name: value}
	}
	for _, c := range []struct {
		name   string
		value  any
		strict string
	}{
		{"rotation_rate", "7200", "Parameter 'rotation_rate' expects uint64"},
		{"dpofua", "on", "Invalid parameter type for 'dpofua', expected: boolean"},
		{"serial", 5, "Invalid parameter type for 'serial', expected: string"},
		{"logical_block_size", "512", "Parameter 'logical_block_size' expects uint64"},
		{"serial", []string{"a"}, "Invalid parameter type for 'serial', expected: string"},
		{"nope", []string{}, "Property 'scsi-hd.nope' not found"},
	} {
		for _, release := range []string{"5.2", "7.2", "8.2"} {
			require.NoError(t, adder(t, qmptest.Release(release))("scsi-hd", disk(c.name, c.value)), "%s %s", release, c.name)
			err := adder(t, qmptest.Release(release), qmptest.StrictDevices())("scsi-hd", disk(c.name, c.value))
			require.ErrorContains(t, err, c.strict, release)
		}
		for _, release := range []string{"9.2", "10.0", "11.1"} {
			require.ErrorContains(t, adder(t, qmptest.Release(release))("scsi-hd", disk(c.name, c.value)), c.strict, release)
		}
	}
}

// TestPlugged checks that devices can be there from the start, and others be plugged into them.
func TestPlugged(t *testing.T) {
	port := func(id string) qapi.DeviceAddArgs { return qapi.DeviceAddArgs{Driver: "pcie-root-port", ID: &id} }
	add := adder(t, qmptest.Plugged(port("rp0"), port("rp1")), qmptest.Plugged(qapi.DeviceAddArgs{Driver: "VGA"}))
	require.NoError(t, add("virtio-blk-pci", map[string]any{"drive": "disk0", "bus": "rp0"}))
	require.ErrorContains(t, add("virtio-net-pci", map[string]any{"bus": "rp0"}), "slot 0 function 0 already occupied by virtio-blk-pci")
	require.NoError(t, add("virtio-net-pci", map[string]any{"bus": "rp1"}))
	require.ErrorContains(t, add("virtio-net-pci", map[string]any{"bus": "rp2"}), "Bus 'rp2' not found")
	require.ErrorContains(t, add("VGA", nil), "does not support hotplugging")

	require.PanicsWithValue(t, "qmptest: Plugged: pcie-root-porte: 'pcie-root-porte' is not a valid device model name", func() {
		qmptest.New(qmptest.Plugged(qapi.DeviceAddArgs{Driver: "pcie-root-porte"}))
	})
}

// TestRealizedFailsTheTest checks that a command that ends every QEMU fails the test, and is not answered with an error.
func TestRealizedFailsTheTest(t *testing.T) {
	srv := qmptest.New()
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	args := map[string]any{"driver": "virtio-rng-pci", "realized": true}
	require.Error(t, conn.Execute(t.Context(), "device_add", args, nil))
	conn.Close()
	require.ErrorContains(t, srv.Close(), "device_add with realized")
}

// TestDeviceProperties checks that the fake lists the properties of a type that the release has.
func TestDeviceProperties(t *testing.T) {
	for _, release := range qemu.DeviceReleases() {
		srv := qmptest.Start(t, qmptest.Release(release))
		conn, err := srv.Dial(t.Context())
		require.NoError(t, err)
		c := qapi.NewClient(conn)
		props, err := c.DeviceListProperties(t.Context(), qapi.DeviceListPropertiesArgs{Typename: "virtio-blk-pci"})
		require.NoError(t, err)
		byName := map[string]qapi.ObjectPropertyInfo{}
		for _, p := range props {
			byName[p.Name] = p
		}
		assert.Equal(t, "str", byName["drive"].Type)
		assert.Equal(t, "link<iothread>", byName["iothread"].Type)
		assert.Equal(t, "256", string(byName["queue-size"].DefaultValue))
		require.NoError(t, conn.Close())
	}
}

// TestDevicesAreReadBack checks that a device has the properties that it was given, and its type's defaults.
func TestDevicesAreReadBack(t *testing.T) {
	srv := qmptest.Start(t, qmptest.Release("7.2"))
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	c := qapi.NewClient(conn)
	defer c.Close()
	require.NoError(t, c.DeviceAdd(t.Context(), qapi.DeviceAddArgs{Driver: "virtio-net-pci", ID: new("nic"), Props: map[string]any{
		"mq": "on", "speed": "10", "addr": "05.0", "mac": "52:54:00:00:00:01", "bootindex": 3,
	}}))
	for name, want := range map[string]string{
		"mq": "true", "speed": "10", "addr": "40", "mac": `"52:54:00:00:00:01"`, "bootindex": "3", "rx_queue_size": "256",
		"type": `"virtio-net-pci"`, "hotplugged": "true", "parent_bus": `"/machine/i440fx/pci.0"`, "romfile": `""`,
	} {
		got, err := c.QOMGet(t.Context(), qapi.QOMGetArgs{Path: "/machine/peripheral/nic", Property: name})
		require.NoError(t, err, name)
		assert.Equal(t, want, string(got), name)
	}
}

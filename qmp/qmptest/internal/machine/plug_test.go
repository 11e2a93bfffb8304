package machine_test

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp/qmptest/internal/machine"
)

// refusal executes a command that must fail, and returns its error.
func (v *vm) refusal(command, args string) string {
	v.t.Helper()
	said := v.execute(command, args)
	require.Len(v.t, said, 1)
	return said[0]
}

// TestPropertyWords checks that refusals are in the words of the release.
func TestPropertyWords(t *testing.T) {
	for _, c := range []struct{ release, props, want string }{
		{"11.1", `"mq":5`, "Invalid parameter type for 'mq', expected: boolean"},
		{"7.2", `"mq":5`, "Parameter 'mq' expects 'on' or 'off'"},
		{"11.1", `"vectors":"2"`, "Parameter 'vectors' expects uint64"},
		{"11.1", `"vectors":-1`, "Parameter 'vectors' expects uint32_t"},
		{"7.2", `"vectors":-1`, "Parameter 'vectors' expects uint32_t"},
		{"7.2", `"vectors":1.5`, "Parameter 'vectors' expects integer"},
		{"11.1", `"disable-legacy":"x"`, "Parameter 'disable-legacy' does not accept value 'x'"},
		{"7.2", `"disable-legacy":5`, "Parameter 'disable-legacy' does not accept value '5'"},
		{"5.2", `"disable-legacy":5`, "Invalid parameter '5'"},
		{"10.0", `"mac":"nope"`, "Property 'virtio-net-device.mac' doesn't take value 'nope'"},
		{"10.0", `"netdev":"nope"`, "Property 'virtio-net-device.netdev' can't find value 'nope'"},
		{"10.0", `"addr":256`, "Parameter 'addr' expects a value between -1 and 255"},
		{"5.2", `"addr":256`, "Property 'virtio-net-pci.addr' doesn't take value '256'"},
		{"10.0", `"addr":"1.0"`, "PCI: slot 1 function 0 not available for virtio-net-pci, in use by PIIX3,id=(null)"},
		{"10.0", `"addr":"1.2"`, "PCI: slot 1 function 0 already occupied by PIIX3, new func virtio-net-pci cannot be exposed to guest."},
		{"10.0", `"bus":"nope"`, "Bus 'nope' not found"},
		{"10.0", `"bus":"scsi0.0"`, "Device 'virtio-net-pci' can't go on SCSI bus"},
		{"10.0", `"nope":1`, "Property 'virtio-net-pci.nope' not found"},
		{"10.0", `"busnr":1`, "Property 'virtio-net-pci.busnr' is not writable"},
		{"5.2", `"hotplugged":true`, "Insufficient permission to perform this operation"},
		{"10.0", `"ebpf-rss-fds":5`, "Invalid parameter type for 'ebpf-rss-fds', expected: array"},
		{"5.2", `"id":"1x"`, "Parameter 'id' expects an identifier"},
		{"11.1", `"id":"1x"`, "Invalid qdev ID '1x'"},
	} {
		v := newVM(t, c.release)
		assert.Equal(t, "error GenericError: "+c.want, v.refusal("device_add", `{"driver":"virtio-net-pci",`+c.props+`}`), "%s %s", c.release, c.props)
	}
	v := newVM(t, "11.1")
	v.ok("blockdev-add", `{"driver":"null-co","node-name":"n"}`)
	assert.Equal(t, "error GenericError: parameter logical_block_size must be a power of 2 between 512 and 2097152",
		v.refusal("device_add", `{"driver":"scsi-hd","drive":"n","logical_block_size":768}`))
	assert.Equal(t, "error DeviceNotFound: Device 'io' not found", v.refusal("device_add", `{"driver":"virtio-blk-pci","drive":"n","iothread":"io"}`))
	assert.Equal(t, "error GenericError: Invalid parameter type for 'iothread', expected: iothread",
		v.refusal("device_add", `{"driver":"virtio-blk-pci","drive":"n","iothread":"scsi0"}`))
	assert.Equal(t, "error GenericError: A 'virtio-bus' bus was found but is full", v.refusal("device_add", `{"driver":"virtio-scsi-device"}`))
}

// When a device is unplugged, the devices that are plugged into it go, too.
func TestControllerGoesWithItsDevices(t *testing.T) {
	v := newVM(t, "11.1")
	v.ok("device_add", `{"driver":"qemu-xhci","id":"usb0"}`)
	v.ok("device_add", `{"driver":"usb-tablet","id":"tab0"}`)
	v.ok("device_add", `{"driver":"usb-kbd","id":"kbd0","bus":"usb0.0"}`)
	assert.Equal(t, []string{
		`return {}`,
		`DEVICE_DELETED {"device":"tab0","path":"/machine/peripheral/tab0"}`,
		`DEVICE_DELETED {"device":"kbd0","path":"/machine/peripheral/kbd0"}`,
		`DEVICE_DELETED {"device":"usb0","path":"/machine/peripheral/usb0"}`,
	}, v.execute("device_del", `{"id":"usb0"}`))
	assert.Equal(t, "error GenericError: No 'usb-bus' bus found for device 'usb-tablet'", v.refusal("device_add", `{"driver":"usb-tablet"}`))
}

// Slots are given in order, and are free again when the device has gone.
func TestSlots(t *testing.T) {
	v := newVM(t, "7.2")
	v.ok("device_add", `{"driver":"e1000","id":"a"}`)
	assert.Equal(t, []string{"return 24"}, v.execute("qom-get", `{"path":"a","property":"addr"}`))
	v.ok("device_add", `{"driver":"e1000","id":"b","addr":"1f"}`)
	assert.Contains(t, v.refusal("device_add", `{"driver":"e1000","addr":"1f.0"}`), "slot 31 function 0 not available for e1000, in use by e1000,id=b")
	for range 27 {
		v.ok("device_add", `{"driver":"e1000"}`)
	}
	assert.Contains(t, v.refusal("device_add", `{"driver":"e1000"}`), "no slot/function available for e1000")
	v.execute("device_del", `{"id":"a"}`)
	v.ok("device_add", `{"driver":"e1000","id":"c"}`)
	assert.Equal(t, []string{"return 24"}, v.execute("qom-get", `{"path":"c","property":"addr"}`))
}

func TestBackendsInUse(t *testing.T) {
	v := newVM(t, "11.1")
	v.ok("object-add", `{"qom-type":"memory-backend-ram","id":"m","size":1048576}`)
	v.ok("device_add", `{"driver":"pc-dimm","id":"d","memdev":"m"}`)
	assert.Equal(t, "error GenericError: can't use already busy memdev: m", v.refusal("device_add", `{"driver":"pc-dimm","memdev":"/objects/m"}`))
	assert.Contains(t, v.refusal("object-del", `{"id":"m"}`), "is in use")
	assert.Equal(t, []string{`return "/objects/m"`}, v.execute("qom-get", `{"path":"d","property":"memdev"}`))
}

func TestProcessors(t *testing.T) {
	v := newVM(t, "11.1")
	const place = `"core-id":0,"thread-id":0}`
	assert.Contains(t, v.refusal("device_add", `{"driver":"qemu64-x86_64-cpu",`+place), "CPU socket-id is not set")
	assert.Contains(t, v.refusal("device_add", `{"driver":"qemu64-x86_64-cpu","socket-id":0,`+place), "exists")
	v.ok("device_add", `{"driver":"qemu64-x86_64-cpu","id":"cpu1","socket-id":1,`+place)
	assert.Contains(t, v.refusal("device_add", `{"driver":"qemu64-x86_64-cpu","socket-id":1,`+place), "exists")
}

// A release whose devices are not known has those of the releases before and after it.
func TestNeighbours(t *testing.T) {
	v := newVM(t, "8.2")
	v.ok("device_add", `{"driver":"piix3-usb-uhci","x-pcie-ext-tag":true}`) // since 10.0
	v.ok("blockdev-add", `{"driver":"null-co","node-name":"n"}`)
	v.ok("device_add", `{"driver":"virtio-blk-pci","drive":"n","x-disable-pcie":"off"}`) // until 10.0
}

// Devices that are there from the start can have types that cannot be plugged in or unplugged later.
func TestColdPlug(t *testing.T) {
	v := newVM(t, "11.1")
	m := machine.New(v)
	v.commands = m.Commands()
	plug := func(text string) error {
		members := map[string]jsontext.Value{"driver": jsontext.Value(text), "id": jsontext.Value(`"x"`)}
		return m.ColdPlug(members)
	}
	require.NoError(t, plug(`"isa-serial"`))
	require.ErrorContains(t, plug(`"isa-serial"`), "Duplicate device ID 'x'")
	assert.Equal(t, []string{"return false"}, v.execute("qom-get", `{"path":"x","property":"hotplugged"}`))
	assert.Equal(t, "error GenericError: Bus 'isa.0' does not support hotplugging", v.refusal("device_del", `{"id":"x"}`))
}

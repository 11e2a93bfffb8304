package machine_test

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp/qmptest/internal/machine"
)

// guestVM returns a vm and its machine, whose guest a test can set.
func guestVM(t *testing.T, release string) (*vm, *machine.Machine) {
	t.Helper()
	v := newVM(t, release)
	m := machine.New(v)
	v.commands = m.Commands()
	return v, m
}

func TestGuestIsSilent(t *testing.T) {
	v, m := guestVM(t, "11.1")
	m.SetGuest(machine.Silent)
	v.ok("device_add", `{"driver":"virtio-rng-pci","id":"rng"}`)
	assert.Equal(t, []string{"return {}"}, v.execute("device_del", `{"id":"rng"}`))
	assert.Equal(t, []string{"error GenericError: Device rng is already in the process of unplug"}, v.execute("device_del", `{"id":"rng"}`))
	v.said = nil
	m.SetGuest(machine.Obeys)
	assert.Equal(t, []string{
		`DEVICE_DELETED {"path":"/machine/peripheral/rng/virtio-backend"}`,
		`DEVICE_DELETED {"device":"rng","path":"/machine/peripheral/rng"}`,
	}, v.said)
}

// A reset removes the devices that the guest was asked to release.
func TestResetReleases(t *testing.T) {
	v, m := guestVM(t, "7.2")
	m.SetGuest(machine.Silent)
	v.ok("device_add", `{"driver":"virtio-rng-pci","id":"rng"}`)
	v.ok("device_del", `{"id":"rng"}`)
	said := v.execute("system_reset")
	assert.Equal(t, `DEVICE_DELETED {"device":"rng","path":"/machine/peripheral/rng"}`, said[len(said)-1])
}

func TestGuestRefuses(t *testing.T) {
	for release, want := range map[string][]string{
		"5.2":  {"return {}"},
		"11.1": {"return {}", `DEVICE_UNPLUG_GUEST_ERROR {"device":"rng","path":"/machine/peripheral/rng"}`},
	} {
		v, m := guestVM(t, release)
		m.SetGuest(machine.Refuses)
		v.ok("device_add", `{"driver":"virtio-rng-pci","id":"rng"}`)
		assert.Equal(t, want, v.execute("device_del", `{"id":"rng"}`), release)
		v.ok("object-add", `{"qom-type":"memory-backend-ram","id":"m","size":134217728}`)
		v.ok("device_add", `{"driver":"pc-dimm","id":"d","memdev":"m"}`)
		assert.Equal(t, []string{
			"return {}", `ACPI_DEVICE_OST {"info":{"device":"d","slot":"0","slot-type":"DIMM","source":3,"status":130}}`,
		}, v.execute("device_del", `{"id":"d"}`), release)
	}
}

const secondCPU = `{"driver":"qemu64-x86_64-cpu","id":"c","socket-id":0,"core-id":1,"thread-id":0}`

// The events for a processor that was unplugged, and their times, differ between releases.
func TestProcessorsAreUnplugged(t *testing.T) {
	for release, late := range map[string][]string{
		"10.0": {"return {}"},
		"11.1": {`DEVICE_DELETED {"device":"c","path":"/machine/peripheral/c"}`, "return {}"},
	} {
		v, m := guestVM(t, release)
		m.SetPlaces(2)
		v.ok("device_add", secondCPU)
		assert.Equal(t, []string{"return {}", `DEVICE_DELETED {"path":"/machine/peripheral/c/lapic"}`}, v.execute("device_del", `{"id":"c"}`), release)
		assert.NotContains(t, v.execute("query-hotpluggable-cpus")[0], "/machine/peripheral/c", release)
		assert.Contains(t, v.execute("query-acpi-ospm-status")[0], `{"slot":"1","slot-type":"CPU","source":3,"status":0}`, release)
		assert.Equal(t, late, v.execute("device_add", secondCPU), release)
	}
	v, m := guestVM(t, "7.2")
	m.SetPlaces(2)
	v.ok("device_add", secondCPU)
	v.execute("device_del", `{"id":"c"}`)
	require.False(t, v.stopped)
	v.execute("device_add", secondCPU)
	assert.True(t, v.stopped)

	v, m = guestVM(t, "5.2")
	m.SetPlaces(2)
	v.ok("device_add", `{"driver":"qemu64-x86_64-cpu","id":"c","socket-id":1,"core-id":0,"thread-id":0}`)
	assert.Contains(t, v.execute("device_del", `{"id":"c"}`)[0], "not supported device type")
}

func TestPlacesAreLimited(t *testing.T) {
	v, m := guestVM(t, "11.1")
	m.SetPlaces(2)
	m.SetMemorySlots(1)
	assert.Contains(t, v.refusal("device_add", `{"driver":"qemu64-x86_64-cpu","socket-id":0,"core-id":2,"thread-id":0}`), "must be in range 0:1")
	assert.Contains(t, v.refusal("device_add", `{"driver":"qemu32-x86_64-cpu","socket-id":0,"core-id":1,"thread-id":0}`), "Invalid CPU type")
	assert.Equal(t, []string{"error GenericError: Boot CPU is unpluggable"}, v.execute("device_del", `{"id":"/machine/unattached/device[0]"}`))
	for _, id := range []string{"a", "b"} {
		v.ok("object-add", `{"qom-type":"memory-backend-ram","id":"`+id+`","size":134217728}`)
	}
	v.ok("device_add", `{"driver":"pc-dimm","id":"d","memdev":"a"}`)
	assert.Contains(t, v.refusal("device_add", `{"driver":"pc-dimm","memdev":"b"}`), "no free slots")
	assert.Equal(t, []string{`return {"base-memory":67108864,"plugged-memory":134217728}`}, v.execute("query-memory-size-summary"))
}

func TestVirtioMem(t *testing.T) {
	v, _ := guestVM(t, "11.1")
	v.ok("object-add", `{"qom-type":"memory-backend-ram","id":"m","size":134217728}`)
	v.ok("device_add", `{"driver":"virtio-mem-pci","id":"vm","memdev":"m"}`)
	set := func(size string) string {
		return `{"path":"vm","property":"requested-size","value":` + size + `}`
	}
	assert.Contains(t, v.refusal("qom-set", set("1")), "multiples")
	assert.Contains(t, v.refusal("qom-set", set("268435456")), "cannot exceed")
	assert.Equal(t, []string{"return {}"}, v.execute("qom-set", set("4194304")), "a guest that does not run takes none")
	assert.Equal(t, []string{"RESUME {}", "return {}", `MEMORY_DEVICE_SIZE_CHANGE {"id":"vm","qom-path":"/machine/peripheral/vm","size":4194304}`}, v.execute("cont"))
	assert.Equal(t, []string{"return 4194304"}, v.execute("qom-get", `{"path":"vm","property":"size"}`))
	assert.Contains(t, v.execute("device_del", `{"id":"vm"}`)[0], "cannot get unplugged")
	v.execute("qom-set", set("0"))
	assert.Equal(t, "return {}", v.execute("device_del", `{"id":"vm"}`)[0])
}

// The buses of PCI are in the tree of objects, and query-pci has what is in them.
func TestPorts(t *testing.T) {
	v, m := guestVM(t, "11.1")
	m.MakeQ35()
	require.NoError(t, m.ColdPlug(map[string]jsontext.Value{"driver": jsontext.Value(`"pcie-root-port"`), "id": jsontext.Value(`"rp0"`)}))
	assert.Equal(t, "error GenericError: Bus 'pcie.0' does not support hotplugging", v.refusal("device_add", `{"driver":"virtio-rng-pci"}`))
	assert.Equal(t, "error GenericError: Bus 'pci.0' not found", v.refusal("device_add", `{"driver":"virtio-rng-pci","bus":"pci.0"}`))
	v.ok("device_add", `{"driver":"virtio-rng-pci","id":"rng","bus":"rp0"}`)
	assert.Contains(t, v.refusal("device_add", `{"driver":"virtio-rng-pci","bus":"rp0"}`), "already occupied")
	assert.Contains(t, v.execute("qom-list", `{"path":"/machine/peripheral/rp0"}`)[0], `{"name":"rp0","type":"child<PCIE>"}`)
	assert.Contains(t, v.execute("qom-list", `{"path":"/machine/peripheral/rp0/rp0"}`)[0], `"type":"link<virtio-rng-pci>"`)
	assert.Contains(t, v.execute("query-pci")[0], `"qdev_id":"rng"`)
}

// What a test sets right after a reply does not apply to the command of that reply, whichever is faster.
func TestGuestChangesAfterTheReply(t *testing.T) {
	deleted := []string{
		"return {}",
		`DEVICE_DELETED {"path":"/machine/peripheral/rng/virtio-backend"}`,
		`DEVICE_DELETED {"device":"rng","path":"/machine/peripheral/rng"}`,
	}
	for _, c := range []struct {
		before, after machine.Guest
		said          []string
	}{
		{machine.Obeys, machine.Silent, deleted},
		{machine.Obeys, machine.Refuses, deleted},
		{machine.Refuses, machine.Obeys, []string{"return {}", `DEVICE_UNPLUG_GUEST_ERROR {"device":"rng","path":"/machine/peripheral/rng"}`}},
		{machine.Silent, machine.Obeys, deleted},
		{machine.Silent, machine.Silent, []string{"return {}"}},
	} {
		v, m := guestVM(t, "11.1")
		m.SetGuest(c.before)
		v.ok("device_add", `{"driver":"virtio-rng-pci","id":"rng"}`)
		v.replied = func() { m.SetGuest(c.after) }
		assert.Equal(t, c.said, v.execute("device_del", `{"id":"rng"}`), "%d, then %d", c.before, c.after)
	}
}

func TestMigrationChangesAfterTheReply(t *testing.T) {
	migrating := func() (*vm, *machine.Machine) {
		v, m := guestVM(t, "7.2")
		v.ok("migrate-set-parameters", `{"max-bandwidth":33554432,"downtime-limit":1}`)
		v.execute("migrate", `{"uri":"exec:x"}`)
		return v, m
	}
	query := func(v *vm) string {
		said := v.execute("query-migrate")
		v.replied = nil
		return said[len(said)-1]
	}

	v, m := migrating()
	m.DirtyMemory(1 << 20)
	v.replied = func() { m.DirtyMemory(0) }
	assert.Contains(t, query(v), `"remaining":67108864,`)
	assert.Contains(t, query(v), `"remaining":33554432,`)
	assert.Contains(t, query(v), `"remaining":1048576,`, "the guest changed memory in the first second")

	v, m = migrating()
	v.replied = func() { m.FailMigration("no route") }
	query(v)
	assert.Contains(t, query(v), `"status":"active"`, "nothing failed in the first second")
	assert.Equal(t, `return {"error-desc":"no route","status":"failed"}`, query(v))
}

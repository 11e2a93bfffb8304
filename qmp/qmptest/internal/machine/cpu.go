package machine

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

// The processor that the machine starts with, and the type of all.
const (
	cpuPath = "/machine/unattached/device[0]"
	cpuType = "qemu64-x86_64-cpu"
)

// SetPlaces limits how many processors the machine can have in all, as maxcpus does.
func (m *Machine) SetPlaces(places int) { m.places = max(places, 1) }

// bootCPU returns the processor in the first place.
func bootCPU() *device { return &device{driver: cpuType, path: cpuPath} }

// countPlaces returns how many places for processors clients can see.
func (m *Machine) countPlaces() int {
	n := max(m.places, 1)
	for _, d := range m.devices {
		if d.isProcessor() {
			n = max(n, d.place+1)
		}
	}
	return n
}

func (d *device) isProcessor() bool { return strings.HasSuffix(d.driver, "-x86_64-cpu") }

// cpuProps returns the properties that identify a place: QEMU before 6.2 prefers sockets to cores.
func (m *Machine) cpuProps(place int) *qapi.CPUInstanceProperties {
	socket, core := int64(0), int64(place)
	if !m.since("6.2") {
		socket, core = core, socket
	}
	return &qapi.CPUInstanceProperties{SocketID: &socket, CoreID: &core, ThreadID: new(int64(0))}
}

// plugCPU finds the place of a new processor.
func (m *Machine) plugCPU(d *device) error {
	if d.driver != cpuType {
		return generic("Invalid CPU type, expected cpu type: '%s'", cpuType)
	}
	last := m.cpuProps(m.places - 1)
	if m.places == 0 {
		last = &qapi.CPUInstanceProperties{SocketID: new(int64(math.MaxInt32)), CoreID: new(int64(math.MaxInt32))}
	}
	for _, id := range []struct {
		name string
		last int64
	}{{"socket-id", *last.SocketID}, {"core-id", *last.CoreID}, {"thread-id", 0}} {
		n, ok := d.props[id.name].(int64)
		switch {
		case !ok || n == -1:
			return generic("CPU %s is not set", id.name)
		case n < 0 || n > id.last:
			return generic("Invalid CPU %s: %d must be in range 0:%d", id.name, n, id.last)
		}
		d.place += int(n) // all but one are 0
	}
	if m.cpuAt(d.place) != nil {
		return generic("CPU[%d] with APIC ID %d exists", d.place, d.place)
	}
	d.thread = m.newThread() - firstThread
	return nil
}

func (m *Machine) cpuAt(place int) *device {
	i := slices.IndexFunc(m.devices, func(d *device) bool { return d.isProcessor() && d.place == place })
	if i < 0 {
		return nil
	}
	return m.devices[i]
}

// cpuPlaces returns the places for processors, the last one first.
func (m *Machine) cpuPlaces() []qapi.HotpluggableCPU {
	var all []qapi.HotpluggableCPU
	for place := range m.countPlaces() {
		p := qapi.HotpluggableCPU{Type: cpuType, VcpusCount: 1, Props: *m.cpuProps(place)}
		if d := m.cpuAt(place); d != nil {
			p.QOMPath = &d.path
		}
		all = append(all, p)
	}
	slices.Reverse(all)
	return all
}

func (m *Machine) queryCPUs() any {
	all, old := []qapi.CPUInfoFast{}, []oldCPU{}
	for place := range m.countPlaces() {
		d := m.cpuAt(place)
		if d == nil {
			continue
		}
		cpu := qapi.CPUInfoFast{
			CPUIndex: int64(place), QOMPath: d.path, ThreadID: firstThread + d.thread, Props: m.cpuProps(place),
			Target: qapi.CPUInfoFastX86_64{},
		}
		if m.since("11.1") {
			cpu.QOMType = cpuType
		}
		all = append(all, cpu)
		old = append(old, oldCPU{cpu.CPUIndex, cpu.QOMPath, cpu.ThreadID, cpu.Props, "x86_64", "x86"})
	}
	if !m.since("6.0") {
		return old
	}
	return all
}

// An oldCPU has the member arch, which was removed from the schema later.
type oldCPU struct {
	CPUIndex int64                       `json:"cpu-index"`
	QOMPath  string                      `json:"qom-path"`
	ThreadID int64                       `json:"thread-id"`
	Props    *qapi.CPUInstanceProperties `json:"props"`
	Target   string                      `json:"target"`
	Arch     string                      `json:"arch"`
}

// acpiSlots returns the places as ACPI has them. Before 11.1 the list is empty until the
// guest has shown that it knows about processors, for example by releasing one.
func (m *Machine) acpiSlots() []qapi.ACPIOSTInfo {
	all := []qapi.ACPIOSTInfo{}
	if !m.since("11.1") && len(m.ejected) == 0 {
		return all
	}
	for place := range m.countPlaces() {
		info := qapi.ACPIOSTInfo{Slot: fmt.Sprint(place), SlotType: qapi.ACPISlotTypeCPU}
		switch d := m.cpuAt(place); {
		case d != nil && d.id != "":
			info.Device = &d.id
		case d == nil && m.ejected[place]:
			info.Source = ejectRequest // with success
		}
		all = append(all, info)
	}
	return all
}

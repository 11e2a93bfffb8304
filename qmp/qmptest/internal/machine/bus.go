package machine

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/goqapi/goqapi/schema/devices/rules"
)

// A bus is what devices are plugged into.
type bus struct {
	name, typ string
	path      string
	port      bool // of a PCI Express port: it has one slot
}

// board are the buses that the machine itself has, in the order in which QEMU looks for one.
var board = []*bus{
	{name: "main-system-bus", typ: "System", path: "/machine/unattached/sysbus"},
	{name: pciBus, typ: "PCI", path: "/machine/i440fx/pci.0"},
	{name: "i2c", typ: "i2c-bus", path: "/machine/unattached/device[0]/i2c"},
	{name: "ide.1", typ: "IDE", path: "/machine/unattached/device[0]/ide.1"},
	{name: "ide.0", typ: "IDE", path: "/machine/unattached/device[0]/ide.0"},
	{name: "isa.0", typ: "ISA", path: "/machine/i440fx/isa.0"},
	{name: "floppy-bus.0", typ: "floppy-bus", path: "/machine/unattached/device[0]/floppy-bus.0"},
}

const pciBus = "pci.0"

var rootBus, cdBus = board[1], board[3]

// firstSlot is the first that the machine's own parts have left free.
const firstSlot = 2 * functions

// A provision is the buses that a device adds: how many of which type.
type provision struct {
	typ   string
	count int
	plain bool // the bus has the name of the device, without a number after it
}

// provisions are those of devices, by their models without the ending that distinguishes old and new virtio.
var provisions = sync.OnceValue(func() map[string]provision {
	all := map[string]provision{}
	provide := func(p provision, drivers string) {
		for driver := range strings.FieldsSeq(drivers) {
			all[driver] = p
		}
	}
	provide(provision{"SCSI", 1, false}, `virtio-scsi-pci vhost-scsi-pci vhost-user-scsi-pci lsi53c810 lsi53c895a megasas
		megasas-gen2 mptsas1068 pvscsi am53c974 dc390 usb-bot usb-uas`)
	provide(provision{"virtio-serial-bus", 1, false}, "virtio-serial-pci")
	provide(provision{"usb-bus", 1, false}, `qemu-xhci nec-usb-xhci usb-ehci piix3-usb-uhci piix4-usb-uhci pci-ohci
		vt82c686b-usb-uhci ich9-usb-ehci1 ich9-usb-ehci2`)
	provide(provision{"ccid-bus", 1, false}, "usb-ccid")
	provide(provision{"HDA", 1, false}, "intel-hda ich9-intel-hda")
	provide(provision{"IDE", 6, false}, "ich9-ahci")
	provide(provision{"PCI", 1, true}, `pcie-root-port ioh3420 x3130-upstream xio3130-downstream pcie-pci-bridge pci-bridge
		i82801b11-bridge pxb pxb-pcie`)
	provide(provision{"nvme-bus", 1, true}, "nvme")
	return all
})

// addOwnBuses adds the buses of a device.
func (m *Machine) addOwnBuses(d *device) {
	family, _, _ := strings.Cut(d.driver, "-transitional")
	family, _, _ = strings.Cut(family, "-non-transitional")
	p := provisions()[family]
	for n := range p.count {
		name := fmt.Sprintf("%s.%d", d.id, n)
		switch {
		case d.id == "":
			name = m.busName(strings.ToLower(p.typ))
		case p.plain:
			name = d.id
		}
		d.buses = append(d.buses, &bus{name: name, typ: p.typ, path: d.backend() + "/" + name, port: d.model != nil && d.onPort})
	}
}

// busName makes a name for a bus of a device that has no id.
func (m *Machine) busName(typ string) string {
	for n := 0; ; n++ {
		name := fmt.Sprintf("%s.%d", typ, n)
		if m.busOf(func(b *bus) bool { return b.name == name }) == nil {
			return name
		}
	}
}

// busOf returns the first bus for which is returns true, in the order in which QEMU looks for one:
// first two buses of the machine's own, then the buses of devices, the newest device first, and then the
// other buses of the machine's own.
func (m *Machine) busOf(is func(b *bus) bool) *bus {
	all := slices.Clone(board[:2])
	for _, d := range slices.Backward(m.devices) {
		for _, b := range slices.Backward(d.buses) {
			all = append(all, b)
		}
	}
	all = append(all, board[2:]...)
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i]
	}
	return nil
}

// busFor finds the bus for a new device: the one that is named, or one of its type; nil if the device
// needs none.
func (m *Machine) busFor(d *device, name string) (*bus, error) {
	if name != "" {
		return m.namedBus(d, name)
	}
	if d.Bus == "" {
		return nil, nil
	}
	b := m.busOf(func(b *bus) bool { return b.typ == d.Bus })
	switch {
	case b != nil:
		return b, nil
	case d.Bus == "virtio-bus" && m.since("11.1"): // each such bus has room for one device, and has it
		return nil, generic("A '%s' bus was found but is full", d.Bus)
	}
	return nil, generic("No '%s' bus found for device '%s'", d.Bus, d.driver)
}

func (m *Machine) namedBus(d *device, name string) (*bus, error) {
	if rest, ok := strings.CutPrefix(name, "/"); ok { // a path in the tree of buses, which is not known
		first, _, _ := strings.Cut(rest, "/")
		return nil, notFound(first)
	}
	b := m.busOf(func(b *bus) bool { return b.name == name })
	if m.q35 && (name == pciBus || name == m.rootName()) {
		b = nil
		if name == m.rootName() {
			b = rootBus
		}
	}
	switch {
	case b == nil:
		first, _, _ := strings.Cut(name, "/")
		return nil, generic("Bus '%s' not found", first)
	case b.typ != d.Bus:
		return nil, generic("Device '%s' can't go on %s bus", d.driver, b.typ)
	}
	return b, nil
}

// hotplugs reports why a device cannot be plugged in while the machine runs.
func (m *Machine) hotplugs(d *device) error {
	switch {
	case d.bus == rootBus && m.q35:
		return generic("Bus '%s' does not support hotplugging", m.rootName())
	case d.bus != nil && !rules.BusHotplugs(d.bus.typ, m.host.Release()):
		return generic("Bus '%s' does not support hotplugging", d.bus.name)
	case !rules.Hotplugs(d.driver) && d.bus == nil:
		return generic("Device '%s' can not be hotplugged on this machine", d.driver)
	case !rules.Hotplugs(d.driver):
		return generic("Device '%s' does not support hotplugging", d.driver)
	}
	return nil
}

// A slot is a place on a PCI bus: slot and function as one number.
type slot int

const (
	functions = 8      // of a slot
	slots     = 32 * 8 // of a bus, with functions
	anySlot   = -1
)

// boardSlots are those that parts of the machine itself have on the first bus.
var boardSlots = map[slot]string{0: "i440FX", 1 << 3: "PIIX3", 1<<3 | 1: "piix3-ide", 1<<3 | 3: "PIIX4_PM"}

// holder returns what has a slot: the name of its model, with its id if it has one; or "".
func (m *Machine) holder(b *bus, s slot) (driver, whole string) {
	if b.name == pciBus && boardSlots[s] != "" {
		return boardSlots[s], boardSlots[s] + ",id=(null)"
	}
	for _, d := range m.devices {
		if d.bus == b && d.slot == s {
			return d.driver, d.driver + ",id=" + d.id
		}
	}
	return "", ""
}

// place gives a device on a PCI bus its slot.
func (m *Machine) place(d *device) error {
	if d.bus == nil || d.bus.typ != "PCI" {
		return nil
	}
	d.slot = anySlot
	if at, given := d.props["addr"].(int64); given {
		d.slot = slot(at)
	}
	// The guest looks at a port's slot when function 0 is plugged in, so QEMU refuses functions that come later.
	if first, _ := m.holder(d.bus, 0); d.bus.port && first != "" && m.since("8.0") {
		return generic("PCI: slot 0 function 0 already occupied by %s, new func %s cannot be exposed to guest.", first, d.driver)
	}
	for s := slot(0); d.slot == anySlot && s < slots; s += functions {
		if first, _ := m.holder(d.bus, s); first == "" {
			d.slot = s
		}
	}
	if d.slot == anySlot {
		return generic("PCI: no slot/function available for %s, all in use or reserved", d.driver)
	}
	number, function := d.slot/functions, d.slot%functions
	if _, user := m.holder(d.bus, d.slot); user != "" {
		return generic("PCI: slot %d function %d not available for %s, in use by %s", number, function, d.driver, user)
	}
	if first, _ := m.holder(d.bus, d.slot-function); first != "" && d.hotplugged {
		return generic("PCI: slot %d function 0 already occupied by %s, new func %s cannot be exposed to guest.", number, first, d.driver)
	}
	d.props["addr"] = int64(d.slot)
	return nil
}

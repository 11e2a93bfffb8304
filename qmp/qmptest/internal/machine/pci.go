package machine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

// MakeQ35 makes the machine a q35, whose own bus is one of PCI Express: while the machine runs
// it takes devices only in its ports.
func (m *Machine) MakeQ35() { m.q35 = true }

// kind returns the type of the machine.
func (m *Machine) kind() string {
	if m.q35 {
		return "pc-q35-" + m.host.Release() + "-machine"
	}
	return "pc-i440fx-" + m.host.Release() + "-machine"
}

// rootName returns the name of the machine's own PCI bus.
func (m *Machine) rootName() string {
	if m.q35 {
		return "pcie.0"
	}
	return pciBus
}

func (d *device) onPCIBus() bool { return d.bus != nil && d.bus.typ == "PCI" }

// placeCommands returns the commands about places for devices.
func (m *Machine) placeCommands() map[string]Handler {
	return map[string]Handler{
		"query-cpus-fast":         query(m, m.queryCPUs),
		"query-hotpluggable-cpus": query(m, m.cpuPlaces),
		"query-pci":               query(m, m.queryPCI),
	}
}

// addBuses adds the PCI buses to the tree of objects.
func (m *Machine) addBuses(tree map[string][]qapi.ObjectPropertyInfo, add func(path, kind string)) {
	plugged := func(b *bus, path, kind string) {
		add(path, kind)
		for i, d := range m.devices {
			if d.bus == b {
				tree[path] = append(tree[path], qapi.ObjectPropertyInfo{Name: fmt.Sprintf("child[%d]", i), Type: "link<" + d.driver + ">"})
			}
		}
	}
	if m.q35 {
		add("/machine/q35", "q35-pcihost")
		plugged(rootBus, "/machine/q35/pcie.0", "PCIE")
	} else {
		add("/machine/i440fx", "i440FX-pcihost")
		plugged(rootBus, rootBus.path, rootBus.typ)
	}
	for _, d := range m.devices {
		for _, b := range d.buses {
			switch {
			case b.port:
				plugged(b, b.path, "PCIE")
			case b.typ == "PCI":
				plugged(b, b.path, b.typ)
			}
		}
	}
}

// A class of devices on PCI: its number and name, and those of the devices that are known of it.
type class struct {
	number            int64
	desc              string
	device, subsystem int64
}

// classes are those of common devices, by the beginnings of their types.
var classes = []struct {
	prefix string
	class
}{
	{"virtio-blk", class{0x100, "SCSI controller", 0x1001, 2}},
	{"virtio-scsi", class{0x100, "SCSI controller", 0x1004, 8}},
	{"virtio-net", class{0x200, "Ethernet controller", 0x1000, 1}},
	{"virtio-rng", class{0xff, "", 0x1005, 4}},
	{"virtio-balloon", class{0xff, "", 0x1002, 5}},
	{"e1000", class{0x200, "Ethernet controller", 0x100e, 0x1100}},
	{"nvme", class{0x108, "", 0x0010, 0x1100}},
	{"pcie-root-port", class{0x604, "PCI bridge", 0x000c, 0}},
}

func (m *Machine) queryPCI() []qapi.PCIInfo {
	list := []qapi.PCIDeviceInfo{pciPart(0, 0, class{0x600, "Host bridge", 0x1237, 0x1100})}
	if m.q35 {
		list[0].ID.Device = 0x29c0
	} else {
		ide := pciPart(1, 1, class{0x101, "IDE controller", 0x7010, 0x1100})
		ide.Regions = []qapi.PCIMemoryRegion{{Bar: 4, Type: "io", Address: -1, Size: 16}}
		power := pciPart(1, 3, class{0x680, "Bridge", 0x7113, 0x1100})
		power.IRQPin, power.IRQ = 1, new(int64(0))
		list = append(list, pciPart(1, 0, class{0x601, "ISA bridge", 0x7000, 0x1100}), ide, power)
	}
	return []qapi.PCIInfo{{Bus: 0, Devices: append(list, m.onBus(rootBus)...)}}
}

// onBus returns the devices on a PCI bus, in the order of their slots.
func (m *Machine) onBus(b *bus) (list []qapi.PCIDeviceInfo) {
	for _, d := range m.devices {
		if d.bus == b {
			list = append(list, m.pciDevice(d))
		}
	}
	slices.SortStableFunc(list, func(a, b qapi.PCIDeviceInfo) int {
		return cmp.Compare(a.Slot*functions+a.Function, b.Slot*functions+b.Function)
	})
	return list
}

// pciPart returns a device that every machine has.
func pciPart(slot, function int64, c class) qapi.PCIDeviceInfo {
	info := qapi.PCIDeviceInfo{
		Slot: slot, Function: function, Regions: []qapi.PCIMemoryRegion{},
		ClassInfo: qapi.PCIDeviceClass{Class: c.number},
		ID:        qapi.PCIDeviceID{Device: c.device, Vendor: 0x8086, Subsystem: &c.subsystem, SubsystemVendor: new(int64(0x1af4))},
	}
	if c.desc != "" {
		info.ClassInfo.Desc = &c.desc
	}
	return info
}

// virtioRegions returns the regions of a virtio device, without addresses. Which there are depends on the device.
func virtioRegions(d *device) []qapi.PCIMemoryRegion {
	if !strings.HasPrefix(d.driver, "virtio-scsi") {
		return []qapi.PCIMemoryRegion{}
	}
	return []qapi.PCIMemoryRegion{
		{Bar: 0, Type: "io", Address: -1, Size: 64},
		{Bar: 1, Type: "memory", Address: -1, Size: 4096, Prefetch: new(false), MemType64: new(false)},
		{Bar: 4, Type: "memory", Address: -1, Size: 16384, Prefetch: new(true), MemType64: new(true)},
	}
}

// pciDevice returns a device that was plugged in. The firmware has not given it addresses.
func (m *Machine) pciDevice(d *device) qapi.PCIDeviceInfo {
	c := class{number: 0xff, subsystem: 0x1100}
	for _, known := range classes {
		if strings.HasPrefix(d.driver, known.prefix) {
			c = known.class
		}
	}
	info := pciPart(int64(d.slot/functions), int64(d.slot%functions), c)
	info.QdevID, info.IRQPin, info.IRQ = d.id, 1, new(int64(0))
	if d.onPCI() {
		info.ID.Vendor = 0x1af4
		info.Regions = virtioRegions(d)
	}
	if i := slices.IndexFunc(d.buses, func(b *bus) bool { return b.typ == "PCI" }); i >= 0 {
		info.PCIBridge = &qapi.PCIBridgeInfo{Devices: m.onBus(d.buses[i])}
	}
	return info
}

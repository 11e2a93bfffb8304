package machine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/goqapi/goqapi/qapi"
	typed "github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/schema/qemu"
)

// AddPorts makes the machine a q35 that has started with these PCI Express ports, which then are the only
// places for a new device on PCI.
func (m *Machine) AddPorts(ids ...string) {
	m.ports = ids
	for i, id := range ids {
		m.devices = append(m.devices, &device{driver: "pcie-root-port", id: id, path: peripheral + id, fixed: true, slot: i + 3})
	}
}

// buses are the buses that devices need, by their types.
var buses = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	list, err := qemu.Devices("11.1")
	if err != nil {
		panic(err) // it is part of the module
	}
	for _, t := range list.Types {
		all[t.Name] = t.Bus
	}
	return all
})

// onBus is the bus that a device needs; "" if it needs none, or is not known.
func (m *Machine) onBus(driver string) string {
	if bus := buses()[driver]; bus == "PCI" || bus == "PCIE" {
		return "PCI"
	}
	return ""
}

// slots a bus has.
const pciSlots = 32

// plugPCI finds the place of a new device on PCI.
func (m *Machine) plugPCI(d *device, bus *string) error {
	if m.ports != nil {
		return m.plugPort(d, bus)
	}
	addr, given, err := addressOf(d)
	if err != nil {
		return err
	}
	if !given {
		for addr = 3; addr < pciSlots && m.inSlot(addr) != nil; addr++ {
		}
	}
	if addr == pciSlots {
		return generic("PCI: no slot/function available for %s, all in use or reserved", d.driver)
	}
	if user := m.inSlot(addr); user != nil || addr < 2 {
		return m.notFree(d, addr, user)
	}
	d.slot = addr
	return nil
}

func (m *Machine) notFree(d *device, slot int, user *device) error {
	by := "a part of the machine"
	if user != nil {
		by = fmt.Sprintf("%s,id=%s", user.driver, user.id)
	}
	return generic("PCI: slot %d function 0 not available for %s, in use by %s", slot, d.driver, by)
}

// plugPort plugs a device into a port. QEMU before 10.0 takes a second one, in a slot that no
// guest sees, unless it is told the slot.
func (m *Machine) plugPort(d *device, bus *string) error {
	name := valueOr(bus, "pcie.0")
	if name == "pcie.0" {
		return generic("Bus 'pcie.0' does not support hotplugging")
	}
	if !slices.Contains(m.ports, name) {
		return generic("Bus '%s' not found", name)
	}
	addr, given, err := addressOf(d)
	if err != nil {
		return err
	}
	if inPort := m.inPort(name); len(inPort) > 0 {
		switch {
		case m.since("10.0"):
			return generic("PCI: slot 0 function 0 already occupied by %s, new func %s cannot be exposed to guest.", inPort[0].driver, d.driver)
		case given && addr == 0:
			return m.notFree(d, 0, inPort[0])
		}
	}
	d.port = name
	return nil
}

// addressOf is the slot that a device was given.
func addressOf(d *device) (slot int, given bool, err error) {
	switch v := d.props["addr"].(type) {
	case nil:
		return 0, false, nil
	case string:
		a, err := typed.ParsePCIAddr(v)
		if err != nil {
			return 0, false, generic("Property '%s.addr' doesn't take value '%s'", d.driver, v)
		}
		return a.Slot(), true, nil
	}
	n, ok := number(d.props["addr"])
	return int(n >> 3), ok && n >= 0, nil
}

// inSlot is the device in a slot of the machine's own bus; nil if it is free.
func (m *Machine) inSlot(slot int) *device {
	i := slices.IndexFunc(m.devices, func(d *device) bool { return d.slot == slot && d.port == "" })
	if i < 0 || slot == 0 {
		return nil
	}
	return m.devices[i]
}

// inPort are the devices in a port.
func (m *Machine) inPort(port string) (all []*device) {
	for _, d := range m.devices {
		if d.port == port {
			all = append(all, d)
		}
	}
	return all
}

// kind is the type of the machine.
func (m *Machine) kind() string {
	if m.ports != nil {
		return "pc-q35-" + m.host.Release() + "-machine"
	}
	return "pc-i440fx-" + m.host.Release() + "-machine"
}

// placeCommands are what is asked about places for devices.
func (m *Machine) placeCommands() map[string]Handler {
	return map[string]Handler{
		"query-cpus-fast":         query(m, m.queryCPUs),
		"query-hotpluggable-cpus": query(m, m.cpuPlaces),
		"query-pci":               query(m, m.queryPCI),
	}
}

// addBuses adds the PCI buses to the tree of objects.
func (m *Machine) addBuses(tree map[string][]qapi.ObjectPropertyInfo, add func(path, kind string)) {
	link := func(bus string, i int, d *device) {
		tree[bus] = append(tree[bus], qapi.ObjectPropertyInfo{Name: fmt.Sprintf("child[%d]", i), Type: "link<" + d.driver + ">"})
	}
	if m.ports == nil {
		const host = "/machine/i440fx"
		add(host, "i440FX-pcihost")
		add(host+"/pci.0", "PCI")
		for i, d := range m.devices {
			if d.slot > 0 {
				link(host+"/pci.0", i, d)
			}
		}
		return
	}
	for _, port := range m.ports {
		bus := peripheral + port + "/" + port
		add(bus, "PCIE")
		for i, d := range m.inPort(port) {
			link(bus, i, d)
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
	if m.ports != nil {
		list[0].ID.Device = 0x29c0
	} else {
		ide := pciPart(1, 1, class{0x101, "IDE controller", 0x7010, 0x1100})
		ide.Regions = []qapi.PCIMemoryRegion{{Bar: 4, Type: "io", Address: -1, Size: 16}}
		power := pciPart(1, 3, class{0x680, "Bridge", 0x7113, 0x1100})
		power.IRQPin, power.IRQ = 1, new(int64(0))
		list = append(list, pciPart(1, 0, class{0x601, "ISA bridge", 0x7000, 0x1100}), ide, power)
	}
	for _, d := range m.devices {
		if d.slot > 0 {
			list = append(list, m.pciDevice(d))
		}
	}
	slices.SortStableFunc(list, func(a, b qapi.PCIDeviceInfo) int { return cmp.Compare(a.Slot, b.Slot) })
	return []qapi.PCIInfo{{Bus: 0, Devices: list}}
}

// pciPart is a part of the machine's own.
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

// virtioRegions are those of a virtio device without addresses. Which there are depends on the device.
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

// pciDevice is a device that was plugged in. The firmware has not given it addresses.
func (m *Machine) pciDevice(d *device) qapi.PCIDeviceInfo {
	c := class{number: 0xff, subsystem: 0x1100}
	for _, known := range classes {
		if strings.HasPrefix(d.driver, known.prefix) {
			c = known.class
		}
	}
	info := pciPart(int64(d.slot), 0, c)
	info.QdevID, info.IRQPin, info.IRQ = d.id, 1, new(int64(0))
	if d.onPCI() {
		info.ID.Vendor = 0x1af4
		info.Regions = virtioRegions(d)
	}
	if d.driver == "pcie-root-port" {
		info.ID = qapi.PCIDeviceID{Device: c.device, Vendor: 0x1b36}
		info.PCIBridge = &qapi.PCIBridgeInfo{}
		for _, in := range m.inPort(d.id) {
			info.PCIBridge.Devices = append(info.PCIBridge.Devices, m.pciDevice(in))
		}
	}
	return info
}

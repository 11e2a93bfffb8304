package machine

import (
	"slices"
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

// A device is plugged in.
type device struct {
	*model     // its type
	driver     string
	id         string         // "": none
	path       string         // in the tree of objects
	props      map[string]any // those that were set, as [rules.Rules.Take] has them
	bus        *bus           // nil: it is on none
	slot       slot           // on a PCI bus
	buses      []*bus         // the buses of its own
	fixed      bool           // it cannot be unplugged
	hotplugged bool           // by device_add
	node       *node          // of a drive; nil: empty
	trayOpen   bool
	readOnly   bool                  // its last medium was
	failed     bool                  // the machine has stopped for an error of the drive
	throttle   *qapi.BlockIOThrottle // of the drive; nil: it is as fast as it can

	asked  bool  // the guest was asked to release it, and has not answered
	waits  bool  // the guest is silent, and answers after SetGuest with another kind of guest
	place  int   // of a processor or a memory module
	thread int64 // of a processor, after the first of the machine's

	// Bytes of memory, of a balloon or a memory device: has is what the guest has, wanted what it
	// should have, most what a memory device can give.
	has, wanted, most int64
	polling           int64 // of a balloon: seconds between its statistics
}

const (
	peripheral     = "/machine/peripheral/"
	peripheralAnon = "/machine/peripheral-anon/"
)

func (m *Machine) deviceCommands() map[string]Handler {
	return map[string]Handler{
		"device_add":             change(m, m.deviceAdd),
		"device_del":             change(m, m.deviceDel),
		"device-list-properties": handle(m, m.deviceListProperties),
		"qom-list-properties":    handle(m, m.qomListProperties),
	}
}

func (d *device) isCD() bool { return strings.HasSuffix(d.driver, "-cd") }

func (d *device) isDisk() bool {
	return strings.HasPrefix(d.driver, "virtio-blk-") ||
		slices.Contains([]string{"ide-hd", "scsi-hd", "scsi-block", "nvme-ns", "usb-storage"}, d.driver)
}

func (d *device) isDrive() bool { return d.isCD() || d.isDisk() }

// onPCI reports whether the device is a virtio device on PCI. It has two parts: one for PCI, and
// a backend for its function.
func (d *device) onPCI() bool {
	return strings.HasPrefix(d.driver, "virtio-") && strings.Contains(d.driver, "-pci")
}

// backend returns the path of the part for the device's function.
func (d *device) backend() string {
	if d.onPCI() {
		return d.path + "/virtio-backend"
	}
	return d.path
}

// class returns the type of the part for the device's function.
func (d *device) class() string {
	if kind, _, ok := strings.Cut(d.driver, "-pci"); ok && d.onPCI() {
		return kind + "-device"
	}
	return d.driver
}

// name returns how most messages call the device.
func (d *device) name() string {
	if d.id == "" {
		return d.path
	}
	return d.id
}

// drive returns how query-block calls it.
func (d *device) drive() string {
	if d.onPCI() {
		return d.backend()
	}
	return d.name()
}

// device finds a device by its id or its path.
func (m *Machine) device(name string) *device {
	i := slices.IndexFunc(m.devices, func(d *device) bool {
		return d.path == name || d.id != "" && d.id == name
	})
	if i < 0 {
		return nil
	}
	return m.devices[i]
}

// deviceOf returns the device whose drive is a node; nil if there is none.
func (m *Machine) deviceOf(n *node) *device {
	if i := slices.IndexFunc(m.devices, func(d *device) bool { return d.node == n }); i >= 0 {
		return m.devices[i]
	}
	return nil
}

func (d *device) noValue(prop, what string) error {
	return generic("Property '%s.%s' can't find value '%s'", d.class(), prop, what)
}

func (d *device) usedValue(prop, what string) error {
	return generic("Property '%s.%s' can't take value '%s', it's in use", d.class(), prop, what)
}

// userOf returns the device that has something as a property; nil if there is none.
func (m *Machine) userOf(prop, what string) *device {
	i := slices.IndexFunc(m.devices, func(d *device) bool { return d.props[prop] == what })
	if i < 0 {
		return nil
	}
	return m.devices[i]
}

func (m *Machine) useNode(d *device, prop, name string) error {
	if d.node = m.node(name); d.node == nil {
		return d.noValue(prop, name)
	}
	return nil
}

// claim makes a device use its node, unless something else writes to the node.
func (m *Machine) claim(d *device) error {
	if d.node == nil || d.props["share-rw"] == true {
		return nil
	}
	if user := m.writer(d.node); user != nil {
		return conflict(d.node, user)
	}
	for _, e := range m.exports {
		if e.node == d.node && e.writable {
			return generic("Permission conflict on node '%s': export '%s' writes to it", d.node.name, e.id)
		}
	}
	for _, j := range m.jobs {
		if j.target == d.node && j.status != qapi.JobStatusConcluded {
			return generic("Permission conflict on node '%s': job '%s' writes to it", d.node.name, j.id)
		}
	}
	return nil
}

// writer returns a device that writes to a node, or to one below or above it; nil if
// there is none, or no node.
func (m *Machine) writer(n *node) *device {
	if n == nil {
		return nil
	}
	i := slices.IndexFunc(m.devices, func(d *device) bool {
		return d.node != nil && !d.isCD() && (d.node.holds(n) || n.holds(d.node))
	})
	if i < 0 {
		return nil
	}
	return m.devices[i]
}

func conflict(n *node, user *device) error {
	return generic("Permission conflict on node '%s': it is written to by block device '%s'", n.name, user.backend())
}

// deviceDel has a device unplugged.
func (m *Machine) deviceDel(args qapi.DeviceDelArgs, req Request) error {
	d := m.device(args.ID)
	switch {
	case d == nil && (m.tree()[args.ID] != nil || args.ID == "" && m.since("6.0")):
		return generic("%s is not a device that can be unplugged", args.ID)
	case d == nil:
		return notFound(args.ID)
	case d.fixed:
		return m.hotplugs(d)
	}
	return m.unplug(d, req)
}

func (m *Machine) remove(d *device) {
	if !slices.Contains(m.devices, d) { // another monitor was faster
		return
	}
	for _, child := range slices.Clone(m.devices) { // what is plugged into it goes first
		if child.bus != nil && slices.Contains(d.buses, child.bus) {
			m.remove(child)
		}
	}
	m.devices = slices.DeleteFunc(m.devices, func(other *device) bool { return other == d })
	if d.node != nil {
		m.dropNode(d.node)
	}
	if d.onPCI() {
		m.host.Emit(qapi.DeviceDeletedEvent{Path: d.backend()})
	}
	if d.isProcessor() {
		m.cpuReleased(d)
		return
	}
	m.host.Emit(deleted(d))
}

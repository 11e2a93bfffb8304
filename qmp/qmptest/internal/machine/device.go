package machine

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"

	"github.com/goqapi/goqapi/qapi"
)

// A device is plugged in.
type device struct {
	driver     string
	id         string // "": none
	path       string // in the tree of objects
	props      map[string]any
	fixed      bool  // it cannot be unplugged
	hotplugged bool  // by device_add
	node       *node // of a drive; nil: empty
	trayOpen   bool
	readOnly   bool                  // its last medium was
	failed     bool                  // the machine has stopped for an error of the drive
	throttle   *qapi.BlockIOThrottle // of the drive; nil: it is as fast as it can

	asked  bool   // the guest is to let go of it, and has not answered
	slot   int    // on the machine's PCI bus; 0: none
	port   string // of PCI Express, that it is in
	place  int    // of a processor or a memory module
	thread int64  // of a processor, after the first of the machine's

	// Bytes of memory that a balloon has left the guest, or that a memory device has given it,
	// that it should be, and that a memory device can give at most.
	has, wanted, most int64
	polling           int64 // seconds between its statistics
}

const (
	peripheral     = "/machine/peripheral/"
	peripheralAnon = "/machine/peripheral-anon/"
)

//go:embed devices.txt
var modelNames string

// models are the devices that a QEMU for x86-64 can have, of any release from 5.2.
var models = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for name := range strings.FieldsSeq(modelNames) {
		all[name] = true
	}
	return all
})

func (m *Machine) deviceCommands() map[string]Handler {
	return map[string]Handler{
		"device_add": change(m, m.deviceAdd),
		"device_del": change(m, m.deviceDel),
	}
}

func (d *device) isCD() bool { return strings.HasSuffix(d.driver, "-cd") }

func (d *device) isDisk() bool {
	return strings.HasPrefix(d.driver, "virtio-blk-") ||
		slices.Contains([]string{"ide-hd", "scsi-hd", "scsi-block", "nvme-ns", "usb-storage"}, d.driver)
}

func (d *device) isDrive() bool { return d.isCD() || d.isDisk() }

// onPCI reports whether it is a virtio device with a part for PCI, and one for what
// it does.
func (d *device) onPCI() bool {
	return strings.HasPrefix(d.driver, "virtio-") && strings.Contains(d.driver, "-pci")
}

// backend is the path of the part that does what the device is for.
func (d *device) backend() string {
	if d.onPCI() {
		return d.path + "/virtio-backend"
	}
	return d.path
}

// class is the type of that part.
func (d *device) class() string {
	if kind, _, ok := strings.Cut(d.driver, "-pci"); ok && d.onPCI() {
		return kind + "-device"
	}
	return d.driver
}

// name is how most messages call the device.
func (d *device) name() string {
	if d.id == "" {
		return d.path
	}
	return d.id
}

// drive is how query-block calls it.
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

// deviceOf is the device whose drive is a node; nil if there is none.
func (m *Machine) deviceOf(n *node) *device {
	if i := slices.IndexFunc(m.devices, func(d *device) bool { return d.node == n }); i >= 0 {
		return m.devices[i]
	}
	return nil
}

// deviceAdd plugs a device in. An id that is not a string counts for nothing.
func (m *Machine) deviceAdd(given options, _ Request) error {
	if m.leaving() {
		return generic("device_add not allowed while migrating")
	}
	if given["id"].Kind() != '"' {
		delete(given, "id")
	}
	var args qapi.DeviceAddArgs
	if text, err := json.Marshal(given); err != nil {
		return err
	} else if err := json.Unmarshal(text, &args); err != nil {
		return generic("%v", err)
	}
	m.beforeAdd()
	d := &device{driver: args.Driver, id: value(args.ID), props: args.Props, hotplugged: true}
	if models()[d.driver+"-pci"] { // virtio-blk is short for virtio-blk-pci
		d.driver += "-pci"
	}
	switch bus, _, _ := strings.Cut(d.driver, "-"); {
	case !models()[d.driver] && !d.isCPU():
		return generic("'%s' is not a valid device model name", d.driver)
	case bus == "ide" || bus == "isa":
		return generic("Bus '%s.0' does not support hotplugging", bus)
	case args.ID != nil && !wellFormed(d.id) && (!m.since("10.0") || m.since("11.0")):
		return generic("Invalid qdev ID '%s'", d.id)
	case d.id != "" && m.device(d.id) != nil:
		return generic("Duplicate device ID '%s'", d.id)
	}
	if d.path = peripheral + d.id; d.id == "" {
		d.path = fmt.Sprintf("%sdevice[%d]", peripheralAnon, m.made.devices)
	}
	if err := m.connect(d, args.Bus); err != nil {
		return err
	}
	if d.id == "" {
		m.made.devices++
	}
	m.devices = append(m.devices, d)
	return nil
}

// connect finds a place for a device, and what it is to use. Other properties are not
// looked at.
func (m *Machine) connect(d *device, bus *string) error {
	switch {
	case d.isCPU():
		return m.plugCPU(d)
	case d.isDIMM() || d.isVirtioMem():
		if err := m.plugMemory(d); err != nil {
			return err
		}
	}
	if m.onBus(d.driver) == "PCI" {
		if err := m.plugPCI(d, bus); err != nil {
			return err
		}
	}
	if d.isDisk() && d.props["drive"] == nil && d.driver != "nvme-ns" {
		return generic("drive property not set")
	}
	if d.isBalloon() {
		if err := m.useBalloon(d); err != nil {
			return err
		}
	}
	for _, use := range []struct {
		prop string
		find func(d *device, prop, what string) error
	}{
		{"iothread", m.useObject}, {"rng", m.useObject}, {"memdev", m.useObject},
		{"drive", m.useNode}, {"netdev", m.useNetdev}, {"chardev", m.useChardev},
	} {
		if d.props[use.prop] == nil {
			continue
		}
		what, ok := d.props[use.prop].(string)
		if !ok {
			return generic("Invalid parameter type for '%s', expected: string", use.prop)
		}
		if err := use.find(d, use.prop, what); err != nil {
			return err
		}
	}
	return nil
}

func (d *device) noValue(prop, what string) error {
	return generic("Property '%s.%s' can't find value '%s'", d.class(), prop, what)
}

func (d *device) usedValue(prop, what string) error {
	return generic("Property '%s.%s' can't take value '%s', it's in use", d.class(), prop, what)
}

// userOf is the device that has something as a property; nil if there is none.
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
	if d.props["share-rw"] == true {
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

// writer is a device that writes to a node, or to one below or above it; nil if
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

func (m *Machine) useObject(_ *device, _, id string) error {
	if m.object(id) == nil {
		return notFound(id)
	}
	return nil
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
		return generic("The bus of '%s' does not support hotplugging", d.name())
	}
	return m.unplug(d, req)
}

func (m *Machine) remove(d *device) {
	i := slices.Index(m.devices, d)
	if i < 0 { // another monitor was faster
		return
	}
	m.devices = slices.Delete(m.devices, i, i+1)
	if d.node != nil {
		m.letGo(d.node)
	}
	if d.onPCI() {
		m.host.Emit(qapi.DeviceDeletedEvent{Path: d.backend()})
	}
	if d.isCPU() {
		m.goneCPU(d)
		return
	}
	m.host.Emit(deleted(d))
}

package machine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/schema/devices"
	"github.com/goqapi/goqapi/schema/devices/rules"
)

// deviceAdd plugs a device in while the machine runs.
func (m *Machine) deviceAdd(given options, _ Request) error {
	if m.leaving() {
		return generic("device_add not allowed while migrating")
	}
	m.beforeAdd()
	return m.plug(given, true)
}

// ColdPlug gives the machine a device from the start, as -device does. members are those of device_add.
func (m *Machine) ColdPlug(members map[string]jsontext.Value) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.plug(members, false)
}

// StrictDevices makes the machine take values of properties only as QEMU 9.2 and later do.
func (m *Machine) StrictDevices() { m.strict = true }

// plug plugs a device in. It checks in the order in which QEMU checks.
func (m *Machine) plug(given options, hot bool) error {
	d, err := m.newDevice(given)
	if err != nil {
		return err
	}
	d.hotplugged = hot
	if d.bus, err = m.busFor(d, m.busNamed(given)); err != nil {
		return err
	}
	if err := m.hotplugs(d); err != nil {
		if hot {
			return err
		}
		d.fixed = true
	}
	if err := m.checkID(d, given); err != nil {
		return err
	}
	if err := m.setAll(d, given); err != nil {
		return err
	}
	if err := m.realize(d); err != nil {
		return err
	}
	if strings.HasPrefix(d.path, peripheralAnon) {
		m.made.devices++
	}
	m.devices = append(m.devices, d)
	return nil
}

// newDevice makes a device of the given type.
func (m *Machine) newDevice(given options) (*device, error) {
	driver := member[string](given, "driver")
	model := m.catalog().model(driver)
	article := "a "
	if !m.since("6.0") {
		article = ""
	}
	switch {
	case model == nil:
		return nil, generic("'%s' is not a valid device model name", driver)
	case model.Abstract:
		return nil, generic("Parameter 'driver' expects %snon-abstract device type", article)
	case model.NoUser:
		return nil, generic("Parameter 'driver' expects %spluggable device type", article)
	}
	d := &device{model: model, driver: model.Name, id: member[string](given, "id"), props: map[string]any{}, slot: anySlot}
	// If an empty id is accepted, the device has an id.
	if d.path = peripheral + d.id; given["id"].Kind() != '"' {
		d.path = fmt.Sprintf("%sdevice[%d]", peripheralAnon, m.made.devices)
	}
	return d, nil
}

// busNamed returns the bus that the members name, if any. A name that is not a string is ignored; by the
// lenient rules its text is the name.
func (m *Machine) busNamed(given options) string {
	name, ok := given["bus"]
	if !ok || name.Kind() == '"' || !m.rules().Lenient {
		return member[string](given, "bus")
	}
	text, _, _ := m.rules().Take(devices.Prop{Type: "str"}, name)
	s, _ := text.(string)
	return s
}

// checkID checks the id. One that is not a string is ignored.
func (m *Machine) checkID(d *device, given options) error {
	if given["id"].Kind() != '"' {
		return nil
	}
	switch {
	case wellFormed(d.id):
	case !m.since("9.2"):
		return badID()
	case m.since("11.0"):
		return generic("Invalid qdev ID '%s'", d.id)
	}
	if d.id != "" && m.device(d.id) != nil {
		return generic("Duplicate device ID '%s'", d.id)
	}
	return nil
}

// everyDevice are properties that all devices have, and do not list.
var everyDevice = []devices.Prop{
	{Name: "hotpluggable", Type: "bool", ReadOnly: true}, {Name: "hotplugged", Type: "bool", ReadOnly: true},
	{Name: "parent_bus", Type: "link<bus>", ReadOnly: true}, {Name: "realized", Type: "bool"}, {Name: "type", Type: "string", ReadOnly: true},
}

// property returns a property of a device, or nil.
func (d *device) property(name string) *devices.Prop {
	if i := slices.IndexFunc(everyDevice, func(p devices.Prop) bool { return p.Name == name }); i >= 0 {
		return &everyDevice[i]
	}
	return d.prop(name)
}

// rules returns the rules for values of properties.
func (m *Machine) rules() rules.Rules {
	r := m.catalog().rules
	if m.strict {
		r.Lenient, r.Old = false, false
	}
	return r
}

// setAll sets the properties of a device.
func (m *Machine) setAll(d *device, given options) error {
	r := m.rules()
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if name == "driver" || name == "id" || name == "bus" {
			continue
		}
		p := d.property(name)
		if p == nil {
			if _, taken, _ := r.Take(devices.Prop{Type: "str"}, given[name]); !taken && r.Lenient {
				continue // lenient releases drop this value, and then do not look at the name
			}
			return generic("Property '%s.%s' not found", d.driver, name)
		}
		v, taken, refusal := r.Take(*p, given[name])
		switch {
		case refusal != nil:
			return m.refuse(d, *p, given[name], refusal)
		case !taken:
		case name == "realized":
			if v == true {
				return m.host.NotExecuted("device_add with realized (which ends every QEMU)")
			}
		default:
			d.props[name] = v
		}
	}
	return nil
}

// needs are properties without which a device does not start, and QEMU's errors for that.
var needs = []struct{ driver, prop, refusal string }{
	{"usb-serial", "chardev", "Property chardev is required"},
	{"nvme", "serial", "serial property not set"},
	{"ivshmem-plain", "memdev", "You must specify a 'memdev'"},
	{"pc-dimm", "memdev", "'memdev' property is not set"},
	{"nvdimm", "memdev", "'memdev' property is not set"},
	{"virtio-mem-pci", "memdev", "'memdev' property must be set"},
	{"virtio-pmem-pci", "memdev", "'memdev' property must be set"},
	{"virtio-crypto-pci", "cryptodev", "'cryptodev' parameter expects a valid object"},
	{"virtio-input-host-pci", "evdev", "evdev property is required"},
	{"vfio-pci", "host", "No provided host device"},
	{"vhost-vsock-pci", "guest-cid", "guest-cid property must be greater than 2"},
	{"virtio-9p-pci", "fsdev", "9pfs device couldn't find fsdev with the id = NULL"},
	{"scsi-generic", "drive", "drive property not set"},
	{"scsi-block", "drive", "drive property not set"},
}

// realize makes a device start: it checks what the device uses, and its place.
func (m *Machine) realize(d *device) error {
	if err := m.find(d); err != nil {
		return err
	}
	for _, need := range needs {
		other := need.driver == "vfio-pci" && (d.props["sysfsdev"] != nil || d.props["fd"] != nil)
		if v := d.props[need.prop]; d.driver == need.driver && (v == nil || v == "") && !other {
			return generic("%s", need.refusal)
		}
	}
	if drive, _ := d.props["drive"].(string); d.isDisk() && drive == "" && d.driver != "nvme-ns" {
		return generic("drive property not set")
	}
	if err := d.checkBlocks(); err != nil {
		return err
	}
	if err := m.claim(d); err != nil {
		return err
	}
	if d.isBalloon() {
		if err := m.useBalloon(d); err != nil {
			return err
		}
	}
	switch {
	case d.isCPU:
		if err := m.plugCPU(d); err != nil {
			return err
		}
	case d.isDIMM() || d.isVirtioMem():
		if err := m.plugMemory(d); err != nil {
			return err
		}
	}
	if err := m.place(d); err != nil {
		return err
	}
	m.addOwnBuses(d)
	return nil
}

// checkBlocks refuses block sizes of a disk that do not fit each other.
func (d *device) checkBlocks() error {
	size := func(name string, absent uint64) uint64 {
		if v, _ := d.props[name].(uint64); v != 0 {
			return v
		}
		return absent
	}
	logical := size("logical_block_size", 512)
	if logical > size("physical_block_size", 512) {
		return generic("logical_block_size > physical_block_size not supported")
	}
	for _, name := range []string{"min_io_size", "opt_io_size"} {
		if size(name, 0)%logical != 0 {
			return generic("%s must be a multiple of logical_block_size", name)
		}
	}
	return nil
}

// find finds what a device uses.
func (m *Machine) find(d *device) error {
	for _, name := range slices.Sorted(maps.Keys(d.props)) {
		p := d.prop(name)
		what, _ := d.props[name].(string)
		if p == nil || !rules.Names(*p) {
			continue
		}
		var err error
		switch {
		case strings.HasPrefix(p.Type, "link<"):
			err = m.useLink(d, *p, what)
		case p.Kind == devices.KindNetdev:
			err = m.useNetdev(d, name, what)
		case p.Kind == devices.KindChardev && what != "":
			err = m.useChardev(d, name, what)
		case p.Kind == devices.KindDrive && what != "":
			err = m.useNode(d, name, what)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// useLink finds the object or the device that a property names.
func (m *Machine) useLink(d *device, p devices.Prop, name string) error {
	if name == "" {
		return nil
	}
	path, kind := m.linked(name)
	if path == "" {
		return notFound(name)
	}
	typ := strings.TrimSuffix(strings.TrimPrefix(p.Type, "link<"), ">")
	// An object's type begins as the type does that it is of: rng-builtin is an rng-backend.
	family := strings.TrimSuffix(typ, "backend")
	if kind != typ && !(family != typ && strings.HasPrefix(kind, family)) && !m.catalog().is(kind, typ) {
		return generic("Invalid parameter type for '%s', expected: %s", p.Name, typ)
	}
	d.props[p.Name] = path
	if p.Name == "memdev" && m.userOf("memdev", path) != nil {
		return generic("can't use already busy memdev: %s", strings.TrimPrefix(path, objects))
	}
	return nil
}

// linked finds what a link names, by its id or by its path.
func (m *Machine) linked(name string) (path, kind string) {
	if o := m.object(strings.TrimPrefix(name, objects)); o != nil {
		return objects + o.id, o.kind
	}
	if d := m.device(name); d != nil {
		return d.path, d.driver
	}
	if path, _, err := m.resolve(name); err == nil {
		return path, m.typeOf(path)
	}
	return "", ""
}

const objects = "/objects/"

package machine

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
)

func (m *Machine) trayCommands() map[string]Handler {
	return map[string]Handler{
		"blockdev-open-tray":     change(m, m.openTray),
		"blockdev-close-tray":    change(m, m.closeTray),
		"blockdev-insert-medium": change(m, m.insertMedium),
		"blockdev-remove-medium": change(m, m.removeMedium),
		"blockdev-change-medium": change(m, m.changeMedium),
		"eject":                  change(m, m.eject),
	}
}

// driveArgs say which drive is meant.
type driveArgs struct {
	Device *string `json:"device"` // the drive's name
	ID     *string `json:"id"`     // the device's
}

// drive finds a drive. None has a name here.
func (m *Machine) drive(args driveArgs) (*device, error) {
	if (args.Device == nil) == (args.ID == nil) {
		return nil, generic("Need exactly one of 'device' and 'id'")
	}
	if args.Device != nil {
		return nil, notFound(*args.Device)
	}
	for _, d := range m.devices {
		if d.isDrive() && (d.drive() == *args.ID || d.backend() == *args.ID) {
			return d, nil
		}
	}
	if m.device(*args.ID) == nil && m.tree()[*args.ID] == nil {
		return nil, notFound(*args.ID)
	}
	return nil, generic("Device does not have a block device backend")
}

// cdDrive finds a drive that must have a tray.
func (m *Machine) cdDrive(args driveArgs) (*device, error) {
	d, err := m.drive(args)
	if err == nil && !d.isCD() {
		err = generic("Device '%s' is not removable", d.name())
	}
	return d, err
}

// moveTray opens or closes a tray, unless it is open or closed already.
func (m *Machine) moveTray(d *device, open bool) {
	if d.trayOpen != open {
		d.trayOpen = open
		m.host.Emit(qapi.DeviceTrayMovedEvent{ID: d.name(), TrayOpen: open})
	}
}

func (m *Machine) openTray(args driveArgs, _ Request) error {
	d, err := m.cdDrive(args)
	if err == nil {
		m.moveTray(d, true)
	}
	return err
}

func (m *Machine) closeTray(args driveArgs, _ Request) error {
	d, err := m.cdDrive(args)
	if err == nil {
		m.moveTray(d, false)
	}
	return err
}

func (m *Machine) insertMedium(args qapi.BlockdevInsertMediumArgs, _ Request) error {
	d, err := m.drive(driveArgs{ID: &args.ID})
	if err != nil {
		return err
	}
	n := m.node(args.NodeName)
	switch {
	case n == nil:
		return generic("Node '%s' not found", args.NodeName)
	case m.deviceOf(n) != nil && m.deviceOf(n) != d:
		return generic("Node '%s' is already in use", n.name)
	case !d.isCD():
		return generic("Device '%s' is not removable", d.name())
	case !d.trayOpen:
		return generic("Tray of device '%s' is not open", d.name())
	case d.node != nil:
		return generic("There already is a medium in the device")
	}
	d.node, d.readOnly = n, n.readOnly
	return nil
}

func (m *Machine) removeMedium(args driveArgs, _ Request) error {
	d, err := m.cdDrive(args)
	if err != nil {
		return err
	}
	if !d.trayOpen {
		return generic("Tray of device '%s' is not open", d.name())
	}
	return m.unload(d)
}

// unload removes the medium from a drive.
func (m *Machine) unload(d *device) error {
	n := d.node
	if n == nil {
		return nil
	}
	if err := m.busy(n); err != nil {
		return err
	}
	d.node = nil
	m.dropNode(n)
	return nil
}

func (m *Machine) eject(args driveArgs, _ Request) error {
	d, err := m.cdDrive(args)
	if err != nil {
		return err
	}
	m.moveTray(d, true)
	return m.unload(d)
}

type mediumArgs struct {
	driveArgs

	Filename     string                          `json:"filename"`
	Format       *string                         `json:"format"`
	ReadOnlyMode qapi.BlockdevChangeReadOnlyMode `json:"read-only-mode"`
}

func (m *Machine) changeMedium(args mediumArgs, _ Request) error {
	d, err := m.cdDrive(args.driveArgs)
	if err != nil {
		return err
	}
	if args.Format != nil && !qapi.BlockdevDriver(*args.Format).Known() {
		return generic("Unknown driver '%s'", *args.Format)
	}
	n, err := m.open(medium(d, args))
	if err != nil {
		return err
	}
	m.moveTray(d, true)
	if err := m.unload(d); err != nil {
		m.dropNode(n)
		return err
	}
	d.node, d.readOnly = n, n.readOnly
	m.moveTray(d, false)
	return nil
}

// medium returns the options of the node that becomes the medium of a drive.
func medium(d *device, args mediumArgs) options {
	text := func(v any) jsontext.Value {
		text, _ := json.Marshal(v) // it is made of what has come as JSON
		return text
	}
	readOnly := d.readOnly
	switch args.ReadOnlyMode {
	case qapi.BlockdevChangeReadOnlyModeReadOnly:
		readOnly = true
	case qapi.BlockdevChangeReadOnlyModeReadWrite:
		readOnly = false
	}
	format := "raw"
	if args.Format != nil {
		format = *args.Format
	}
	file := options{"driver": text("file"), "filename": text(args.Filename), "read-only": text(readOnly)}
	return options{"driver": text(format), "read-only": text(readOnly), "file": text(file)}
}

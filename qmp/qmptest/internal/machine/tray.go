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

// driveOf finds the device of a drive. Drives have no names here.
func (m *Machine) driveOf(name, id *string) (*device, error) {
	if (name == nil) == (id == nil) {
		return nil, generic("Need exactly one of 'device' and 'id'")
	}
	if name != nil {
		return nil, notFound(*name)
	}
	d := m.device(*id)
	switch {
	case d == nil:
		return nil, notFound(*id)
	case !d.isDrive():
		return nil, generic("Device does not have a block device backend")
	}
	return d, nil
}

// cdOf finds a drive that must have a tray.
func (m *Machine) cdOf(name, id *string) (*device, error) {
	d, err := m.driveOf(name, id)
	if err == nil && !d.isCD() {
		err = generic("Device '%s' is not removable", d.name())
	}
	return d, err
}

// moveTray opens or closes a tray, unless that is what it is.
func (m *Machine) moveTray(d *device, open bool) {
	if d.trayOpen != open {
		d.trayOpen = open
		m.host.Emit(qapi.DeviceTrayMovedEvent{ID: d.name(), TrayOpen: open})
	}
}

func (m *Machine) openTray(args qapi.BlockdevOpenTrayArgs, _ Request) error {
	d, err := m.cdOf(args.Device, args.ID)
	if err == nil {
		m.moveTray(d, true)
	}
	return err
}

func (m *Machine) closeTray(args qapi.BlockdevCloseTrayArgs, _ Request) error {
	d, err := m.cdOf(args.Device, args.ID)
	if err == nil {
		m.moveTray(d, false)
	}
	return err
}

func (m *Machine) insertMedium(args qapi.BlockdevInsertMediumArgs, _ Request) error {
	d, err := m.driveOf(nil, &args.ID)
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

func (m *Machine) removeMedium(args qapi.BlockdevRemoveMediumArgs, _ Request) error {
	d, err := m.cdOf(nil, &args.ID)
	if err != nil {
		return err
	}
	if !d.trayOpen {
		return generic("Tray of device '%s' is not open", d.name())
	}
	return m.unload(d)
}

// unload takes out what is in a drive.
func (m *Machine) unload(d *device) error {
	n := d.node
	if n == nil {
		return nil
	}
	if err := m.busy(n); err != nil {
		return err
	}
	d.node = nil
	m.letGo(n)
	return nil
}

func (m *Machine) eject(args qapi.EjectArgs, _ Request) error {
	d, err := m.cdOf(args.Device, args.ID)
	if err != nil {
		return err
	}
	m.moveTray(d, true)
	return m.unload(d)
}

func (m *Machine) changeMedium(args qapi.BlockdevChangeMediumArgs, _ Request) error {
	d, err := m.cdOf(args.Device, args.ID)
	if err != nil {
		return err
	}
	n, err := m.open(medium(d, args))
	if err != nil {
		return err
	}
	m.moveTray(d, true)
	if err := m.unload(d); err != nil {
		m.letGo(n)
		return err
	}
	d.node, d.readOnly = n, n.readOnly
	m.moveTray(d, false)
	return nil
}

// medium are the options of the node that is to be put into a drive.
func medium(d *device, args qapi.BlockdevChangeMediumArgs) options {
	text := func(v any) jsontext.Value {
		text, _ := json.Marshal(v) // it is made of what has come as JSON
		return text
	}
	readOnly := d.readOnly
	switch value(args.ReadOnlyMode) {
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

package machine

import (
	"slices"
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

// A Guest says what the guest does when it is asked for something: to release a device, or to
// give memory back.
type Guest int

// The kinds of guests.
const (
	Obeys   Guest = iota // it does so at once
	Refuses              // it refuses
	Silent               // it does nothing, and does not answer
)

// SetGuest sets what the guest does from now on, also with earlier requests that it has not
// answered.
func (m *Machine) SetGuest(g Guest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.guest = g
	for _, d := range slices.Clone(m.devices) {
		if d.waits {
			m.answer(d, g)
		}
	}
	m.balloonMoves(g)
	m.memoryMoves(g)
}

// unplug asks the guest to release a device, or unplugs it if the guest need not be asked.
func (m *Machine) unplug(d *device, req Request) error {
	switch {
	case d.isProcessor() && !m.since("6.0"):
		return generic("acpi: device unplug request for not supported device type: %s", d.driver)
	case d.isProcessor() && d.place == 0:
		return generic("Boot CPU is unpluggable")
	case d.isVirtioMem():
		if err := m.isEmpty(d); err != nil {
			return err
		}
	}
	if !m.asksGuest(d) {
		m.after(req, func() { m.remove(d) })
		return nil
	}
	if d.asked && d.onPCIBus() && (d.bus.port || m.since("6.0") && !m.ran) {
		return generic("Device %s is already in the process of unplug", d.name())
	}
	d.asked = true
	m.asksGuestAfter(req, func(g Guest) { m.answer(d, g) })
	return nil
}

// asksGuestAfter calls f, after the reply, with the kind of guest that the machine had when the command
// came. A test may have set another kind since then, and the outcome must not depend on which was faster. The
// new kind counts only if the guest was silent.
func (m *Machine) asksGuestAfter(req Request, f func(Guest)) {
	guest := m.guest
	m.after(req, func() {
		if guest == Silent {
			guest = m.guest
		}
		f(guest)
	})
}

// asksGuest reports whether a device is unplugged by the guest: SCSI, USB and the like are not.
func (m *Machine) asksGuest(d *device) bool {
	return d.isProcessor() || d.isDIMM() || d.onPCIBus()
}

// answer does what the guest does when it is asked to release a device.
func (m *Machine) answer(d *device, guest Guest) {
	if !slices.Contains(m.devices, d) { // another monitor was faster
		return
	}
	d.waits = guest == Silent
	switch guest {
	case Obeys:
		m.remove(d)
	case Refuses:
		d.asked = false
		m.guestRefuses(d)
	}
}

// ACPI's numbers for a request to eject something, and for the answer that it is busy, which is the only
// answer that Linux gives.
const ejectRequest, ejectBusy = 3, 0x82

func (m *Machine) guestRefuses(d *device) {
	switch {
	case d.isProcessor() || d.isDIMM():
		info := qapi.ACPIOSTInfo{Device: &d.id, Source: ejectRequest, Status: ejectBusy, SlotType: qapi.ACPISlotTypeDIMM, Slot: "0"}
		if d.isProcessor() {
			info.SlotType = qapi.ACPISlotTypeCPU
		}
		m.host.Emit(qapi.ACPIDeviceOstEvent{Info: info})
	case m.since("6.2"):
		m.host.Emit(qapi.DeviceUnplugGuestErrorEvent{Device: &d.id, Path: d.path})
	}
}

// release removes devices that the guest was asked to release and did not, as a reset does on PCI.
func (m *Machine) release() {
	for _, d := range slices.Clone(m.devices) {
		if d.asked && d.onPCIBus() && (m.since("6.0") || !d.bus.port) {
			m.remove(d)
		}
	}
}

// cpuReleased handles a processor that the guest has released: the event names only a part of it. QEMU 11.1
// sends that of the processor itself at the next device_add; 7.2 has freed too much, and crashes then.
func (m *Machine) cpuReleased(d *device) {
	m.host.Emit(qapi.DeviceDeletedEvent{Path: d.path + "/lapic"})
	m.goneCPUs = append(m.goneCPUs, d)
	m.ejected[d.place] = true
}

// beforeAdd is called before a device_add. If processors are gone, 7.2 ends here, and 11.1 sends the last
// events about them.
func (m *Machine) beforeAdd() {
	gone := m.goneCPUs
	m.goneCPUs = nil
	switch {
	case len(gone) > 0 && strings.HasPrefix(m.host.Release(), "7.2"):
		m.host.Stop()
	case m.since("11.1"):
		for _, d := range gone {
			m.host.Emit(deleted(d))
		}
	}
}

// deleted returns the event for a device that is gone.
func deleted(d *device) qapi.DeviceDeletedEvent {
	e := qapi.DeviceDeletedEvent{Path: d.path}
	if d.id != "" {
		e.Device = &d.id
	}
	return e
}

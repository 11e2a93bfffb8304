package qmptest

import (
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp/qmptest/internal/machine"
)

// CPUs sets how many processors the machine can have, as maxcpus does. It starts with one; device_add
// plugs in the others, see [qapi.HotpluggableCPU.Device]. Without CPUs the machine shows one
// processor, and accepts any number.
func CPUs(places int) Option {
	return func(s *Server) { s.furnish = append(s.furnish, func(m *machine.Machine) { m.SetPlaces(places) }) }
}

// MemorySlots limits how many memory modules can be plugged in, as the option slots of -m does.
func MemorySlots(slots int) Option {
	return func(s *Server) { s.furnish = append(s.furnish, func(m *machine.Machine) { m.SetMemorySlots(slots) }) }
}

// RootPorts makes the machine a q35 with these PCI Express ports, which are pcie-root-port devices.
// A new device on PCI then needs a free port as its bus.
func RootPorts(ids ...string) Option {
	return func(s *Server) {
		s.furnish = append(s.furnish, (*machine.Machine).MakeQ35)
		for _, id := range ids {
			Plugged(qapi.DeviceAddArgs{Driver: "pcie-root-port", ID: &id})(s)
		}
	}
}

// A Guest says what the machine's guest does when it is asked to release a device on PCI, a memory
// module or a processor, or to give memory back or take it. See [Server.Guest].
type Guest int

// The kinds of guests. Those that refuse or are silent do not change the balloon and virtio-mem.
const (
	GuestObeys   = Guest(machine.Obeys)   // it does so at once; this is the guest without Server.Guest
	GuestRefuses = Guest(machine.Refuses) // it refuses, where there is an event for that
	GuestSilent  = Guest(machine.Silent)  // it does nothing
)

// Guest sets what the machine's guest does from now on. It also decides about requests that
// were made before and are not answered yet. If a silent guest was asked to release devices
// on PCI, a reset removes them, as in QEMU.
func (s *Server) Guest(g Guest) {
	s.t.Helper()
	s.withVM("Guest", func(m *machine.Machine) { m.SetGuest(machine.Guest(g)) })
}

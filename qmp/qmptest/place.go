package qmptest

import (
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp/qmptest/internal/machine"
)

// CPUs gives the machine places for that many processors, as maxcpus does; the first is taken.
// The others are plugged in by device_add, as [qapi.HotpluggableCPU.Device] has them. Without it
// there is one to be seen, but room for any.
func CPUs(places int) Option {
	return func(s *Server) { s.furnish = append(s.furnish, func(m *machine.Machine) { m.SetPlaces(places) }) }
}

// MemorySlots limits how many memory modules can be plugged in, as slots does.
func MemorySlots(slots int) Option {
	return func(s *Server) { s.furnish = append(s.furnish, func(m *machine.Machine) { m.SetMemorySlots(slots) }) }
}

// RootPorts makes the machine a q35 with these PCI Express ports: pcie-root-port devices that are
// there from the start. A new device on PCI then needs a free one as its bus.
func RootPorts(ids ...string) Option {
	return func(s *Server) {
		s.furnish = append(s.furnish, (*machine.Machine).MakeQ35)
		for _, id := range ids {
			Plugged(qapi.DeviceAddArgs{Driver: "pcie-root-port", ID: &id})(s)
		}
	}
}

// A Guest is what the machine's guest does when it is asked to let go of a device on PCI, a
// memory module or a processor, or to give back memory or take it. See [Server.Guest].
type Guest int

// The guests there are. Those that refuse or are silent leave the balloon and virtio-mem as they
// are.
const (
	GuestObeys   = Guest(machine.Obeys)   // it does so at once; so it is without Server.Guest
	GuestRefuses = Guest(machine.Refuses) // it says no, where there is an event for that
	GuestSilent  = Guest(machine.Silent)  // it does nothing
)

// Guest has the machine's guest be another from now on. What it was asked for before, and has
// not answered, it answers now. From a silent guest a reset takes away devices on PCI that it was
// asked for, as in QEMU.
func (s *Server) Guest(g Guest) { s.vm.SetGuest(machine.Guest(g)) }

package qmptest

import "github.com/goqapi/goqapi/qmp/qmptest/internal/machine"

// CPUs gives the machine places for that many processors, as maxcpus does; the first is taken.
// The others are plugged in by device_add, as [qapi.HotpluggableCPU.Device] has them.
func CPUs(places int) Option {
	return func(s *Server) { s.furnish = append(s.furnish, func(m *machine.Machine) { m.AddCPUPlaces(places) }) }
}

// MemorySlots gives the machine room for more memory, as slots and maxmem do: for that many
// modules, and any virtio-mem devices.
func MemorySlots(slots int) Option {
	return func(s *Server) { s.furnish = append(s.furnish, func(m *machine.Machine) { m.AddMemorySlots(slots) }) }
}

// RootPorts makes the machine a q35 with these PCI Express ports. A new device on PCI then needs
// a free one as its bus.
func RootPorts(ids ...string) Option {
	return func(s *Server) { s.furnish = append(s.furnish, func(m *machine.Machine) { m.AddPorts(ids...) }) }
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

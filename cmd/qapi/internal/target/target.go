// Package target finds the QEMUs of this machine, and reads the addresses that people type.
package target

import (
	"context"
	"errors"
	"runtime"
)

// A Finder finds the QEMUs of this machine.
type Finder interface {
	Find(ctx context.Context) ([]Machine, error)
}

// A Machine is a QEMU that was found, or one that an address names.
type Machine struct {
	PID     int    // of the process; 0 if it is not known
	Name    string // from -name, or the address that was typed; "" if there is none
	Program string // such as qemu-system-x86_64; "" if it is not known
	Address string // of the QMP monitor, as qmp.Dial takes it, or "libvirt:NAME"; "" if there is none
	Socket  string // of the monitor, also if libvirt owns it; "" if it is not known
	Agent   string // of the guest agent, as qga.Dial takes it; "" if it is not known
	AgentOf string // the machine whose guest agent is at the address, which then is not a monitor; otherwise ""
	Libvirt bool   // libvirt owns the monitor
	Waits   bool   // QEMU may not start before a client connects to the monitor
	Clients int    // how many clients are connected to the monitor, which serves one at a time
}

// Local returns a finder for the QEMUs of this machine.
func Local() Finder {
	if runtime.GOOS != "linux" {
		return unsupported{}
	}
	return Proc{"/proc"}
}

// ErrUnsupported is the error of a finder on systems other than Linux.
var ErrUnsupported = errors.New("running QEMUs can only be found on Linux: give an address, such as unix:/run/vm/qmp.sock")

type unsupported struct{}

func (unsupported) Find(context.Context) ([]Machine, error) { return nil, ErrUnsupported }

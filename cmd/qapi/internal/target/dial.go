package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/libvirt"
)

// Patience is how long Dial waits for a monitor that another client uses: that client may be
// a command that ends at once. Limit is how long it waits for any other monitor.
const (
	Patience = time.Second
	Limit    = 10 * time.Second
)

// A ConnectError is the error of a connection that could not be made.
type ConnectError struct {
	Machine string
	Err     error
	Context error // the error of the caller's context; nil if it had not ended
}

// ended returns the error of a context that has ended, or whose deadline has passed: a connection may
// notice the deadline before the timer of the context does.
func ended(ctx context.Context) error {
	if at, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(at) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

func (e *ConnectError) Error() string {
	text := e.Err.Error()
	op, isOp := errors.AsType[*net.OpError](e.Err)
	if reason, ok := errors.AsType[syscall.Errno](e.Err); isOp && ok {
		text = strings.Replace(text, op.Error(), reason.Error(), 1) // it repeats the address
	}
	return fmt.Sprintf("connect to %s: %s", e.Machine, text)
}
func (e *ConnectError) Unwrap() error { return e.Err }

// Dial connects to the monitor. Its errors are of the type *ConnectError.
func (m Machine) Dial(ctx context.Context, opts ...qmp.Option) (*qapi.Client, error) {
	conn, err := m.dial(ctx, opts)
	if err != nil {
		return nil, &ConnectError{m.Name, err, ended(ctx)}
	}
	return qapi.NewClient(conn), nil
}

func (m Machine) dial(ctx context.Context, opts []qmp.Option) (*qmp.Conn, error) {
	switch {
	case m.Address == "":
		return nil, errors.New("it has no QMP monitor that can be reached: start QEMU with -qmp unix:PATH,server=on,wait=off")
	case strings.HasPrefix(m.Address, "libvirt"):
		return dialLibvirt(ctx, m.Address, func(h *libvirt.Host, name string) (*qmp.Conn, error) {
			return qmp.DialFunc(ctx, h.QMP(name), opts...)
		})
	case m.AgentOf != "":
		return nil, fmt.Errorf("this is the socket of the guest agent of %s: use \"qapi agent\"", m.AgentOf)
	case m.Libvirt && m.Clients > 0:
		return nil, errors.New("libvirt holds its monitor: use libvirt:NAME")
	}
	limit := Limit
	if m.Clients > 0 {
		limit = Patience
	}
	short, cancel := context.WithTimeoutCause(ctx, limit, errSilent)
	defer cancel()
	conn, err := qmp.Dial(short, m.Address, opts...)
	if err == nil || context.Cause(short) != errSilent {
		return conn, err
	}
	if m.Clients > 0 {
		return nil, fmt.Errorf("its monitor is busy: it serves one client at a time, and another one has been connected for %v", limit)
	}
	return nil, fmt.Errorf("it accepts connections, but does not say anything for %v: is it a QMP monitor, not a guest agent (\"qapi agent\"), and is nobody else connected to it?", limit)
}

var errSilent = errors.New("no greeting")

// ErrNoAgent is the error of a machine without a guest agent that can be reached.
var ErrNoAgent = errors.New("it has no guest agent that can be reached: QEMU needs -chardev socket,id=ga,path=PATH,server=on,wait=off -device virtio-serial -device virtserialport,chardev=ga,name=" + agentPort)

// DialAgent connects to the guest agent: that of the machine, or the one whose socket was
// typed as the address. Its errors are of the type *ConnectError.
func (m Machine) DialAgent(ctx context.Context, opts ...qmp.Option) (*qga.Client, error) {
	conn, err := m.dialAgent(ctx, opts)
	if err != nil {
		return nil, &ConnectError{m.Name, err, ended(ctx)}
	}
	return qga.NewClient(conn), nil
}

func (m Machine) dialAgent(ctx context.Context, opts []qmp.Option) (*qmp.Conn, error) {
	switch {
	case strings.HasPrefix(m.Address, "libvirt"):
		return dialLibvirt(ctx, m.Address, func(h *libvirt.Host, name string) (*qmp.Conn, error) {
			return qmp.DialAgentFunc(ctx, h.Agent(name), opts...)
		})
	case m.Agent != "":
		return qmp.DialAgent(ctx, m.Agent, opts...)
	case m.PID == 0 && m.Address != "": // the address that was typed is not a known monitor
		return qmp.DialAgent(ctx, m.Address, opts...)
	}
	return nil, ErrNoAgent
}

package qmptest

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest/internal/machine"
)

// WithoutMachine makes a server without a virtual machine: it only executes the commands that every server has,
// and those for which the test calls [Handle], [Server.Reply] or [Server.Expect].
func WithoutMachine() Option { return func(s *Server) { s.noMachine = true } }

// Bare is the old name of [WithoutMachine].
//
// Deprecated: use WithoutMachine.
func Bare() Option { return WithoutMachine() }

// Incoming makes the virtual machine wait for a migration, as -incoming defer does. The
// migration comes from another server in this program. Clients give the same address to
// both: with migrate-incoming to this server, with migrate to the other one. Nothing is
// sent over a network:
//
//	to := qmptest.Start(t, qmptest.Incoming()) // a client sends it migrate-incoming unix:/m
//	from := qmptest.Start(t)                   // a client sends it migrate unix:/m
func Incoming() Option { return func(s *Server) { s.incoming = true } }

// StrictDevices makes the virtual machine take values of devices' properties as QEMU 9.2 and later
// do, in every release: a value must be of the JSON kind of the property. Without it, earlier
// releases turn texts into numbers and ignore lists, as they really do.
func StrictDevices() Option { return func(s *Server) { s.strict = true } }

// Plugged gives the virtual machine devices from the start, as -device does, such as ports for
// further devices:
//
//	qmptest.Plugged(device.PCIERootPort{ID: "rp0"})
//
// They may have types that cannot be plugged in while the machine runs. For a device with which QEMU
// would not start, [Start] fails the test, and [New] panics.
func Plugged(devices ...qapi.Device) Option {
	return func(s *Server) { s.plugged = append(s.plugged, devices...) }
}

// FailMigration makes an outgoing migration of the virtual machine fail for this reason: the one that
// is running, or otherwise the next one. It fails when it begins, or at the next query-migrate. In
// postcopy it is interrupted.
func (s *Server) FailMigration(reason string) {
	s.t.Helper()
	s.withVM("FailMigration", func(m *machine.Machine) { m.FailMigration(reason) })
}

// DirtyMemory makes the guest change so many bytes of its memory each second, so that a migration
// with a speed limit (max-bandwidth) takes several passes, or never ends.
func (s *Server) DirtyMemory(bytesPerSecond int64) {
	s.t.Helper()
	s.withVM("DirtyMemory", func(m *machine.Machine) { m.DirtyMemory(bytesPerSecond) })
}

// withVM calls f with the server's virtual machine. A server without one fails the test.
func (s *Server) withVM(method string, f func(*machine.Machine)) {
	s.t.Helper()
	if s.vm == nil {
		_ = s.fail("%s: this server has no virtual machine", method)
		return
	}
	f(s.vm)
}

// machineHandlers returns the commands of the server's virtual machine.
func (s *Server) machineHandlers() (map[string]Handler, error) {
	all := map[string]Handler{}
	s.vm = machine.New(host{s})
	if s.incoming {
		s.vm.AwaitMigration()
	}
	for _, f := range s.furnish {
		f(s.vm)
	}
	if s.strict {
		s.vm.StrictDevices()
	}
	for _, device := range s.plugged {
		if err := plug(s.vm, device); err != nil {
			return nil, fmt.Errorf("Plugged: %w", err)
		}
	}
	for name, h := range s.vm.Commands() {
		all[name] = func(ctx context.Context, req *Request) (any, error) { return h(ctx, req) }
	}
	return all, nil
}

// plug gives a machine a device from the start.
func plug(vm *machine.Machine, device qapi.Device) error {
	args, err := qapi.DeviceArgs(device)
	if err != nil {
		return err
	}
	text, err := json.Marshal(args)
	if err != nil {
		return err
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(text, &members); err != nil {
		return err
	}
	err = vm.ColdPlug(members)
	if refusal, ok := errors.AsType[*qmp.Error](err); ok {
		return fmt.Errorf("%s: %s", args.Driver, refusal.Desc)
	}
	return err
}

// A host is the server as its machine sees it.
type host struct{ *Server }

// Stop ends the server.
func (h host) Stop() { h.hangUp() }

// NotExecuted fails the test.
func (h host) NotExecuted(what string) error {
	return generic(h.fail("nothing executes %s here; see Handle and Reply", what).Error())
}

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

// Bare leaves out the virtual machine: but for what every server has, no command is
// executed that the test does not [Handle], [Server.Reply] to or [Server.Expect].
func Bare() Option { return func(s *Server) { s.bare = true } }

// Incoming makes the virtual machine one that waits for another to migrate to it, as
// -incoming defer does. That is one of another server of this program, which is told to
// migrate to where migrate-incoming has this one listen; nothing is sent over a network:
//
//	to := qmptest.Start(t, qmptest.Incoming()) // is told migrate-incoming unix:/m
//	from := qmptest.Start(t)                   // is told migrate unix:/m
func Incoming() Option { return func(s *Server) { s.incoming = true } }

// StrictDevices makes the virtual machine take values of devices' properties as QEMU 9.2 and newer ones
// do, whatever release it plays: a value must be of the JSON kind that the property has. Without it
// releases before that turn texts into numbers, and drop lists, as they really do.
func StrictDevices() Option { return func(s *Server) { s.strict = true } }

// Plugged gives the virtual machine devices from the start, as -device does, such as ports to plug
// others into:
//
//	qmptest.Plugged(device.PCIERootPort{ID: "rp0"})
//
// They can be of types that cannot be plugged in while it runs. One that QEMU would not start with
// makes [Start] fail the test, and [New] panic.
func Plugged(devices ...qapi.Device) Option {
	return func(s *Server) { s.plugged = append(s.plugged, devices...) }
}

// FailMigration has the migration of the virtual machine to elsewhere that is on its way, or else
// the next one, fail for a reason of yours: when it begins, or a second later, which is at
// the next query-migrate. In postcopy that interrupts it.
func (s *Server) FailMigration(reason string) { s.vm.FailMigration(reason) }

// DirtyMemory has the guest change so many bytes of its memory each second, so that a migration
// with a limit of speed (max-bandwidth) takes several passes, or never ends.
func (s *Server) DirtyMemory(bytesPerSecond int64) { s.vm.DirtyMemory(bytesPerSecond) }

// machineHandlers are the commands of a virtual machine of the server's own.
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

// A host is a server as its machine sees it.
type host struct{ *Server }

// Stop ends the server.
func (h host) Stop() { h.hangUp() }

// NotExecuted fails the test.
func (h host) NotExecuted(what string) error {
	return generic(h.fail("nothing executes %s here; see Handle and Reply", what).Error())
}

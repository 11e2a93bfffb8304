package qmptest

import (
	"context"

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

// machineHandlers are the commands of a virtual machine of the server's own.
func (s *Server) machineHandlers() map[string]Handler {
	all := map[string]Handler{}
	s.vm = machine.New(host{s})
	if s.incoming {
		s.vm.AwaitMigration()
	}
	for _, f := range s.furnish {
		f(s.vm)
	}
	for name, h := range s.vm.Commands() {
		all[name] = func(ctx context.Context, req *Request) (any, error) { return h(ctx, req) }
	}
	return all
}

// A host is a server as its machine sees it.
type host struct{ *Server }

// Stop ends the server.
func (h host) Stop() { h.hangUp() }

// NotExecuted fails the test.
func (h host) NotExecuted(what string) error {
	return generic(h.fail("nothing executes %s here; see Handle and Reply", what).Error())
}

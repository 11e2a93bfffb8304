package qmptest

import (
	"net"
	"time"
)

// A Fault is something that goes wrong with a command, or with the greeting; see
// [Server.Fault] and [Server.FaultGreeting]. Some are not wrong, but unusual: a client must be able
// to deal with them.
type Fault func(*faults)

type faults struct {
	delay  time.Duration
	drop   bool
	cut    bool
	most   int // bytes of the reply that are sent before the cut
	noise  string
	strays [][]byte // replies that answer no command
	noID   bool
	once   bool
	hangUp bool
	shape
}

// Delay makes a command take longer. Later commands wait, as they do in QEMU.
func Delay(d time.Duration) Fault { return func(f *faults) { f.delay += d } }

// Drop makes the server execute a command without sending the reply.
func Drop() Fault { return func(f *faults) { f.drop = true } }

// CutReply breaks the connection after so many bytes of a reply, or after all of it if it is
// shorter.
func CutReply(bytes int) Fault { return func(f *faults) { f.cut, f.most = true, bytes } }

// Noise sends any text before a reply: garbage, or half a message.
func Noise(text string) Fault { return func(f *faults) { f.noise += text } }

// Stray sends a reply that nobody waits for before the reply, as a faulty server may do. result is
// an error, or a value that is encoded as JSON and not checked against the schema. id is the id of
// the reply; nil means that it does not have one.
func Stray(id, result any) Fault {
	return func(f *faults) { f.strays = append(f.strays, strayText(id, result)) }
}

// HangUp breaks the connection after the reply, or the greeting.
func HangUp() Fault { return func(f *faults) { f.hangUp = true } }

// Once makes the other faults happen only once, the next time.
func Once() Fault { return func(f *faults) { f.once = true } }

// NoID leaves the id out of a reply, as QEMU does in errors about a request that it could not
// parse.
func NoID() Fault { return func(f *faults) { f.noID = true } }

// Fault makes things go wrong with a command each time until heal is called. The faults
// replace earlier faults of the command. If command is "", they are for all commands that
// have no faults of their own, except those that begin a connection.
//
//	heal := srv.Fault("eject", qmptest.Delay(time.Minute), qmptest.Drop())
func (s *Server) Fault(command string, list ...Fault) (heal func()) {
	s.t.Helper()
	if command != "" {
		s.known(command)
	}
	return s.setFaults(command, list)
}

// FaultGreeting makes things go wrong with the greeting to each new client until heal is
// called, as [Server.Fault] does with a command. For example, a server that hangs up after its
// greeting, and one whose greeting is too large:
//
//	srv.FaultGreeting(qmptest.HangUp())
//	srv.FaultGreeting(qmptest.Oversize(60 << 20))
func (s *Server) FaultGreeting(list ...Fault) (heal func()) { return s.setFaults(greeting, list) }

// greeting is the name of the greeting in the map of the commands' faults.
const greeting = "the greeting"

func (s *Server) setFaults(command string, list []Fault) (heal func()) {
	f := &faults{}
	for _, each := range list {
		each(f)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[command] = f
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.faults[command] == f {
			delete(s.faults, command)
		}
	}
}

// faultsOf returns the faults of a command, which may be none.
func (s *Server) faultsOf(command string) faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults[command] == nil && !s.handshake(command) && command != greeting {
		command = ""
	}
	f := s.faults[command]
	if f == nil {
		return faults{}
	}
	if f.once {
		delete(s.faults, command)
	}
	return *f
}

// Stray immediately sends a reply that nobody waits for to all clients; see the function
// [Stray].
func (s *Server) Stray(id, result any) {
	for _, c := range s.clients() {
		c.send(strayText(id, result))
	}
}

// Leftover makes the next client get a reply that was meant for the client before it: right
// after the greeting, before the answer to its negotiation. See the function [Stray].
// With [Leftovers] this happens whenever a client leaves too early.
func (s *Server) Leftover(id, result any) { s.leave(strayText(id, result)) }

func (s *Server) leave(text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = append(s.left, text)
}

// takeLeft returns the replies that are left over for the next client, and forgets them.
func (s *Server) takeLeft() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.left
	s.left = nil
	return left
}

// Leftovers makes the server treat clients as QEMU does: if a client leaves while its command is
// executed, the next client gets the reply, between the greeting and the answer to the negotiation.
// The later commands of the client that has left are not executed.
//
//	srv := qmptest.Start(t, qmptest.Leftovers())
//	srv.Fault("query-qmp-schema", qmptest.Delay(time.Minute))
func Leftovers() Option { return func(s *Server) { s.leftovers = true } }

// Stall makes the server execute nothing for a time, like a server that waits for its disk.
// Afterwards it executes all commands that have come meanwhile, also those for which nobody waits
// any more.
func (s *Server) Stall(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stalled = time.Now().Add(d)
}

// stall returns how long the server still executes nothing.
func (s *Server) stall() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Until(s.stalled)
}

// CutAfter breaks each of the present connections after so many more bytes were sent to it, which
// may be in the middle of a message.
func (s *Server) CutAfter(bytes int) {
	for _, c := range s.clients() {
		c.out.limit(bytes)
	}
}

// SlowReader makes the server read at most so many bytes at a time, with a pause after each time.
// What clients write meanwhile has to wait.
func SlowReader(bytes int, pause time.Duration) Option {
	return func(s *Server) { s.slow = slowness{max(bytes, 1), pause} }
}

type slowness struct {
	bytes int // 0: as fast as it can
	pause time.Duration
}

// A slowConn is read slowly, until done is closed.
type slowConn struct {
	net.Conn
	slowness
	done <-chan struct{}
}

func (c *slowConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p[:min(len(p), c.bytes)])
	if err == nil {
		t := time.NewTimer(c.pause)
		defer t.Stop()
		select {
		case <-t.C:
		case <-c.done:
		}
	}
	return n, err
}

package qmptest

import (
	"net"
	"time"
)

// A Fault is something that goes wrong with a command, or with the greeting; see
// [Server.Fault] and [Server.FaultGreeting]. Some are no faults of the server, but what
// a client must be able to take.
type Fault func(*faults)

type faults struct {
	delay  time.Duration
	drop   bool
	cut    bool
	most   int // bytes of the reply that are sent before the cut
	noise  string
	strays [][]byte // replies to nothing
	noID   bool
	once   bool
	hangUp bool
	shape
}

// Delay has a command take longer. Those behind it wait, as they do in QEMU.
func Delay(d time.Duration) Fault { return func(f *faults) { f.delay += d } }

// Drop has a command executed, but not answered.
func Drop() Fault { return func(f *faults) { f.drop = true } }

// CutReply breaks the connection in the middle of a reply: behind that many bytes of
// it, at most all.
func CutReply(bytes int) Fault { return func(f *faults) { f.cut, f.most = true, bytes } }

// Noise sends any text in front of a reply: garbage, or half a message.
func Noise(text string) Fault { return func(f *faults) { f.noise += text } }

// Stray sends a reply that nobody waits for in front of the reply, as a server does
// that has lost count: a result, encoded as JSON and not held against the schema, or an
// error. id is that of the request it pretends to answer; nil leaves it out.
func Stray(id, result any) Fault {
	return func(f *faults) { f.strays = append(f.strays, strayText(id, result)) }
}

// HangUp breaks the connection after the reply, or the greeting.
func HangUp() Fault { return func(f *faults) { f.hangUp = true } }

// Once has it go wrong the next time only.
func Once() Fault { return func(f *faults) { f.once = true } }

// NoID leaves the id out of a reply, as QEMU does in its errors about what it could
// not parse.
func NoID() Fault { return func(f *faults) { f.noID = true } }

// Fault has things go wrong with a command, or with all but those that begin a
// connection if it is "", each time until heal is called. They take the place of those there were
// before.
//
//	heal := srv.Fault("eject", qmptest.Delay(time.Minute), qmptest.Drop())
func (s *Server) Fault(command string, list ...Fault) (heal func()) {
	s.t.Helper()
	if command != "" {
		s.known(command)
	}
	return s.setFaults(command, list)
}

// FaultGreeting has things go wrong with the greeting of each new client until heal is
// called, as [Server.Fault] does with a command. A server that greets and drops, and
// one whose greeting is too large:
//
//	srv.FaultGreeting(qmptest.HangUp())
//	srv.FaultGreeting(qmptest.Oversize(60 << 20))
func (s *Server) FaultGreeting(list ...Fault) (heal func()) { return s.setFaults(greeting, list) }

// greeting stands among the commands for what a server says first.
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

// faultsOf returns what goes wrong with a command; by itself that is nothing.
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

// Stray sends a reply that nobody waits for to all clients, at once; see the function
// [Stray].
func (s *Server) Stray(id, result any) {
	for _, c := range s.clients() {
		c.send(strayText(id, result))
	}
}

// Leftover has the next client get a reply that its predecessor did not wait for: right
// after the greeting, before the answer to its negotiation. See the function [Stray].
// [Leftovers] does so by itself where it happens.
func (s *Server) Leftover(id, result any) { s.leave(strayText(id, result)) }

func (s *Server) leave(text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = append(s.left, text)
}

// takeLeft takes what is left for the next client.
func (s *Server) takeLeft() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.left
	s.left = nil
	return left
}

// Leftovers does to the next client what QEMU does: if one leaves while its command is
// executed, the reply goes to the one after it, between the greeting and the answer to
// the negotiation. The commands that it sent after that one are not executed.
//
//	srv := qmptest.Start(t, qmptest.Leftovers())
//	srv.Fault("query-qmp-schema", qmptest.Delay(time.Minute))
func Leftovers() Option { return func(s *Server) { s.leftovers = true } }

// Stall has nothing executed for a time, as in a server that waits for its disk. After it
// all is executed that has come meanwhile, also what nobody waits for any more.
func (s *Server) Stall(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stalled = time.Now().Add(d)
}

// stall is how long nothing is executed.
func (s *Server) stall() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Until(s.stalled)
}

// CutAfter breaks each of the connections there are when that many more bytes have
// been sent to it, in the middle of a message or not.
func (s *Server) CutAfter(bytes int) {
	for _, c := range s.clients() {
		c.out.limit(bytes)
	}
}

// SlowReader makes the server read at most that many bytes at a time, and pause for a
// while after each time. What clients write meanwhile has to wait.
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

package qmptest

import (
	"net"
	"time"
)

// A Fault is something that goes wrong with a command; see [Server.Fault].
type Fault func(*faults)

type faults struct {
	delay time.Duration
	drop  bool
	cut   bool
	most  int // bytes of the reply that are sent before the cut
	noise string
	noID  bool
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
	f := s.faults[command]
	if f == nil && !s.handshake(command) {
		f = s.faults[""]
	}
	if f == nil {
		return faults{}
	}
	return *f
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

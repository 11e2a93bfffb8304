package qmptest

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/goqapi/goqapi/qmp"
)

// Pipe returns a client's end of a new connection, of which nobody else knows.
func (s *Server) Pipe() net.Conn {
	client, server := net.Pipe()
	s.serve(server, func() {})
	return client
}

// Dial connects to the server, or the agent, through a [Server.Pipe].
func (s *Server) Dial(ctx context.Context, opts ...qmp.Option) (*qmp.Conn, error) {
	if s.agent {
		return qmp.NewAgentConn(ctx, s.Pipe(), opts...)
	}
	return qmp.NewConn(ctx, s.Pipe(), opts...)
}

// Listen lets clients connect at an address such as unix:/tmp/qmp.sock or
// tcp:127.0.0.1:0, and returns the one to dial. As with QEMU, one client is
// served at a time; the next gets no greeting until it leaves. A comma in a path
// is doubled, as in QEMU's own arguments.
func (s *Server) Listen(addr string) (string, error) {
	network, where, ok := strings.Cut(addr, ":")
	path := strings.ReplaceAll(where, ",,", "\x00")
	switch {
	case !ok || network != "unix" && network != "tcp":
		return "", fmt.Errorf("qmptest: listen at %q: it is neither a unix: nor a tcp: address", addr)
	case strings.Contains(path, ","):
		return "", fmt.Errorf("qmptest: listen at %q: the server has no options", addr)
	}
	l, err := net.Listen(network, strings.ReplaceAll(path, "\x00", ","))
	if err != nil {
		return "", fmt.Errorf("qmptest: %w", err)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		l.Close()
		return "", fmt.Errorf("qmptest: listen at %q: %w", addr, net.ErrClosed)
	}
	s.ends = append(s.ends, l)
	s.sessions.Add(1)
	s.mu.Unlock()
	go s.accept(l)
	return network + ":" + strings.ReplaceAll(l.Addr().String(), ",", ",,"), nil
}

func (s *Server) accept(l net.Listener) {
	defer s.sessions.Done()
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		left := make(chan struct{})
		s.serve(conn, func() { close(left) })
		<-left
	}
}

// serve talks to a client until it leaves.
func (s *Server) serve(conn net.Conn, left func()) {
	c := newSession(s, conn)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		conn.Close()
		left()
		return
	}
	s.open[c] = true
	s.sessions.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.sessions.Done()
		defer left()
		c.run()
		s.mu.Lock()
		delete(s.open, c)
		last := len(s.open) == 0
		s.mu.Unlock()
		if last && s.vm != nil {
			s.vm.MonitorsLeft()
		}
	}()
}

// stopListening takes no more clients.
func (s *Server) stopListening() {
	s.mu.Lock()
	s.closed = true
	ends := s.ends
	s.ends = nil
	s.mu.Unlock()
	for _, l := range ends {
		l.Close()
	}
}

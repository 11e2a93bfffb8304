package qmptest

import (
	"context"
	"fmt"
	"net"

	"github.com/goqapi/goqapi/internal/address"
	"github.com/goqapi/goqapi/qmp"
)

// Pipe returns the client's end of a new connection.
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

// Listen lets clients connect at an address such as unix:/tmp/qmp.sock or tcp:127.0.0.1:0,
// written as for [qmp.Listen], and returns the address to dial. As with QEMU, one client is
// served at a time; the next client gets no greeting until the first has left.
func (s *Server) Listen(addr string) (string, error) {
	a, err := address.ParseStream(addr)
	if err != nil {
		return "", fmt.Errorf("qmptest: listen: %w", err)
	}
	l, err := a.Listen(context.Background())
	if err != nil {
		return "", fmt.Errorf("qmptest: %w", err)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		_ = l.Close()
		return "", fmt.Errorf("qmptest: listen at %q: %w", addr, net.ErrClosed)
	}
	s.ends = append(s.ends, l)
	s.sessions.Add(1)
	s.mu.Unlock()
	go s.accept(l)
	return l.Address().String(), nil
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

// stopListening makes the server accept no more clients.
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

// Package qmptest has a fake QEMU for tests, and for programs that want to run
// where there is none. It speaks the protocol as QEMU does: greeting,
// negotiation, replies in order, events to every monitor; what the commands do
// is up to you:
//
//	srv := qmptest.Start(t)
//	srv.Reply("query-status", qapi.StatusInfo{Status: qapi.RunStateRunning, Running: true})
//	srv.Handle("stop", func(ctx context.Context, req *qmptest.Request) (any, error) {
//		srv.Emit("STOP", nil)
//		return nil, nil
//	})
//	conn, err := srv.Dial(t.Context())
//
// Over [Server.Dial] and [Server.Pipe] it works inside testing/synctest bubbles.
package qmptest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goqapi/goqapi/qmp"
)

// A Server is a fake QEMU. Its methods may be called at any time, by any number
// of goroutines.
type Server struct {
	version  qmp.Version
	pretty   bool
	ctx      context.Context // ends with the server
	cancel   context.CancelFunc
	sessions sync.WaitGroup // and what else runs

	mu       sync.Mutex
	closed   bool
	handlers map[string]Handler
	open     map[*session]bool
	ends     []net.Listener
	calls    []Call
}

// A Handler executes a command. What it returns, encoded as JSON, is the reply;
// nil gives the empty object. An error is the reply as well: an [*qmp.Error] with
// its class and description, any other as a GenericError. ctx ends when the
// connection does.
type Handler func(ctx context.Context, req *Request) (any, error)

// An Option sets something about a server.
type Option func(*Server)

// Version sets the version that the server says it has; 11.1.0 without it.
func Version(v qmp.Version) Option { return func(s *Server) { s.version = v } }

// Pretty makes the server print its messages over several lines, as QEMU does
// with -qmp-pretty.
func Pretty() Option { return func(s *Server) { s.pretty = true } }

// New returns a server. It must be closed in the end.
func New(opts ...Option) *Server {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		version:  qmp.Version{Major: 11, Minor: 1, Package: "qmptest"},
		ctx:      ctx,
		cancel:   cancel,
		handlers: map[string]Handler{},
		open:     map[*session]bool{},
	}
	s.builtins()
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// Start returns a server that is closed when the test ends.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s := New(opts...)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("qmptest: close: %v", err)
		}
	})
	return s
}

// Handle makes h execute a command. It takes the place of what executed it
// before, built-in commands included: query-version, query-commands and quit,
// after which the server takes no more clients.
func (s *Server) Handle(command string, h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handlers[command] = h
}

// Reply scripts the replies to a command: one after the other, the last for all
// further calls. Without one it is the empty object.
func (s *Server) Reply(command string, results ...any) {
	var mu sync.Mutex
	s.Handle(command, func(context.Context, *Request) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		if len(results) == 0 {
			return nil, nil
		}
		result := results[0]
		if len(results) > 1 {
			results = results[1:]
		}
		return result, nil
	})
}

// Fail makes a command fail with an error of a class, such as GenericError.
func (s *Server) Fail(command, class, desc string) {
	s.Handle(command, func(context.Context, *Request) (any, error) {
		return nil, &qmp.Error{Command: command, Class: class, Desc: desc}
	})
}

// Emit sends an event to all clients that have negotiated. data is encoded as a
// JSON object; nil sends none. A typed event's Timestamp, if it is set, is when the
// event happened; else that is now.
func (s *Server) Emit(event string, data any) {
	text, err := eventText(event, data)
	if err != nil {
		panic(fmt.Sprintf("qmptest: event %s: %v", event, err)) // the test's own mistake
	}
	for _, c := range s.clients() {
		if c.negotiated.Load() {
			c.send(text)
		}
	}
}

// Inject sends any text to all clients, as it is: garbage, half a message, an
// error without an id, an event of your own making.
func (s *Server) Inject(text string) {
	for _, c := range s.clients() {
		c.out.write([]byte(text))
	}
}

// Cut breaks all connections, as the kernel does when QEMU is killed.
func (s *Server) Cut() {
	for _, c := range s.clients() {
		c.conn.Close()
	}
}

func (s *Server) clients() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*session
	for c := range s.open {
		list = append(list, c)
	}
	return list
}

// A Call is a command that a client issued.
type Call struct {
	Command   string
	Arguments json.RawMessage // nil: none
	OOB       bool            // issued out of band
}

func (s *Server) handler(command string) Handler {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handlers[command]
}

func (s *Server) log(call Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call)
}

// Calls returns the commands that clients have issued so far, in that order,
// without the negotiation.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Pipe returns a client's end of a new connection, of which nobody else knows.
func (s *Server) Pipe() net.Conn {
	client, server := net.Pipe()
	s.serve(server, func() {})
	return client
}

// Dial connects to the server through a [Server.Pipe].
func (s *Server) Dial(ctx context.Context, opts ...qmp.Option) (*qmp.Conn, error) {
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
		defer s.mu.Unlock()
		delete(s.open, c)
	}()
}

// Close ends the server and all connections, and waits until nothing of it runs.
// Handlers must return when their ctx ends.
func (s *Server) Close() error {
	s.stopListening()
	s.cancel()
	s.Cut()
	s.sessions.Wait()
	return nil
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

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/internal/virrpc"
)

// maxWaiting is how many bytes of events may wait to be read from a stream. Package qmp reads
// at once.
const maxWaiting = 64 << 20

// QMP returns a function for [qmp.DialFunc] that connects to the QEMU of a domain, which must
// be running. It needs the rights to write.
func (h *Host) QMP(name string) func(context.Context) (io.ReadWriteCloser, error) {
	return func(ctx context.Context) (io.ReadWriteCloser, error) {
		s, err := h.dial(ctx, name, false)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}

// Agent returns a function for [qmp.DialAgentFunc] that connects to the agent in the guest of
// a domain, which must be running and have the channel org.qemu.guest_agent.0. What it returns
// is also for [qmp.NewAgentConn].
func (h *Host) Agent(name string) func(context.Context) (io.ReadWriteCloser, error) {
	return func(ctx context.Context) (io.ReadWriteCloser, error) {
		s, err := h.dial(ctx, name, true)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}

// A stream is a connection to a monitor or an agent, for package qmp: a [qmp.Relay].
// It ends when the domain does, and when the connection to libvirt is lost.
type stream struct {
	h      *Host
	domain virrpc.Domain
	agent  bool
	token  string // begins the classes of our own errors

	ctx    context.Context // ends with the stream
	cancel context.CancelFunc

	mu          sync.Mutex
	changed     sync.Cond
	chunks      [][]byte // what was not read yet
	size        int
	greeted     bool     // events are passed on
	quitting    bool     // quit was sent, and QEMU has not refused it
	gotShutdown bool     // SHUTDOWN has come after quit was sent
	writing     bool     // a command is being executed: its reply comes before the end
	err         error    // why the stream has ended
	last        *outcome // of the last command that was sent; nil: none
}

func (h *Host) dial(ctx context.Context, name string, agent bool) (*stream, error) {
	s, err := h.newStream(ctx, name, agent)
	if err != nil {
		return nil, fmt.Errorf("libvirt: domain %s: %w", printable.String(name), err)
	}
	return s, nil
}

func (h *Host) newStream(ctx context.Context, name string, agent bool) (*stream, error) {
	ctx, cancel := h.limit(ctx)
	defer cancel()
	c, err := h.connAt(ctx, 0)
	if err != nil {
		return nil, err
	}
	stops := h.stopsSoFar()
	domain, err := lookup(ctx, c, name)
	if err != nil {
		return nil, err
	}
	if domain.ID < 0 {
		return nil, errors.New("it is not running")
	}
	s := h.streamOf(domain, agent)
	return s, h.add(s, c, stops)
}

func (h *Host) streamOf(domain virrpc.Domain, agent bool) *stream {
	s := &stream{h: h, domain: domain, agent: agent, token: newToken(), greeted: agent}
	s.changed.L = &s.mu
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

func (h *Host) stopsSoFar() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stops
}

// add registers s for the events of its domain. It fails if c, the connection on which the domain
// was looked up, is lost. stops is the value of h.stops before the lookup.
func (h *Host) add(s *stream, c *conn, stops int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return errClosed
	case h.conns[0].conn != c:
		return errors.New("the connection to libvirt was lost")
	}
	h.streams[s.domain.UUID] = append(h.streams[s.domain.UUID], s)
	if h.stops != stops { // its own domain may have stopped, and started again
		h.wait.Go(func() { h.endStopped(c, s.domain) })
	}
	if !s.agent {
		h.wait.Go(s.greet)
	}
	return nil
}

func (h *Host) remove(s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := s.domain.UUID
	list := slices.DeleteFunc(slices.Clone(h.streams[id]), func(o *stream) bool { return o == s })
	if len(list) == 0 {
		delete(h.streams, id)
	} else {
		h.streams[id] = list
	}
}

// streamsOf returns the streams of a domain.
func (h *Host) streamsOf(id virrpc.UUID) []*stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.streams[id]
}

// endStreams ends all streams.
func (h *Host) endStreams(err error) {
	h.mu.Lock()
	var all []*stream
	for _, list := range h.streams {
		all = append(all, list...)
	}
	h.mu.Unlock()
	for _, s := range all {
		s.end(err)
	}
}

// Read reads replies and events.
func (s *stream) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.chunks) == 0 {
		if s.err != nil && !s.writing {
			return 0, s.err
		}
		s.changed.Wait()
	}
	first := s.chunks[0]
	n := copy(b, first)
	s.size -= n
	if s.chunks[0] = first[n:]; n == len(first) {
		s.chunks[0] = nil
		s.chunks = s.chunks[1:]
	}
	return n, nil
}

// push appends something to what is read.
func (s *stream) push(chunk []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pushLocked(chunk)
}

func (s *stream) pushLocked(chunk []byte) {
	s.chunks = append(s.chunks, chunk)
	s.size += len(chunk)
	s.changed.Broadcast()
}

// event pushes an event, unless the stream is not greeted yet. If too much waits to be read, it
// ends the stream.
func (s *stream) event(name string, text []byte) {
	s.mu.Lock()
	s.gotShutdown = s.gotShutdown || name == shutdown
	full := s.size >= maxWaiting
	if s.greeted && s.err == nil && !full {
		s.pushLocked(text)
	}
	s.mu.Unlock()
	if full {
		s.end(errors.New("the events of the stream are not read"))
	}
}

// end ends the stream. Read returns what was pushed before, and then err. A command that waits for
// its turn fails, and can be sent on another stream.
func (s *stream) end(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.changed.Broadcast()
	s.mu.Unlock()
	s.cancel()
	s.h.remove(s)
}

// Close ends the stream. A command that was sent stays in flight until libvirt answers it.
func (s *stream) Close() error {
	s.end(io.ErrClosedPipe)
	return nil
}

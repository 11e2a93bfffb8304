package qmp

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/goqapi/goqapi/qmp/internal/hook"
	"github.com/goqapi/goqapi/qmp/internal/wire"
)

// lingerAfter is how long the reader may go on after writing has failed.
const lingerAfter = time.Second

// A session is one stream to a server and the calls on it. One goroutine, read,
// receives what the server sends; requests are written by their callers and by a
// goroutine of the writer.
//
// The state of a session decides how commands are sent, and what happens to an unexpected
// reply, which answers no command in flight:
//
//	state         begins with                     commands                              an unexpected reply
//	negotiating   the opening of the stream       only the negotiation is sent          is reported and dropped
//	unproven      the opening, if no negotiation  have numbers of this client only      is reported and dropped
//	in step       the first answer                no number for the only one in flight  ends the session
//	recovering    garbage, a lost reply           have numbers; a probe is sent         is reported and dropped
//	closed        a call of fail                  are refused                           -
//
// A session that negotiates is never unproven: the negotiation's answer is the first answer. A
// recovering session is in step again when a command that was sent after the recovery began
// has been answered. With a guest agent (agent.go), the answer to a synchronisation puts a
// session in step; after an abandoned call the session must synchronise again.
type session struct {
	*core
	rw    io.ReadWriteCloser
	relay Relay // nil: rw is not a Relay
	memo  hook.Memo
	agent *agent // nil: it is QEMU

	in   *wire.Framer // only the reader uses it
	out  writer
	done chan struct{} // closed when the session is closed

	reconnects bool // the connection may get another session after this one
	hasEvents  bool // an event of this session has been passed to the core's receivers

	starting bool // the server is being started: its greeting has no time limit

	mu       sync.Mutex
	err      error       // why the session is closed; nil while it is open
	lost     func(error) // if set, called with err when the session is closed
	linger   *time.Timer
	queue    callList     // not sent yet, in order
	urgent   callList     // out-of-band calls, not sent yet: sent first
	live     pendingCount // unfinished calls that are not abandoned, and callbacks that have not returned
	flight   inFlight
	hello    handshake
	recovery recovery
	oob      bool // out-of-band execution is, or will be, negotiated

	calls sync.Pool // finished calls, for reuse by this session only: their channels must not be shared between sessions
}

func newSession(rw io.ReadWriteCloser, c *core) *session {
	negotiates := c.opts.handshake
	s := &session{
		core:   c,
		rw:     rw,
		in:     wire.NewFramer(rw, c.opts.maxMessage),
		done:   make(chan struct{}),
		flight: newInFlight(),
		hello:  handshake{greeting: make(chan []byte, 1), greeted: !negotiates, ready: !negotiates},
		oob:    c.opts.oob && negotiates,
	}
	s.relay, s.flight.single = rw.(Relay)
	s.out.init(&s.mu, rw, s.gatherLocked, s.writeFailed)
	return s
}

// conn returns a handle on this session only.
func (s *session) conn() *Conn { return &Conn{core: s.core, session: s} }

// idle returns a channel that is closed when no call is in progress.
func (s *session) idle() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live.zero()
}

// newCallWith encodes a command with its arguments, unless they are nil, and returns a call for it.
func (c *Conn) newCallWith(ctx context.Context, command string, mode callMode, args any) (*call, error) {
	call, err := c.newCall(ctx, command, mode)
	if err != nil || args == nil {
		return call, err
	}
	if err = call.s.Arguments(command, args); err != nil {
		err = unsent(err)
		call.watch.end(err)
		return nil, err
	}
	return call, nil
}

// newCall encodes a command without arguments and returns a call for it.
func (c *Conn) newCall(ctx context.Context, command string, mode callMode) (*call, error) {
	watch := c.session.traceCall(ctx, command)
	verb := "execute"
	if c.opts.oob {
		verb = "exec-oob"
	}
	s, err := wire.Command(verb, command)
	if err != nil {
		err = unsent(err)
		watch.end(err)
		return nil, err
	}
	call := c.session.newCall(command, mode, s)
	call.watch = watch
	call.oob, call.eager, call.files = c.opts.oob, c.opts.eager, c.opts.files
	return call, nil
}

// newCall returns a call for a request that has been encoded.
func (s *session) newCall(command string, mode callMode, request *wire.Scratch) *call {
	c, _ := s.calls.Get().(*call)
	if c == nil {
		c = &call{done: make(chan struct{}, 1)}
	}
	c.command, c.mode, c.s, c.relay = command, mode, request, s.relay
	return c
}

// recycle frees a finished call whose answer nobody uses any more.
func (s *session) recycle(c *call) {
	c.s.Release()
	wire.FreeBuffer(c.buffer)
	*c = call{done: c.done}
	s.calls.Put(c)
}

// submit sends c as soon as its turn comes, or finishes it with an error.
func (s *session) submit(c *call) {
	s.mu.Lock()
	if c.then == nil {
		s.live.add()
	}
	if c.state != fresh { // abandoned before it began
		s.mu.Unlock()
		return
	}
	if err := s.refusalLocked(c); err != nil {
		c.err = fmt.Errorf("qmp: %s: %w", c.command, err)
		s.finishLocked(c)
		s.mu.Unlock()
		return
	}
	c.state = queued
	if c.mode == negotiate || c.eager {
		s.queue.pushFirst(c)
	} else {
		s.queueOf(c).push(c)
	}
	mine := s.startLocked()
	s.mu.Unlock()
	if mine {
		s.out.now()
	}
}

// refusalLocked returns why c cannot be sent, or nil.
func (s *session) refusalLocked(c *call) error {
	switch {
	case s.err != nil:
		return fmt.Errorf("%w: %w", s.err, ErrNotSent)
	case c.oob && !s.oob:
		return unsent(ErrNoOOB)
	case len(c.files) > 0:
		return unsent(filesRefused(s.rw, c))
	}
	return nil
}

// queueOf returns the queue in which c waits to be sent.
func (s *session) queueOf(c *call) *callList {
	if c.oob {
		return &s.urgent
	}
	return &s.queue
}

// startLocked gathers what can be sent, and reports whether the caller has
// to write it.
func (s *session) startLocked() bool {
	if s.out.busy && s.agent != nil {
		s.agent.held()
	}
	return s.out.start()
}

// kickLocked starts a goroutine to write what can be sent now.
func (s *session) kickLocked() {
	if (s.queue.first != nil || s.urgent.first != nil) && s.startLocked() {
		go s.out.loop()
	}
}

// gatherLocked moves requests from the queues to the writer.
func (s *session) gatherLocked() {
	for s.err == nil && s.out.hasRoom() {
		c := s.nextLocked()
		if c == nil || len(c.files) > 0 && len(s.out.out) > 0 {
			return
		}
		s.queueOf(c).remove(c)
		if len(c.files) > 0 {
			fds, err := dupFiles(c.files)
			if err != nil {
				c.err = fmt.Errorf("qmp: %s: passing files: %w", c.command, unsent(err))
				s.finishLocked(c)
				continue
			}
			s.out.fds = fds
		}
		s.sendLocked(c)
	}
}

// nextLocked returns the call to send now, or nil.
func (s *session) nextLocked() *call {
	if c := s.urgent.first; c != nil && s.hello.ready && s.flight.admits(c, s.oob) {
		return c
	}
	c := s.queue.first
	switch {
	case c == nil:
		return nil
	case !s.hello.ready && c.mode != negotiate:
		return nil
	case s.agent != nil && !s.agent.ready(c):
		return nil
	case c.mode == whole && s.flight.needsProbe():
		s.queueProbeLocked() // since the next reply counts as the answer to c, no earlier reply may still come
		c = s.queue.first
	}
	if !s.flight.admits(c, s.oob) {
		return nil
	}
	return c
}

// sendLocked appends the request of c to what the writer writes next, with a number if it needs one.
func (s *session) sendLocked(c *call) {
	numbered := s.flight.needsNumber(c, s.oob || s.recovery.on || s.relay != nil)
	s.flight.add(c, numbered, s.oob)
	c.state = sent
	if c.mode == probe {
		s.recovery.queued--
	}
	out := append(s.out.out, c.s.Buf.Bytes()...)
	if numbered {
		out = append(out, `,"id":`...)
		out = strconv.AppendInt(out, c.number, 10)
	}
	if c.mode != whole {
		out = append(out, '}')
	}
	c.end = s.out.done + int64(len(out))
	if s.agent != nil {
		out = append(out, '\n') // some agents read lines
	}
	c.traceSent(out[len(s.out.out):])
	s.out.out = out
}

// writeFailed is called when writing has failed. Reading goes on for lingerAfter: it gets
// what the server sent last, and the reason why the connection ended.
func (s *session) writeFailed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.linger = time.AfterFunc(lingerAfter, func() { s.fail(&peerError{err}) })
	}
}

// abandon ends the wait for c and returns the error of the call, which wraps why. It returns
// nil if c has already finished.
func (s *session) abandon(c *call, why error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	outcome := ErrNotSent
	switch c.state {
	case finished:
		return nil
	case fresh:
		c.state = finished
	case queued:
		outcome = fmt.Errorf("%w: %s", ErrNotSent, s.delayReasonLocked())
		s.queueOf(c).remove(c)
		c.state = finished
	case sent:
		c.state = abandoned
		s.flight.abandon()
		if s.agent != nil {
			s.agent.outOfStep()
		}
		outcome = ErrAbandoned
	}
	err := fmt.Errorf("qmp: %s: %w: %w", c.command, why, outcome)
	c.s.Release()
	c.s = nil
	if c.then != nil {
		c.then.err = err
		s.pool.add(c.then)
	} else {
		s.live.done()
	}
	s.kickLocked()
	return err
}

// delayReasonLocked returns why a command has not been sent yet.
func (s *session) delayReasonLocked() string {
	switch {
	case !s.hello.ready:
		return "the negotiation has not finished"
	case s.out.busy && s.relay == nil:
		return "the server does not read what was sent before it"
	case s.agent != nil && !s.agent.inStep():
		return "the agent has not answered earlier commands, or a synchronisation"
	}
	return fmt.Sprintf("the server has not answered the %d commands sent before it", s.flight.total)
}

// finishLocked finishes c: it wakes the caller who waits for c, or has a worker run the callback.
func (s *session) finishLocked(c *call) {
	c.state = finished
	switch {
	case c.then != nil: // live.done is called when it has run
		c.then.call = c
		s.pool.add(c.then)
	case c.mode == probe:
	default:
		s.live.done()
		c.done <- struct{}{}
	}
}

// A peerError is an error of the stream: the peer, or the network, has ended it.
type peerError struct{ error }

func (e *peerError) Unwrap() error { return e.error }

// fail closes the session because of cause; nil means that the user closed it.
func (s *session) fail(cause error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	closed := &closedError{cause: cause}
	if peer, ok := cause.(*peerError); ok {
		closed.cause, closed.byPeer = peer.error, true
	}
	s.err = closed
	if s.linger != nil {
		s.linger.Stop()
	}
	for _, q := range []*callList{&s.urgent, &s.queue} {
		for c := q.first; c != nil; c = q.first {
			q.remove(c)
			s.loseLocked(c, closed)
		}
	}
	for _, c := range s.flight.all() {
		s.loseLocked(c, closed)
	}
	s.flight, s.recovery = inFlight{}, recovery{}
	lost := s.lost
	s.mu.Unlock()

	close(s.done)
	if lost != nil {
		lost(closed)
	} else if !s.reconnects {
		s.events.end(fmt.Errorf("qmp: events: %w", closed))
	}
	if s.opts.trace != nil {
		s.opts.trace.closed(s)
	}
	switch s.rw.(type) {
	case *net.UnixConn, *net.TCPConn, quickCloser:
		s.rw.Close()
	default: // Close may block
		go s.rw.Close()
	}
}

// loseLocked finishes a call that was not finished when the session ended.
func (s *session) loseLocked(c *call, closed *closedError) {
	wasSent := c.state == sent
	switch {
	case c.state == abandoned:
		return
	case !wasSent:
		c.err = fmt.Errorf("qmp: %s: %w: %w", c.command, closed, ErrNotSent)
	case c.mode == noReply && closed.byPeer && !s.out.cut(c.end): // this is success
	default:
		c.err = fmt.Errorf("qmp: %s: %w", c.command, closed)
	}
	s.finishLocked(c)
}

// closedBy returns why the session is closed, nil while it is open.
func (s *session) closedBy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

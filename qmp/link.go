package qmp

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// lingerAfter is how long the reader may go on after writing has failed.
const lingerAfter = time.Second

// A link is one stream to a server and the calls on it. One goroutine, read,
// receives what the server sends; requests are written by their callers and by a
// goroutine of the writer.
//
// The state of a link decides how commands are sent, and what happens to an unexpected
// reply, which answers none of them:
//
//	state         begins with                     commands                              an unexpected reply
//	negotiating   the opening of the stream       only the negotiation is sent          is reported and dropped
//	unproven      the opening, if no negotiation  have unique numbers                   is reported and dropped
//	in step       the first answer                no number for the only one in flight  ends the link
//	recovering    garbage, a lost reply           have numbers; a probe is sent         is reported and dropped
//	closed        fail                            are refused                           -
//
// A link that negotiates is never unproven: the negotiation's answer is the first answer. A
// link that is recovering is in step again when a command is answered that was sent after
// the recovery began. With an agent
// (agent.go) the answer to a synchronisation puts a link in step, and an abandoned call
// puts it out of step.
type link struct {
	*core
	rw    io.ReadWriteCloser
	relay relaying // nil: rw is not a Relay
	memo  memo
	agent synchroniser // nil: it is QEMU

	in   *framer // the reader's
	out  writer
	done chan struct{} // closed when the connection is

	lasting bool // the core is used by further links after this one
	heard   bool // an event of this link has been passed on

	starting bool // the server is only being started: it greets when it is ready

	mu       sync.Mutex
	err      error       // why the link is closed
	lost     func(error) // called with err
	linger   *time.Timer
	queue    callList     // not sent yet, in order
	urgent   callList     // out-of-band calls, not sent yet: sent first
	live     pendingCount // calls that somebody waits for and that are not finished, callbacks included
	flight   inFlight
	hello    handshake
	recovery recovery
	oob      bool // out-of-band execution is, or will be, negotiated

	calls sync.Pool // finished calls, for reuse by this link only: their channels must not be shared between links
}

func newLink(rw io.ReadWriteCloser, h *core) *link {
	shake := h.opts.handshake
	l := &link{
		core:   h,
		rw:     rw,
		in:     newFramer(rw, h.opts.maxMessage),
		done:   make(chan struct{}),
		flight: newInFlight(),
		hello:  handshake{greeting: make(chan []byte, 1), greeted: !shake, ready: !shake},
		oob:    h.opts.oob && shake,
	}
	l.out.init(&l.mu, rw, l.gatherLocked, l.writeFailed)
	return l
}

// conn returns a handle on this link only.
func (l *link) conn() *Conn { return &Conn{core: l.core, link: l} }

// idle returns a channel that is closed when no call is in progress.
func (l *link) idle() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.live.zero()
}

// newCall encodes a command and returns a call for it.
func (c *Conn) newCall(ctx context.Context, command string, mode callMode, args any) (*call, error) {
	watch := c.link.traceCall(ctx, command)
	verb := "execute"
	if c.opts.oob {
		verb = "exec-oob"
	}
	s, err := encodeCommand(verb, command, args)
	if err != nil {
		err = unsent(err)
		endWatch(watch, err)
		return nil, err
	}
	call := c.link.newCall(command, mode, s)
	call.watch = watch
	call.oob, call.eager = c.opts.oob, c.opts.eager
	call.files, call.passing = c.opts.files, c.opts.passing
	return call, nil
}

// newCall returns a call for a request that has been encoded.
func (l *link) newCall(command string, mode callMode, s *scratch) *call {
	c, _ := l.calls.Get().(*call)
	if c == nil {
		c = &call{done: make(chan struct{}, 1)}
	}
	c.command, c.mode, c.s, c.relay = command, mode, s, l.relay
	return c
}

// recycle frees a finished call whose answer nobody uses any more.
func (l *link) recycle(c *call) {
	c.s.release()
	freeBuffer(c.buffer)
	*c = call{done: c.done}
	l.calls.Put(c)
}

// submit sends c as soon as its turn comes, or finishes it with an error.
func (l *link) submit(c *call) {
	l.mu.Lock()
	if c.then == nil {
		l.live.add()
	}
	if c.state != fresh { // abandoned before it began
		l.mu.Unlock()
		return
	}
	if err := l.refusalLocked(c); err != nil {
		c.err = fmt.Errorf("qmp: %s: %w", c.command, err)
		l.finishLocked(c)
		l.mu.Unlock()
		return
	}
	c.state = queued
	if c.mode == negotiate || c.eager {
		l.queue.pushFirst(c)
	} else {
		l.queueOf(c).push(c)
	}
	mine := l.startLocked()
	l.mu.Unlock()
	if mine {
		l.out.now()
	}
}

// refusalLocked returns why c cannot be sent, or nil.
func (l *link) refusalLocked(c *call) error {
	switch {
	case l.err != nil:
		return fmt.Errorf("%w: %w", l.err, ErrNotSent)
	case c.oob && !l.oob:
		return unsent(ErrNoOOB)
	case len(c.files) > 0:
		return unsent(c.passing.refused(l.rw, c))
	}
	return nil
}

// queueOf returns the queue in which c waits to be sent.
func (l *link) queueOf(c *call) *callList {
	if c.oob {
		return &l.urgent
	}
	return &l.queue
}

// startLocked gathers what can be sent, and reports whether the caller is the
// one to write it.
func (l *link) startLocked() bool {
	if l.out.busy && l.agent != nil {
		l.agent.held()
	}
	return l.out.start()
}

// kickLocked starts a goroutine to write what can be sent now.
func (l *link) kickLocked() {
	if (l.queue.first != nil || l.urgent.first != nil) && l.startLocked() {
		go l.out.loop()
	}
}

// gatherLocked moves requests from the queues to the writer.
func (l *link) gatherLocked() {
	for l.err == nil && l.out.hasRoom() {
		c := l.nextLocked()
		if c == nil || len(c.files) > 0 && len(l.out.out) > 0 {
			return
		}
		l.queueOf(c).remove(c)
		if len(c.files) > 0 {
			fds, err := c.passing.dup(c.files)
			if err != nil {
				c.err = fmt.Errorf("qmp: %s: passing files: %w", c.command, unsent(err))
				l.finishLocked(c)
				continue
			}
			l.out.fds, l.out.passing = fds, c.passing
		}
		l.sendLocked(c)
	}
}

// nextLocked returns the call to send now, or nil.
func (l *link) nextLocked() *call {
	if c := l.urgent.first; c != nil && l.hello.ready && l.flight.admits(c, l.oob) {
		return c
	}
	c := l.queue.first
	switch {
	case c == nil:
		return nil
	case !l.hello.ready && c.mode != negotiate:
		return nil
	case l.agent != nil && !l.agent.ready(c):
		return nil
	case c.mode == whole && l.flight.needsProbe():
		l.queueProbeLocked() // c has no number and takes any reply as its answer: first make sure that no other can come
		c = l.queue.first
	}
	if !l.flight.admits(c, l.oob) {
		return nil
	}
	return c
}

// sendLocked appends c to what is written, with a number if it needs one.
func (l *link) sendLocked(c *call) {
	numbered := l.flight.needsNumber(c, l.oob || l.recovery.on || l.relay != nil)
	l.flight.add(c, numbered, l.oob)
	c.state = sent
	if c.mode == probe {
		l.recovery.queued--
	}
	out := append(l.out.out, c.s.buf.Bytes()...)
	if numbered {
		out = append(out, `,"id":`...)
		out = strconv.AppendInt(out, c.number, 10)
	}
	if c.mode != whole {
		out = append(out, '}')
	}
	if l.agent != nil {
		out = append(out, '\n') // some agents read lines
	}
	c.traceSent(out[len(l.out.out):])
	l.out.out = out
}

// writeFailed is called when writing has failed. Reading goes on for lingerAfter: it gets
// what the server sent last, and the reason why the connection ended.
func (l *link) writeFailed(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.linger = time.AfterFunc(lingerAfter, func() { l.fail(&peerError{err}) })
	}
}

// abandon ends the wait for c because of why, and returns the error of the call. It returns
// nil if c has already finished.
func (l *link) abandon(c *call, why error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	outcome := ErrNotSent
	switch c.state {
	case finished:
		return nil
	case fresh:
		c.state = finished
	case queued:
		outcome = fmt.Errorf("%w: %s", ErrNotSent, l.holdupLocked())
		l.queueOf(c).remove(c)
		c.state = finished
	case sent:
		c.state = abandoned
		l.flight.abandon()
		if l.agent != nil {
			l.agent.outOfStep()
		}
		outcome = ErrAbandoned
	}
	err := fmt.Errorf("qmp: %s: %w: %w", c.command, why, outcome)
	c.s.release()
	c.s = nil
	if c.then != nil {
		c.then.err = err
		l.pool.add(c.then)
	} else {
		l.live.done()
	}
	l.kickLocked()
	return err
}

// holdupLocked returns why a command still waits to be sent.
func (l *link) holdupLocked() string {
	switch {
	case !l.hello.ready:
		return "the negotiation has not finished"
	case l.out.busy && l.relay == nil:
		return "the server does not read what was sent before it"
	case l.agent != nil && !l.agent.inStep():
		return "the agent has not answered earlier commands, or a synchronisation"
	}
	return fmt.Sprintf("the server has not answered the %d commands sent before it", l.flight.total)
}

// finishLocked finishes c: it wakes the caller who waits for it, or runs its callback.
func (l *link) finishLocked(c *call) {
	c.state = finished
	switch {
	case c.then != nil: // done when it has run
		c.then.call = c
		l.pool.add(c.then)
	case c.mode == probe:
	default:
		l.live.done()
		c.done <- struct{}{}
	}
}

// A peerError is an error of the stream: the peer, or the network, has ended it.
type peerError struct{ error }

func (e *peerError) Unwrap() error { return e.error }

// fail closes the link because of cause; nil means that the user closed it.
func (l *link) fail(cause error) {
	l.mu.Lock()
	if l.err != nil {
		l.mu.Unlock()
		return
	}
	closed := &closedError{cause: cause}
	if peer, ok := cause.(*peerError); ok {
		closed.cause, closed.byPeer = peer.error, true
	}
	l.err = closed
	if l.linger != nil {
		l.linger.Stop()
	}
	for _, q := range []*callList{&l.urgent, &l.queue} {
		for c := q.first; c != nil; c = q.first {
			q.remove(c)
			l.loseLocked(c, closed)
		}
	}
	for _, c := range l.flight.all() {
		l.loseLocked(c, closed)
	}
	l.flight, l.recovery = newInFlight(), recovery{}
	lost := l.lost
	l.mu.Unlock()

	close(l.done)
	if lost != nil {
		lost(closed)
	} else if !l.lasting {
		l.events.end(fmt.Errorf("qmp: events: %w", closed))
	}
	if l.opts.trace != nil {
		l.opts.trace.closed(l)
	}
	switch l.rw.(type) {
	case *net.UnixConn, *net.TCPConn, quickCloser:
		l.rw.Close()
	default: // Close may block
		go l.rw.Close()
	}
}

// loseLocked finishes a call that was not finished when the link ended.
func (l *link) loseLocked(c *call, closed *closedError) {
	wasSent := c.state == sent
	switch {
	case c.state == abandoned:
		return
	case !wasSent:
		c.err = fmt.Errorf("qmp: %s: %w: %w", c.command, closed, ErrNotSent)
	case c.mode == noReply && closed.byPeer: // this is success
	default:
		c.err = fmt.Errorf("qmp: %s: %w", c.command, closed)
	}
	l.finishLocked(c)
}

// closedBy returns why the link is closed, nil while it is open.
func (l *link) closedBy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

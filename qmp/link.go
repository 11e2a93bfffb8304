package qmp

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// batchSize is how many bytes of requests are gathered into one write.
	batchSize = 16 << 10
	// lingerAfter is how long the reader may go on when nothing can be written
	// any more.
	lingerAfter = time.Second
	// maxInband is how many commands QEMU takes in a row and still reads on, so as
	// to see one that is out-of-band.
	maxInband = 7
)

// A link is a connection's state, shared by all its handles.
//
// One goroutine, read, takes what the server sends. Requests are written by the
// caller who finds nobody writing, as far as that takes no waiting, else by a
// goroutine that lives as long as there is something to write.
type link struct {
	*hub
	rw    io.ReadWriteCloser
	memo  memo
	agent *agent // nil: it is QEMU

	in       *framer
	greeting chan []byte
	greeted  bool // the reader's alone
	hello    atomic.Pointer[Greeting]

	done chan struct{} // closed when the connection is

	lasting bool // the hub outlives this link
	heard   bool // it has been given an event of this link

	mu     sync.Mutex
	err    error       // why the connection is closed
	lost   func(error) // told of that
	queue  callList    // not sent yet, in order
	urgent callList    // the same, out-of-band: sent first
	ids    numbers     // sent with a number of ours
	bare   *call       // sent without one
	order  uint64      // of the last call sent
	live   tally       // calls not finished that somebody waits for, callbacks included
	unread int         // of them, sent and not answered
	fenced bool        // one of those in band has files, and QEMU out-of-band: nothing goes beside it
	inband int         // sent and not answered, whether or not somebody waits, without the out-of-band ones
	broken bool        // nothing can be written any more
	linger *time.Timer

	ready     bool   // negotiated
	regreeted bool   // the server has greeted again before it was
	oob       bool   // and that out-of-band, too
	junk      error  // what came instead of a greeting
	orphan    *call  // an answer that names no call, held for the one that gets none
	probing   bool   // a probe is queued or sent
	doubt     uint64 // not 0: until a call later than this is answered, more orphans may come

	writing bool // somebody has the right to write, and to use out
	out     []byte
	outFrom int      // where a writing goroutine begins
	outFDs  []int    // that go with the first byte of out; ours to close
	passing *passing // of outFDs
	try     *trier
	write   func() // writeOut, made once

	calls sync.Pool // of finished calls; not shared: their channels are the link's
}

func newLink(rw io.ReadWriteCloser, h *hub) *link {
	l := &link{
		hub:      h,
		rw:       rw,
		in:       newFramer(rw, h.opts.maxMessage),
		greeting: make(chan []byte, 1),
		done:     make(chan struct{}),
		try:      newTrier(rw),
		ready:    !h.opts.handshake,
		greeted:  !h.opts.handshake,
	}
	l.write = l.writeOut
	return l
}

// conn is a handle on this link and no other.
func (l *link) conn() *Conn { return &Conn{hub: l.hub, link: l} }

// idle returns a channel that is closed when nothing is outstanding.
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
		endWatch(watch, err)
		return nil, err
	}
	call := c.link.newCall(command, mode, s)
	call.watch = watch
	call.oob, call.files, call.passing = c.opts.oob, c.opts.files, c.opts.passing
	return call, nil
}

// newCall returns a call for a request that has been encoded.
func (l *link) newCall(command string, mode callMode, s *scratch) *call {
	c, _ := l.calls.Get().(*call)
	if c == nil {
		c = &call{done: make(chan struct{}, 1)}
	}
	c.command, c.mode, c.s = command, mode, s
	return c
}

// recycle takes a finished call back, whose answer nobody uses any more.
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
	l.queueOf(c).push(c)
	mine := l.startLocked()
	l.mu.Unlock()
	if mine {
		l.writeNow()
	}
}

// refusalLocked is why c cannot be sent at all.
func (l *link) refusalLocked(c *call) error {
	switch {
	case l.err != nil:
		return fmt.Errorf("%w: %w", l.err, ErrNotSent)
	case c.oob && !l.oob:
		return ErrNoOOB
	case len(c.files) > 0:
		return c.passing.refused(l, c)
	}
	return nil
}

// queueOf is where c waits to be sent.
func (l *link) queueOf(c *call) *callList {
	if c.oob {
		return &l.urgent
	}
	return &l.queue
}

// startLocked gathers what can be sent, and reports whether the caller is the
// one to write it.
func (l *link) startLocked() bool {
	if l.writing {
		if l.agent != nil {
			l.agent.held(l)
		}
		return false
	}
	if !l.gatherLocked() {
		return false
	}
	l.writing = true
	return true
}

// kickLocked has a goroutine write what can be sent now.
func (l *link) kickLocked() {
	if (l.queue.first != nil || l.urgent.first != nil) && l.startLocked() {
		go l.write()
	}
}

// gatherLocked moves requests from the queue to out, and reports whether there
// are any.
func (l *link) gatherLocked() bool {
	for len(l.out) < batchSize && l.err == nil && !l.broken {
		c := l.nextLocked()
		if c == nil || len(c.files) > 0 && len(l.out) > 0 {
			break
		}
		l.queueOf(c).remove(c)
		if len(c.files) == 0 {
			l.sendLocked(c)
			continue
		}
		fds, err := c.passing.dup(c.files)
		if err == nil {
			l.outFDs, l.passing = fds, c.passing
			l.sendLocked(c)
			break
		}
		c.err = fmt.Errorf("qmp: %s: passing files: %w", c.command, err)
		l.finishLocked(c)
	}
	return len(l.out) > 0
}

// nextLocked is the call to send now, if there is one.
func (l *link) nextLocked() *call {
	if l.urgent.first != nil { // with a number of its own, it may go at any time
		return l.urgent.first
	}
	if c := l.queue.first; c != nil && l.agentReadyLocked(c) && l.mayGoLocked(c) {
		return c
	}
	return nil
}

// mayGoLocked reports whether c can be on the wire with what is there already.
// A whole message's answer is told by its not being any other call's.
func (l *link) mayGoLocked(c *call) bool {
	if c.mode == probe {
		return true
	}
	if l.oob && (l.fenced || l.inband >= maxInband || len(c.files) > 0 && l.inband > 0) {
		return false
	}
	if l.bare != nil && l.bare.mode == whole && l.bare.state != abandoned {
		return false
	}
	if c.mode == whole {
		return l.unread == 0 && l.bare == nil && !l.probing && l.ids.get(c.taken) == nil
	}
	return true
}

// sendLocked numbers c and appends it to out. Without a number it is a good deal
// faster, as QEMU reads byte by byte; then the next reply must be its own.
func (l *link) sendLocked(c *call) {
	l.order++
	c.order, c.state = l.order, sent
	if c.mode != probe {
		l.unread++
	}
	if !c.oob {
		l.inband++
	}
	if len(c.files) > 0 {
		l.fenced = l.oob
	}
	from := len(l.out)
	l.out = append(l.out, c.s.buf.Bytes()...)
	switch {
	case c.mode == whole:
		l.bare = c
		c.traceSent(l.out[from:])
		return
	case c.mode == plain && !l.oob && l.bare == nil && l.ids.used == 0 && l.doubt == 0:
		l.bare = c
	default:
		taken := 0
		if l.bare != nil {
			taken = l.bare.taken
		}
		l.ids.add(c, taken)
		l.out = append(l.out, `,"id":`...)
		l.out = strconv.AppendInt(l.out, int64(c.number), 10)
	}
	l.out = append(l.out, '}')
	c.traceSent(l.out[from:])
}

// writeNow writes out on the goroutine of a caller, who must not have to wait.
func (l *link) writeNow() {
	if l.try == nil || l.outFDs != nil {
		go l.write()
		return
	}
	n, err := l.try.try(l.out)
	if err != nil {
		l.writeFailed(err)
		return
	}
	if n < len(l.out) {
		l.outFrom = n
		go l.write()
		return
	}
	if l.wrote() {
		go l.write()
	}
}

// writeOut writes until there is nothing left to.
func (l *link) writeOut() {
	for {
		if l.outFDs != nil {
			n, err := l.passing.write(l)
			if err != nil {
				l.writeFailed(err)
				return
			}
			l.outFrom = n
		}
		if _, err := l.rw.Write(l.out[l.outFrom:]); err != nil {
			l.writeFailed(err)
			return
		}
		if !l.wrote() {
			return
		}
	}
}

// wrote ends a write that is complete, and reports whether there is more.
func (l *link) wrote() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out, l.outFrom = l.out[:0], 0
	if cap(l.out) > 4*batchSize {
		l.out = nil
	}
	l.writing = l.gatherLocked()
	return l.writing
}

// writeFailed ends the writing for good. The reading goes on for a moment: it
// gets what the server said last, and finds out how the connection ended.
func (l *link) writeFailed(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.broken = true
		l.linger = time.AfterFunc(lingerAfter, func() { l.fail(err) })
	}
}

// abandon is for a caller who stops waiting because of why. If c is finished in
// spite of it, it returns nil.
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
		l.queueOf(c).remove(c)
		c.state = finished
	case sent:
		c.state = abandoned
		l.unread--
		l.unsyncLocked()
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

// offWireLocked is for a call that was sent and will get no other answer.
func (l *link) offWireLocked(c *call) {
	if c.number != 0 {
		l.ids.remove(c.number)
	} else {
		l.bare = nil
	}
	if !c.oob {
		l.inband--
	}
	if len(c.files) > 0 {
		l.fenced = false
	}
}

// finishLocked tells whoever waits for c that it has come to its end.
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

// fail closes the connection, because of cause or, if that is nil, on demand.
func (l *link) fail(cause error) {
	l.mu.Lock()
	if l.err != nil {
		l.mu.Unlock()
		return
	}
	l.err = &closedError{cause}
	if l.linger != nil {
		l.linger.Stop()
	}
	for _, q := range []*callList{&l.urgent, &l.queue} {
		for c := q.first; c != nil; c = q.first {
			q.remove(c)
			l.loseLocked(c)
		}
	}
	for _, c := range l.ids.calls {
		if c != nil {
			l.loseLocked(c)
		}
	}
	if l.bare != nil {
		l.loseLocked(l.bare)
	}
	l.ids, l.bare, l.orphan, l.unread, l.inband = numbers{}, nil, nil, 0, 0
	err, lost := l.err, l.lost
	l.mu.Unlock()

	close(l.done)
	if lost != nil {
		lost(err)
	} else if !l.lasting {
		l.events.end(fmt.Errorf("qmp: events: %w", err))
	}
	if l.opts.trace != nil {
		l.opts.trace.closed(l)
	}
	switch l.rw.(type) {
	case *net.UnixConn, *net.TCPConn, quickCloser:
		l.rw.Close()
	default: // may take its time
		go l.rw.Close()
	}
}

// loseLocked finishes a call that the connection's end overtook.
func (l *link) loseLocked(c *call) {
	if c.state == abandoned {
		return
	}
	wasSent := c.state == sent
	if closed := l.err.(*closedError); !(c.mode == noReply && wasSent && closed.cause != nil) {
		c.err = fmt.Errorf("qmp: %s: %w", c.command, l.err)
		if !wasSent {
			c.err = fmt.Errorf("%w: %w", c.err, ErrNotSent)
		}
	}
	l.finishLocked(c)
}

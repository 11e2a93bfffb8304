package libvirt

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/goqapi/goqapi/internal/virrpc"
)

const (
	// minPause and maxPause are how long to wait after an attempt to connect that failed.
	minPause = 100 * time.Millisecond
	maxPause = 10 * time.Second
	// connectTimeout is how long an attempt may take.
	connectTimeout = 30 * time.Second
)

// A lazyConn is a connection of a [Host] that is made when it is needed. The first one of a Host
// receives events. The fields are guarded by the Host's mutex.
type lazyConn struct {
	conn     *conn    // nil: there is none
	inFlight int      // commands that use it, or wait for it
	attempt  *attempt // in progress; nil: none
	pause    time.Duration
	since    time.Time // when conn was made, or the last attempt failed
}

// An attempt makes a connection, for all callers that wait for it.
type attempt struct {
	done chan struct{}
	conn *conn
	err  error
}

// connAt returns the connection with an index, which it makes if there is none. All callers that
// wait for the same attempt share its outcome.
func (h *Host) connAt(ctx context.Context, i int) (*conn, error) {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil, errClosed
	}
	l := &h.conns[i]
	if c := l.conn; c != nil {
		h.mu.Unlock()
		return c, nil
	}
	a := l.attempt
	if a == nil {
		a = &attempt{done: make(chan struct{})}
		l.attempt = a
		wait := time.Duration(0)
		if l.pause > 0 {
			wait = l.pause - rand.N(l.pause/2+1) - time.Since(l.since)
		}
		h.wait.Go(func() { h.connect(i, a, wait) })
	}
	h.mu.Unlock()
	select {
	case <-a.done:
		return a.conn, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("libvirt: connecting to %s: %w", h.at.text, contextError(ctx))
	}
}

// connect makes a connection after a pause.
func (h *Host) connect(i int, a *attempt, pause time.Duration) {
	defer close(a.done)
	if err := sleep(h.ctx, pause); err != nil {
		a.err = errClosed
		return
	}
	ctx, cancel := context.WithTimeoutCause(h.ctx, connectTimeout, fmt.Errorf("no answer within %v", connectTimeout))
	defer cancel()
	a.conn, a.err = h.newConnAt(ctx, i)

	h.mu.Lock()
	defer h.mu.Unlock()
	l := &h.conns[i]
	l.attempt = nil
	if a.err != nil {
		a.conn = nil
		a.err = fmt.Errorf("libvirt: connecting to %s: %w", h.at.text, a.err)
		l.pause, l.since = min(max(2*l.pause, minPause), maxPause), time.Now()
	}
}

// newConnAt makes a connection and stores it at an index.
func (h *Host) newConnAt(ctx context.Context, i int) (*conn, error) {
	rw, err := h.open(ctx)
	if err != nil {
		return nil, err
	}
	var c *conn
	c = newConn(rw, h.event, func(err error) { h.lost(i, c, err) })
	h.wait.Go(c.read)
	if err := c.begin(ctx, h.at.name(), i == 0, h.opts.keepalive); err != nil {
		c.fail(err)
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c.mu.Lock()
	err = c.err // it may be lost already: lost was called before conn was set
	c.mu.Unlock()
	if err == nil && h.closed {
		err = errClosed
		go c.fail(err)
	}
	if err != nil {
		return nil, err
	}
	l := &h.conns[i]
	l.conn, l.since = c, time.Now()
	return c, nil
}

// lost is called when a connection has ended.
func (h *Host) lost(i int, c *conn, err error) {
	h.mu.Lock()
	l := &h.conns[i]
	if l.conn != c { // it was never used
		h.mu.Unlock()
		return
	}
	l.conn = nil
	if time.Since(l.since) < maxPause { // a connection that is lost at once is not made again without a pause
		l.pause = min(max(2*l.pause, minPause), maxPause)
	} else {
		l.pause = 0
	}
	l.since = time.Now()
	follows := i == 0 && !h.closed
	if follows {
		h.interruptFeedsLocked(err) // before there is another connection with events
	}
	h.mu.Unlock()
	if follows {
		h.endStreams(err)
	}
}

// take returns a connection on which one more command may be in flight. release must be called
// when the command is answered.
func (h *Host) take(ctx context.Context) (c *conn, release func(), err error) {
	h.mu.Lock()
	i := 0
	for i < maxConns-1 && h.conns[i].inFlight >= maxPerConn {
		i++
	}
	h.conns[i].inFlight++
	h.mu.Unlock()
	release = func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.conns[i].inFlight--
	}
	if c, err = h.connAt(ctx, i); err != nil {
		release()
		return nil, nil, err
	}
	return c, release, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// event handles an event from libvirt. It is called by the goroutine that reads.
func (h *Host) event(p virrpc.Packet) {
	d := virrpc.Decoder{Buf: p.Body}
	switch {
	case p.Program == virrpc.QEMU && p.Procedure == virrpc.MonitorEvent:
		if e := d.Event(); d.Err() == nil {
			h.monitorEvent(e)
		}
	case p.Program == virrpc.Remote && p.Procedure == virrpc.DomainEventLifecycle:
		if e := d.Lifecycle(); d.Err() == nil {
			h.lifecycle(e)
		}
	}
}

package qmp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

// Reconnect has the settings for connecting again after the connection is lost; see
// [WithReconnect].
type Reconnect struct {
	// MinDelay is how long to wait before the first attempt; the wait doubles with each
	// attempt that fails, up to MaxDelay. Up to half of it is subtracted at random, so that
	// many clients do not connect at once. 0: 100 ms and 10 s. A connection that is lost
	// before it has lasted for MaxDelay counts as one more failed attempt, so that
	// a server that greets and hangs up is not dialled all the time.
	MinDelay, MaxDelay time.Duration

	// FailFast makes calls fail at once, with [ErrNotSent], while there is no
	// connection. Otherwise they wait for it as long as their context allows, and
	// those that had not been sent when it was lost are sent on the next one. Calls that
	// wait for a connection may be sent in any order.
	FailFast bool

	// RetryFirst makes the dial, too, try again until its context ends. Otherwise a dial
	// fails when its first attempt fails.
	//
	// Together with a [WithHandshakeTimeout] of a second or two it connects to a
	// QEMU 5.2 that is just starting: two of its threads may accept the connection, and
	// QEMU then hangs until it is dialled again.
	RetryFirst bool

	// GiveUp, if set, is called before each attempt: with 0 and the error that ended the
	// connection, or with the number of attempts that have failed since then and the error
	// of the last one. (With RetryFirst, the first call is for the dial's second attempt.)
	// If it returns true, the connection ends and is not made again. GiveUp must not wait for a
	// command, which in turn would wait for the next attempt, and must not be slow.
	GiveUp func(failed int, err error) bool

	// OnDisconnect and OnReconnect, if set, are called, by a worker and one at a time, when
	// the connection is lost and when it is back, in the order in which that happens. Before
	// OnDisconnect is called, every subscription has its [GapError]; events of the new
	// connection may be read before OnReconnect is called. So a program that follows a state by a
	// subscription queries the state after each GapError, and needs neither function.
	//
	// After a reconnection the server may be another one: then devices have to be plugged in,
	// and settings made, again.
	OnDisconnect func(err error)
	OnReconnect  func(c *Conn)

	// Patient is the older name of RetryFirst.
	//
	// Deprecated: use RetryFirst.
	Patient bool

	// Lost is called if OnDisconnect is nil.
	//
	// Deprecated: use OnDisconnect.
	Lost func(err error)

	// Restored is called if OnReconnect is nil.
	//
	// Deprecated: use OnReconnect.
	Restored func(c *Conn)
}

// WithReconnect makes a connection that connects and negotiates again when it is lost,
// until it is closed. It works only with functions that dial.
//
// Subscriptions and handlers stay. A subscription has a [GapError] in the place where
// events may be missing. A command is never repeated if the server may have run it:
// its error wraps [ErrClosed], without [ErrNotSent], and its caller decides.
func WithReconnect(r Reconnect) Option {
	if r.MinDelay <= 0 {
		r.MinDelay = 100 * time.Millisecond
	}
	if r.MaxDelay <= 0 {
		r.MaxDelay = 10 * time.Second
	}
	r.MaxDelay = max(r.MinDelay, r.MaxDelay)
	return func(o *options) { o.reconnect = &r }
}

// A beginFunc starts a call, and calls done when the call has ended.
type beginFunc func(ctx context.Context, now *Conn, done func(error))

// A supervisor makes a new session when one is lost.
type supervisor struct {
	Reconnect
	core      *core
	connect   func(context.Context) (io.ReadWriteCloser, error)
	as        kind
	conn      *Conn
	ctx       context.Context // is cancelled when the connection ends
	cancel    context.CancelFunc
	over      chan struct{}
	callbacks sequence // runs OnDisconnect and OnReconnect

	mu      sync.Mutex
	session *session      // the newest one, which may have ended
	failed  error         // why the last attempt to make a new session failed; nil: none has failed
	up      bool          // session can be used, as far as is known
	wasUp   bool          // session, or an earlier one, could be used
	since   time.Time     // when session became usable
	delay   time.Duration // before the next attempt
	changed chan struct{} // closed when up or err changes
	err     error         // why the connection has ended and is not made again; nil: it has not ended
	live    pendingCount
}

// withNewNames returns r with the fields that have replaced the deprecated ones.
func (r Reconnect) withNewNames() Reconnect {
	r.RetryFirst = r.RetryFirst || r.Patient
	if r.OnDisconnect == nil {
		r.OnDisconnect = r.Lost
	}
	if r.OnReconnect == nil {
		r.OnReconnect = r.Restored
	}
	return r
}

func (r Reconnect) dial(
	ctx context.Context, connect func(context.Context) (io.ReadWriteCloser, error), o options, as kind,
) (*Conn, error) {
	r = r.withNewNames()
	s := &supervisor{
		Reconnect: r, core: newCore(o), connect: connect, as: as,
		over: make(chan struct{}), changed: make(chan struct{}),
	}
	s.callbacks.pool = &s.core.pool
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.conn = &Conn{core: s.core, again: s}
	s.session = newSession(nil, s.core) // stands for the first one, until there is one
	s.session.err = &closedError{cause: errors.New("no connection has been made yet")}
	s.core.setUp(s.conn)
	err := s.attempt(ctx)
	if err != nil && r.RetryFirst {
		err = s.persist(ctx, err, 1)
	}
	if err != nil {
		s.end(err)
		return nil, err
	}
	return s.conn, nil
}

// attempt makes a session.
func (sup *supervisor) attempt(ctx context.Context) error {
	dialCtx, cancel := ctx, func() {}
	if d := sup.core.opts.handshakeTimeout; d > 0 {
		dialCtx, cancel = context.WithTimeout(ctx, d)
	}
	rw, err := sup.connect(dialCtx)
	cancel()
	if err != nil {
		return err
	}
	s := newSession(rw, sup.core)
	s.reconnects = true
	sup.as.prepare(s)
	if err := sup.as.open(s, ctx); err != nil {
		sup.missed(s)
		return err
	}
	if !sup.use(s) {
		s.fail(nil)
		return sup.endedBy()
	}
	s.mu.Lock()
	s.lost = sup.lost
	err = s.err
	s.mu.Unlock()
	if err != nil { // it was lost before anything used it
		sup.lost(err)
	}
	return nil
}

// missed marks a gap in the subscriptions after the events of a session that failed before
// it could be used.
func (sup *supervisor) missed(s *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hasEvents && s.err != nil {
		sup.core.events.interrupt(&GapError{s.err})
	}
}

// use makes s the session for calls, unless the connection has ended.
func (sup *supervisor) use(s *session) bool {
	sup.mu.Lock()
	defer sup.mu.Unlock()
	if sup.err != nil {
		return false
	}
	if sup.wasUp && sup.OnReconnect != nil {
		sup.callbacks.add(func() { sup.OnReconnect(sup.conn) })
	}
	sup.session, sup.up, sup.wasUp, sup.since = s, true, true, time.Now()
	sup.changeLocked()
	return true
}

func (sup *supervisor) changeLocked() {
	close(sup.changed)
	sup.changed = make(chan struct{})
}

// lost is called when the session has ended.
func (sup *supervisor) lost(err error) {
	sup.mu.Lock()
	defer sup.mu.Unlock()
	if sup.err != nil {
		return
	}
	sup.up, sup.failed = false, nil
	if time.Since(sup.since) >= sup.MaxDelay {
		sup.delay = 0
	}
	sup.changeLocked()
	sup.core.events.interrupt(&GapError{err})
	if sup.OnDisconnect != nil {
		sup.callbacks.add(func() { sup.OnDisconnect(err) })
	}
	go func() { _ = sup.persist(sup.ctx, err, 0) }() // if it fails, it has ended the connection
}

// persist makes attempts until there is a session. err is why there is none: the end of the
// last session, or the error of the last attempt; failed is the number of attempts that
// have failed.
func (sup *supervisor) persist(ctx context.Context, err error, failed int) error {
	for {
		delay := sup.nextDelay()
		if sup.GiveUp != nil && sup.GiveUp(failed, err) {
			sup.end(err)
			return err
		}
		timer := time.NewTimer(delay - rand.N(delay/2+1))
		select {
		case <-timer.C:
		case <-sup.ctx.Done():
			timer.Stop()
			return fmt.Errorf("qmp: %w", sup.endedBy())
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("qmp: waiting for a connection: %w; %d attempts failed, the last: %w", contextError(ctx), failed, err)
		}
		if err = sup.attempt(ctx); err == nil {
			return nil
		}
		failed++
		sup.mu.Lock()
		sup.failed = err
		over := sup.err
		sup.mu.Unlock()
		if over != nil {
			return fmt.Errorf("qmp: %w", over)
		}
	}
}

// nextDelay returns how long to wait before the next attempt.
func (sup *supervisor) nextDelay() time.Duration {
	sup.mu.Lock()
	defer sup.mu.Unlock()
	sup.delay = min(max(2*sup.delay, sup.MinDelay), sup.MaxDelay)
	return sup.delay
}

// now returns the session if it can be used. Otherwise, either err is not nil, and a call must
// fail with it; or the call waits until change is closed, and tries again.
func (sup *supervisor) now() (s *session, change <-chan struct{}, err error) {
	sup.mu.Lock()
	defer sup.mu.Unlock()
	switch {
	case sup.err != nil:
		return nil, nil, fmt.Errorf("%w: %w", sup.err, ErrNotSent)
	case sup.up:
		return sup.session, sup.changed, nil
	case sup.FailFast:
		err := fmt.Errorf("%w: %w", sup.session.closedBy(), ErrNotSent)
		if sup.failed != nil {
			err = fmt.Errorf("%w; there is no connection: %s", err, sup.failed.Error()) // for people
		}
		return nil, nil, err
	}
	return nil, sup.changed, nil
}

// wait waits for a session and returns it. It ignores one that has failed.
func (sup *supervisor) wait(ctx context.Context, command string, failed *session) (*session, error) {
	for {
		s, change, err := sup.now()
		switch {
		case err != nil:
			return nil, fmt.Errorf("qmp: %s: %w", command, err)
		case s != nil && s != failed:
			return s, nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			err := tooLate(ctx, command)
			if why := sup.absence(); why != nil { // as text only: it is not why the call ended
				err = fmt.Errorf("%w; there is no connection: %s", err, why.Error())
			}
			return nil, err
		}
	}
}

// absence returns why there is no connection: the error of the last attempt, or of the
// last connection.
func (sup *supervisor) absence() error {
	sup.mu.Lock()
	defer sup.mu.Unlock()
	if sup.failed != nil {
		return sup.failed
	}
	return sup.session.closedBy()
}

// again reports whether a call that ended with err must be made again.
func (sup *supervisor) again(err error) bool {
	return !sup.FailFast && errors.Is(err, ErrClosed) && errors.Is(err, ErrNotSent)
}

func (sup *supervisor) handle(c *Conn, s *session) *Conn {
	return &Conn{core: sup.core, session: s, opts: c.opts}
}

// do calls f, which makes a call. If the command was not sent, do calls f again with the next session.
func (sup *supervisor) do(ctx context.Context, c *Conn, command string, f func(now *Conn) error) error {
	if sup.core.settingUp.Load() {
		return fmt.Errorf("qmp: %s: %w", command, unsent(errSettingUp))
	}
	ctx, cancel := c.limit(ctx, command)
	defer cancel()
	sup.begin()
	defer sup.finish()
	for failed := (*session)(nil); ; {
		s, err := sup.wait(ctx, command, failed)
		if err != nil {
			return err
		}
		if err = f(sup.handle(c, s)); !sup.again(err) {
			return err
		}
		failed = s
	}
}

// start is like do, for calls that end with a callback.
func (sup *supervisor) start(ctx context.Context, c *Conn, command string, begin beginFunc, done func(error)) {
	sup.begin()
	ctx, cancel := c.limit(ctx, command)
	finish := func(err error) {
		defer sup.finish()
		cancel()
		done(err)
	}
	var on func(s *session)
	later := func(failed *session) {
		s, err := sup.wait(ctx, command, failed)
		if err != nil {
			sup.core.pool.add(taskFunc(func() { finish(err) }))
			return
		}
		on(s)
	}
	on = func(s *session) {
		begin(ctx, sup.handle(c, s), func(err error) {
			if sup.again(err) {
				go later(s)
			} else {
				finish(err)
			}
		})
	}
	if s, _, _ := sup.now(); s != nil {
		on(s)
	} else {
		go later(nil)
	}
}

func (sup *supervisor) begin() {
	sup.mu.Lock()
	defer sup.mu.Unlock()
	sup.live.add()
}

func (sup *supervisor) finish() {
	sup.mu.Lock()
	defer sup.mu.Unlock()
	sup.live.done()
}

func (sup *supervisor) idle() <-chan struct{} {
	sup.mu.Lock()
	defer sup.mu.Unlock()
	return sup.live.zero()
}

func (sup *supervisor) last() *session {
	sup.mu.Lock()
	defer sup.mu.Unlock()
	return sup.session
}

// end closes the connection because of cause, so that it is not made again; nil means that the user closed it.
func (sup *supervisor) end(cause error) {
	sup.mu.Lock()
	if sup.err != nil {
		sup.mu.Unlock()
		return
	}
	if lost, ok := errors.AsType[*closedError](cause); ok {
		sup.err = lost
	} else {
		sup.err = &closedError{cause: cause}
	}
	sup.cancel()
	sup.changeLocked()
	s, up, err := sup.session, sup.up, sup.err
	sup.mu.Unlock()
	if up {
		s.fail(nil)
	}
	sup.core.events.end(fmt.Errorf("qmp: events: %w", err))
	close(sup.over)
}

func (sup *supervisor) done() <-chan struct{} { return sup.over }

func (sup *supervisor) endedBy() error {
	sup.mu.Lock()
	defer sup.mu.Unlock()
	return sup.err
}

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
	// QEMU 5.2 that is just starting: there two threads may accept the connection, and
	// QEMU then hangs until it is dialled again.
	RetryFirst bool

	// GiveUp, if set, is called before each attempt: first with 0 and the error that ended
	// the connection, then with the number of failed attempts and the error of
	// the last. If it returns true, the connection has ended for good. It must not wait
	// for a command, which in turn would wait for the next attempt, and must not be slow.
	GiveUp func(failed int, err error) bool

	// OnDisconnect and OnReconnect, if set, are called, by a worker and one at a time, when
	// the connection is lost and when it is back, in the order in which that happens. Before
	// OnDisconnect is called, every subscription has its [GapError]; events of the new
	// connection may be read before OnReconnect is called. So a program that follows a state by a
	// subscription queries the state after each GapError, and needs neither function.
	//
	// The server may be another one after a reconnection: then what was
	// plugged into the old one, or enabled in it, has to be done again.
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
	return func(o *options) { o.reconnect = r.dial }
}

// A beginFunc starts a call, and calls done when the call has ended.
type beginFunc func(ctx context.Context, now *Conn, done func(error))

// supervision is a *supervisor, or nil. Because it is an interface, the linker can leave
// the supervisor's code out of programs that do not reconnect.
type supervision interface {
	do(ctx context.Context, c *Conn, command string, f func(now *Conn) error) error
	start(ctx context.Context, c *Conn, command string, begin beginFunc, done func(error))
	last() *link
	idle() <-chan struct{}
	end(cause error)
	done() <-chan struct{}
	endedBy() error
}

// A supervisor makes a new link when one is lost.
type supervisor struct {
	Reconnect
	core    *core
	connect func(context.Context) (io.ReadWriteCloser, error)
	as      kind
	conn    *Conn
	ctx     context.Context // is cancelled when the connection ends
	cancel  context.CancelFunc
	over    chan struct{}
	news    sequence // runs the calls of OnDisconnect and OnReconnect

	mu      sync.Mutex
	link    *link         // the newest one, which may have ended
	failed  error         // why the last attempt to make another failed, if one was made
	up      bool          // link can be used, as far as is known
	wasUp   bool          // link, or an earlier one, could be used
	since   time.Time     // when link became usable
	delay   time.Duration // before the next attempt
	changed chan struct{} // closed when up or err changes
	err     error         // why the connection has ended for good
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
	s.news.pool = &s.core.pool
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.conn = &Conn{core: s.core, again: s}
	s.link = newLink(nil, s.core) // stands for the first one, until there is one
	s.link.err = &closedError{cause: errors.New("no connection has been made yet")}
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

// attempt makes a link.
func (s *supervisor) attempt(ctx context.Context) error {
	dialCtx, cancel := ctx, func() {}
	if d := s.core.opts.handshakeTimeout; d > 0 {
		dialCtx, cancel = context.WithTimeout(ctx, d)
	}
	rw, err := s.connect(dialCtx)
	cancel()
	if err != nil {
		return err
	}
	l := newLink(rw, s.core)
	l.lasting = true
	s.as.prepare(l)
	if err := s.as.open(l, ctx); err != nil {
		s.missed(l)
		return err
	}
	if !s.use(l) {
		l.fail(nil)
		return s.endedBy()
	}
	l.mu.Lock()
	l.lost = s.lost
	err = l.err
	l.mu.Unlock()
	if err != nil { // it was lost before anything used it
		s.lost(err)
	}
	return nil
}

// missed marks a gap in the subscriptions after the events of a link that failed before
// it could be used.
func (s *supervisor) missed(l *link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.heard && l.err != nil {
		s.core.events.interrupt(&GapError{l.err})
	}
}

// use makes l the link for calls, unless the connection has ended.
func (s *supervisor) use(l *link) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false
	}
	if s.wasUp && s.OnReconnect != nil {
		s.news.add(func() { s.OnReconnect(s.conn) })
	}
	s.link, s.up, s.wasUp, s.since = l, true, true, time.Now()
	s.changeLocked()
	return true
}

func (s *supervisor) changeLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// lost is called when the link has ended.
func (s *supervisor) lost(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.up, s.failed = false, nil
	if time.Since(s.since) >= s.MaxDelay {
		s.delay = 0
	}
	s.changeLocked()
	s.core.events.interrupt(&GapError{err})
	if s.OnDisconnect != nil {
		s.news.add(func() { s.OnDisconnect(err) })
	}
	go func() { _ = s.persist(s.ctx, err, 0) }() // if it fails, it has ended the connection
}

// persist tries until there is a link. err is why there is none, or why the last attempt
// so far failed.
func (s *supervisor) persist(ctx context.Context, err error, failed int) error {
	for {
		delay := s.nextDelay()
		if s.GiveUp != nil && s.GiveUp(failed, err) {
			s.end(err)
			return err
		}
		timer := time.NewTimer(delay - rand.N(delay/2+1))
		select {
		case <-timer.C:
		case <-s.ctx.Done():
			timer.Stop()
			return fmt.Errorf("qmp: %w", s.endedBy())
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("qmp: waiting for a connection: %w; %d attempts failed, the last: %w", contextError(ctx), failed, err)
		}
		if err = s.attempt(ctx); err == nil {
			return nil
		}
		failed++
		s.mu.Lock()
		s.failed = err
		over := s.err
		s.mu.Unlock()
		if over != nil {
			return fmt.Errorf("qmp: %w", over)
		}
	}
}

// nextDelay returns how long to wait before the next attempt.
func (s *supervisor) nextDelay() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = min(max(2*s.delay, s.MinDelay), s.MaxDelay)
	return s.delay
}

// now returns the link if there is one that can be used. Otherwise err is why there will
// never be one, or change is closed when there may be one.
func (s *supervisor) now() (l *link, change <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return nil, nil, fmt.Errorf("%w: %w", s.err, ErrNotSent)
	case s.up:
		return s.link, s.changed, nil
	case s.FailFast:
		err := fmt.Errorf("%w: %w", s.link.closedBy(), ErrNotSent)
		if s.failed != nil {
			err = fmt.Errorf("%w; there is no connection: %s", err, s.failed.Error()) // for people
		}
		return nil, nil, err
	}
	return nil, s.changed, nil
}

// wait waits for a link and returns it. It ignores one that has failed.
func (s *supervisor) wait(ctx context.Context, command string, failed *link) (*link, error) {
	for {
		l, change, err := s.now()
		switch {
		case err != nil:
			return nil, fmt.Errorf("qmp: %s: %w", command, err)
		case l != nil && l != failed:
			return l, nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			err := tooLate(ctx, command)
			if why := s.absence(); why != nil { // as text only: it is not why the call ended
				err = fmt.Errorf("%w; there is no connection: %s", err, why.Error())
			}
			return nil, err
		}
	}
}

// absence returns why there is no connection: the error of the last attempt, or of the
// last connection.
func (s *supervisor) absence() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	return s.link.closedBy()
}

// again reports whether a call that ended with err must be repeated.
func (s *supervisor) again(err error) bool {
	return !s.FailFast && errors.Is(err, ErrClosed) && errors.Is(err, ErrNotSent)
}

func (s *supervisor) handle(c *Conn, l *link) *Conn {
	return &Conn{core: s.core, link: l, opts: c.opts}
}

// do makes a call by f. It repeats it on the next link if it was not sent.
func (s *supervisor) do(ctx context.Context, c *Conn, command string, f func(now *Conn) error) error {
	if s.core.settingUp.Load() {
		return fmt.Errorf("qmp: %s: %w", command, unsent(errSettingUp))
	}
	ctx, cancel := c.limit(ctx, command)
	defer cancel()
	s.begin()
	defer s.finish()
	for failed := (*link)(nil); ; {
		l, err := s.wait(ctx, command, failed)
		if err != nil {
			return err
		}
		if err = f(s.handle(c, l)); !s.again(err) {
			return err
		}
		failed = l
	}
}

// start is like do, for calls that end with a callback.
func (s *supervisor) start(ctx context.Context, c *Conn, command string, begin beginFunc, done func(error)) {
	s.begin()
	ctx, cancel := c.limit(ctx, command)
	finish := func(err error) {
		defer s.finish()
		cancel()
		done(err)
	}
	var on func(l *link)
	later := func(failed *link) {
		l, err := s.wait(ctx, command, failed)
		if err != nil {
			s.core.pool.add(taskFunc(func() { finish(err) }))
			return
		}
		on(l)
	}
	on = func(l *link) {
		begin(ctx, s.handle(c, l), func(err error) {
			if s.again(err) {
				go later(l)
			} else {
				finish(err)
			}
		})
	}
	if l, _, _ := s.now(); l != nil {
		on(l)
	} else {
		go later(nil)
	}
}

func (s *supervisor) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live.add()
}

func (s *supervisor) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live.done()
}

func (s *supervisor) idle() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live.zero()
}

func (s *supervisor) last() *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link
}

// end closes the connection for good because of cause; nil means that the user closed it.
func (s *supervisor) end(cause error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	if lost, ok := errors.AsType[*closedError](cause); ok {
		s.err = lost
	} else {
		s.err = &closedError{cause: cause}
	}
	s.cancel()
	s.changeLocked()
	l, up, err := s.link, s.up, s.err
	s.mu.Unlock()
	if up {
		l.fail(nil)
	}
	s.core.events.end(fmt.Errorf("qmp: events: %w", err))
	close(s.over)
}

func (s *supervisor) done() <-chan struct{} { return s.over }

func (s *supervisor) endedBy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

package qmp

import (
	"bytes"
	"context"
	"sync"
	"time"
)

// A Trace is told of what happens on a connection, for logs, traces and metrics;
// see [WithTrace]. Its functions must be quick, must not wait for the connection, and
// may be nil. Events are seen by a handler of all events ([Conn.Handle]).
type Trace struct {
	// Call is called for each command as it is issued, the negotiation's included,
	// before its arguments are encoded, on the goroutine that issues it, with that
	// one's context. What it returns, unless that is nil, is called when the call
	// has ended, before its caller is told. A message of the user's own is the
	// command "".
	Call func(ctx context.Context, command string) (end func(CallInfo))

	// Sent is called for each call whose turn to be written has come, in the order in
	// which they are sent, with the context of the call and what is known of it by then.
	// It is called from a goroutine of its own, soon after, and before the call has ended.
	// A call for which Call has returned nil is left out.
	Sent func(context.Context, CallInfo)

	// Connected is called when the server has greeted and negotiated, Closed when
	// the connection has ended, with the error that [Conn.Err] gives. On a connection
	// made [WithReconnect] both are called each time.
	Connected func(Greeting)
	Closed    func(error)

	// Payloads asks for Request and Reply of [CallInfo].
	Payloads bool
}

// CallInfo is how a call went.
type CallInfo struct {
	Command   string
	ID        int64 // the number it was sent with; 0: none
	OutOfBand bool

	Start time.Time // when it was issued
	Sent  time.Time // when its turn to be written came; zero: it was not sent
	End   time.Time

	RequestSize int // bytes, the request whole
	ReplySize   int // bytes, of the result or the error alone

	// The texts in JSON, secrets included; only when [Trace] asks for them. They
	// must not be changed.
	Request []byte
	Reply   []byte

	Err error // what the caller is given
}

// WithTrace has t told of what happens. It may be given several times.
func WithTrace(t Trace) Option { return WithTraceFunc(func() Trace { return t }) }

// WithTraceFunc is [WithTrace] for a trace with a state: f makes one for each connection
// that is made with this option. nil makes none.
func WithTraceFunc(f func() Trace) Option {
	return func(o *options) {
		if f == nil {
			return
		}
		if o.trace == nil {
			o.trace = &tracer{}
		}
		o.trace.(*tracer).traces = append(o.trace.(*tracer).traces, f())
	}
}

// tracing is a tracer, if there is one. Being an interface, it lets the linker leave
// out what programs without a trace do not use.
type tracing interface {
	call(ctx context.Context, l *link, command string) callTrace
	connected(*link)
	closed(*link)
}

// A callTrace is one call as a trace sees it. Until the call is sent its fields are the
// caller's, then they are guarded by the link's mutex until it is answered.
type callTrace interface {
	sent(number int64, oob bool, request []byte)
	answered(reply []byte)
	end(error)
}

// traceCall begins to watch a call; nil without a trace.
func (l *link) traceCall(ctx context.Context, command string) callTrace {
	if l.opts.trace == nil {
		return nil
	}
	return l.opts.trace.call(ctx, l, command)
}

// endWatch ends a watch, if there is one.
func endWatch(s callTrace, err error) {
	if s != nil {
		s.end(err)
	}
}

type tracer struct {
	traces []Trace
	once   sync.Once
	tells  pool // of one worker: it tells of what is sent, in order
}

func (t *tracer) call(ctx context.Context, l *link, command string) callTrace {
	s := &watcher{tracer: t, ctx: ctx}
	for i := range t.traces {
		if s.add(&t.traces[i], command) {
			s.payloads = s.payloads || t.traces[i].Payloads
		}
	}
	if s.ends == nil && s.sends == nil {
		return nil
	}
	t.once.Do(func() { t.tells.size, t.tells.caught = 1, l.opts.panicked })
	s.info = CallInfo{Command: command, Start: time.Now()}
	return s
}

func (t *tracer) connected(l *link) {
	g := l.conn().Greeting()
	for i := range t.traces {
		if t.traces[i].Connected != nil {
			t.traces[i].Connected(g)
		}
	}
}

// closed lets a worker tell: whoever found the end may hold what a trace wants.
func (t *tracer) closed(l *link) {
	err := l.conn().Err()
	l.pool.add(taskFunc(func() {
		for i := range t.traces {
			if t.traces[i].Closed != nil {
				t.traces[i].Closed(err)
			}
		}
	}))
}

type watcher struct {
	tracer   *tracer
	ctx      context.Context
	info     CallInfo
	sends    []func(context.Context, CallInfo)
	ends     []func(CallInfo)
	payloads bool
	told     chan struct{} // closed when sends have been called; nil: there is nothing to tell
}

// add begins to watch for a trace, if it wants that.
func (s *watcher) add(t *Trace, command string) bool {
	if t.Call != nil {
		end := t.Call(s.ctx, command)
		if end == nil {
			return false
		}
		s.ends = append(s.ends, end)
	}
	if t.Sent != nil {
		s.sends = append(s.sends, t.Sent)
	}
	return t.Call != nil || t.Sent != nil
}

func (s *watcher) sent(number int64, oob bool, request []byte) {
	s.info.ID, s.info.OutOfBand, s.info.Sent = number, oob, time.Now()
	s.info.RequestSize = len(request)
	if s.payloads {
		s.info.Request = bytes.Clone(request)
	}
	if s.sends == nil {
		return
	}
	info, told := s.info, make(chan struct{})
	s.told = told
	s.tracer.tells.add(taskFunc(func() {
		defer close(told) // also after a panic
		for _, send := range s.sends {
			send(s.ctx, info)
		}
	}))
}

func (s *watcher) answered(reply []byte) {
	s.info.ReplySize = len(reply)
	if s.payloads {
		s.info.Reply = bytes.Clone(reply) // the call's memory is used again
	}
}

// end ends the watch. The link must not be locked.
func (s *watcher) end(err error) {
	if s.told != nil {
		<-s.told
	}
	s.info.End, s.info.Err = time.Now(), err
	for _, end := range s.ends {
		end(s.info)
	}
}

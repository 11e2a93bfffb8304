package qmp

import (
	"bytes"
	"context"
	"sync"
	"time"
)

// A Trace has functions that are called when something happens on a connection, for
// logs, traces and metrics; see [WithTrace]. They must be quick and must not wait for the
// connection. Each may be nil. To see events, use a handler of all events ([Conn.OnEvent]).
type Trace struct {
	// Call is called for each command, that of the negotiation included, before its
	// arguments are encoded, on the goroutine that issues it, with the context of the call.
	// If Call returns a function, that function is called when the call has ended, before
	// the caller gets the result. For a whole message of the user ([Conn.RoundTrip])
	// command is "".
	Call func(ctx context.Context, command string) (end func(CallInfo))

	// Sent is called for each call that is sent, in the order of sending, with the
	// context of the call and what is known about the call so far. It runs on a goroutine of its
	// own, soon after the call was sent and before it has ended. If Call has returned nil for a
	// call, Sent is not called for it.
	Sent func(context.Context, CallInfo)

	// Connected is called after the greeting and the negotiation, Closed when the
	// connection has ended, with the error that [Conn.Err] returns. On a connection made
	// with [WithReconnect] both are called each time it connects and ends.
	Connected func(Greeting)
	Closed    func(error)

	// Payloads asks for Request and Reply of [CallInfo].
	Payloads bool
}

// CallInfo describes a call.
type CallInfo struct {
	Command   string
	ID        int64 // the id it was sent with; 0: it had none
	OutOfBand bool

	Start time.Time // when it was issued
	Sent  time.Time // when it was written; zero: it was not sent
	End   time.Time // when it ended

	RequestSize int // bytes of the whole request
	ReplySize   int // bytes of the result or the error only, without the rest of the reply

	// The request, and the result or the error, as JSON, secrets included; nil unless
	// [Trace].Payloads is set. They must not be changed.
	Request []byte
	Reply   []byte

	Err error // the error that the caller gets
}

// WithTrace adds a trace. The option may be given several times.
func WithTrace(t Trace) Option { return WithTraceFunc(func() Trace { return t }) }

// WithTraceFunc is like [WithTrace], for a trace with a state: f makes a new one for each
// connection that is made with this option. If f is nil, there is no trace.
func WithTraceFunc(f func() Trace) Option {
	return func(o *options) {
		if f == nil {
			return
		}
		if o.trace == nil {
			o.trace = &tracer{}
		}
		o.trace.traces = append(o.trace.traces, f())
	}
}

// traceCall begins to observe a call. It returns nil if no trace wants to.
func (s *session) traceCall(ctx context.Context, command string) *watcher {
	if s.opts.trace == nil {
		return nil
	}
	return s.opts.trace.call(ctx, s, command)
}

type tracer struct {
	traces []Trace
	once   sync.Once
	sender pool // has one worker, which calls the functions Sent in order
}

func (t *tracer) call(ctx context.Context, s *session, command string) *watcher {
	w := &watcher{tracer: t, ctx: ctx}
	for i := range t.traces {
		if w.add(&t.traces[i], command) {
			w.payloads = w.payloads || t.traces[i].Payloads
		}
	}
	if w.ends == nil && w.sends == nil {
		return nil
	}
	t.once.Do(func() { t.sender.size, t.sender.caught = 1, s.opts.panicked })
	w.info = CallInfo{Command: command, Start: time.Now()}
	return w
}

func (t *tracer) connected(s *session) {
	g := s.conn().Greeting()
	for i := range t.traces {
		if t.traces[i].Connected != nil {
			t.traces[i].Connected(g)
		}
	}
}

// closed lets a worker call Closed: the goroutine that found the end may hold a lock that
// the function needs.
func (t *tracer) closed(s *session) {
	err := s.conn().Err()
	s.pool.add(taskFunc(func() {
		for i := range t.traces {
			if t.traces[i].Closed != nil {
				t.traces[i].Closed(err)
			}
		}
	}))
}

// A watcher observes one call. Until the call is sent its fields belong to the caller;
// then they are guarded by the session's mutex until the call is answered.
type watcher struct {
	tracer   *tracer
	ctx      context.Context
	info     CallInfo
	sends    []func(context.Context, CallInfo)
	ends     []func(CallInfo)
	payloads bool
	reported chan struct{} // closed when sends have been called; nil: there are none
}

// add adds the functions of a trace, if it wants to observe the call.
func (w *watcher) add(t *Trace, command string) bool {
	if t.Call != nil {
		end := t.Call(w.ctx, command)
		if end == nil {
			return false
		}
		w.ends = append(w.ends, end)
	}
	if t.Sent != nil {
		w.sends = append(w.sends, t.Sent)
	}
	return t.Call != nil || t.Sent != nil
}

func (w *watcher) sent(number int64, oob bool, request []byte) {
	w.info.ID, w.info.OutOfBand, w.info.Sent = number, oob, time.Now()
	w.info.RequestSize = len(request)
	if w.payloads {
		w.info.Request = bytes.Clone(request)
	}
	if w.sends == nil {
		return
	}
	info, reported := w.info, make(chan struct{})
	w.reported = reported
	w.tracer.sender.add(taskFunc(func() {
		defer close(reported) // also after a panic
		for _, send := range w.sends {
			send(w.ctx, info)
		}
	}))
}

func (w *watcher) answered(reply []byte) {
	w.info.ReplySize = len(reply)
	if w.payloads {
		w.info.Reply = bytes.Clone(reply) // the call's memory is used again
	}
}

// end ends the observation; w may be nil. The session must not be locked.
func (w *watcher) end(err error) {
	if w == nil {
		return
	}
	if w.reported != nil {
		<-w.reported
	}
	w.info.End, w.info.Err = time.Now(), err
	for _, end := range w.ends {
		end(w.info)
	}
}

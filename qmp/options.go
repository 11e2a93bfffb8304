package qmp

import (
	"context"
	"log"
	"maps"
	"net"
	"os"
	"slices"
	"time"
)

// An Option sets something about a connection when it is made.
type Option func(*options)

type options struct {
	workers          int
	maxMessage       int
	eventBuffer      int
	handshakeTimeout time.Duration
	timeout          time.Duration            // of each call
	timeouts         map[string]time.Duration // of those of some commands
	handshake        bool
	oob              bool
	eventError       func(error)
	panicked         func(value any, stack []byte)
	setup            []func(*Conn)
	dialer           Dialer
	trace            *tracer                                       // nil: none
	ended            func(err error, closed <-chan struct{}) error // returns why a stream has ended with err; nil: err is the reason
	reconnect        *Reconnect                                    // nil: the connection is made once
}

func newOptions(opts []Option) options {
	o := options{
		workers:          10,
		maxMessage:       64 << 20,
		eventBuffer:      4096,
		handshakeTimeout: 10 * time.Second,
		handshake:        true,
	}
	for _, opt := range opts {
		opt(&o)
	}
	if o.eventError == nil {
		o.eventError = func(err error) { log.Print(err) }
	}
	if o.dialer == nil {
		o.dialer = new(net.Dialer)
	}
	return o
}

// WithWorkers sets how many handlers and callbacks may run at the same time:
// n of at least 1; 10 without this option. The goroutines exist only while
// there is something to run.
func WithWorkers(n int) Option { return func(o *options) { o.workers = max(n, 1) } }

// WithMaxMessage sets the size of the largest message that is accepted from the
// server, in bytes; 64 MiB without this option. A larger one ends the
// connection.
func WithMaxMessage(bytes int) Option {
	return func(o *options) { o.maxMessage = max(bytes, 1) }
}

// WithHandshakeTimeout sets how long the greeting and the negotiation may take
// together; 10 s without this option. With 0 only the context limits it. A
// server to which another client is connected sends nothing until that client disconnects.
func WithHandshakeTimeout(d time.Duration) Option {
	return func(o *options) { o.handshakeTimeout = d }
}

// WithoutHandshake is for a stream on which somebody else has negotiated, such as a
// descriptor that another process hands over: QEMU greets and negotiates once per stream. The
// connection does not wait for a greeting; its [Greeting] is zero, and [WithOOB] has no effect. Replies to
// commands of the earlier user are reported ([WithEventError]) and dropped. A new stream to a QEMU
// refuses all commands without a negotiation: [WithReconnect] helps only where somebody negotiates
// on each new stream, too.
func WithoutHandshake() Option { return func(o *options) { o.handshake = false } }

// WithOOB negotiates out-of-band execution, which [OutOfBand] uses. It has a
// price: at most seven other commands are in flight at a time, since QEMU would
// otherwise stop reading, and QEMU takes longer for each command. The server must
// offer it.
func WithOOB() Option { return func(o *options) { o.oob = true } }

// WithEventBuffer sets how many events may wait in a subscription or a handler that
// does not set this itself ([Buffer]); 4096 without this option. Memory is allocated
// when it is needed. All events that wait on a connection may together have as many
// bytes as one message ([WithMaxMessage]); when they have more, the subscription that
// holds most loses its oldest events.
func WithEventBuffer(n int) Option { return func(o *options) { o.eventBuffer = max(n, 1) } }

// WithEventError sets the function that receives errors which no call returns: events
// that a handler lost or that could not be decoded, and bytes or replies from the
// server that belong to no call. f is called on a worker, one call at a time.
// Without this option, or if f is nil, such errors go to [log.Print].
func WithEventError(f func(error)) Option { return func(o *options) { o.eventError = f } }

// WithPanicHandler sets the function that is called with the value and the stack of a
// panic in a handler or a callback. Without this option, or if f is nil, a panic ends the
// process. That is the safer choice, unless f restarts what the panic has left broken.
func WithPanicHandler(f func(value any, stack []byte)) Option {
	return func(o *options) { o.panicked = f }
}

// WithSetup calls f once, before the connection negotiates, and so before the first event
// can come: subscribe and register handlers there in order to miss no event. They stay
// when the connection is made again ([WithReconnect]); f is not called again then, but
// [Reconnect.OnReconnect] is.
//
// f must not wait for a command, since no reply can come before it returns: such a call
// returns an error. A command issued with [Conn.Go] is sent after the negotiation.
// The option may be given several times; nil does nothing.
func WithSetup(f func(*Conn)) Option {
	return func(o *options) {
		if f != nil {
			o.setup = append(o.setup, f)
		}
	}
}

// WithTimeout limits how long each call may take from its start to its reply, as [Timeout]
// does for the calls of one handle. Without this option, or if d is 0, only contexts limit
// calls. A command for which d is too short, such as one that waits for a disk, can have a
// limit of its own:
//
//	qmp.WithTimeout(10*time.Second), qmp.WithTimeoutOf(time.Minute, "blockdev-add", "blockdev-del")
//
// A call whose context ends sooner ends with its context.
func WithTimeout(d time.Duration) Option { return func(o *options) { o.timeout = d } }

// WithTimeoutOf is [WithTimeout] for these commands only. If d is 0, only contexts limit
// their calls. The option can be given several times.
func WithTimeoutOf(d time.Duration, commands ...string) Option {
	return func(o *options) {
		o.timeouts = maps.Clone(o.timeouts)
		if o.timeouts == nil {
			o.timeouts = map[string]time.Duration{}
		}
		for _, command := range commands {
			o.timeouts[command] = d
		}
	}
}

// Options combines several options into one, for packages that offer options of their own.
func Options(opts ...Option) Option {
	return func(o *options) {
		for _, opt := range opts {
			opt(o)
		}
	}
}

// WithDialer uses d to connect to unix: and tcp: addresses, for example through a tunnel,
// or with other settings of the socket. Without this option, or if d is nil, a
// [net.Dialer] is used.
func WithDialer(d Dialer) Option { return func(o *options) { o.dialer = d } }

// A CallOption sets something about calls; see [Conn.With].
type CallOption func(*callOptions)

type callOptions struct {
	timeout *time.Duration // nil: that of the connection
	oob     bool
	eager   bool
	files   []*os.File
}

// OutOfBand executes commands out of band: at once, even while others wait or
// run. The connection must have been made with [WithOOB], otherwise the error wraps
// [ErrNoOOB]; the server refuses commands that do not allow it. [Conn.RoundTrip]
// ignores this option.
func OutOfBand() CallOption { return func(o *callOptions) { o.oob = true } }

// Timeout limits how long each call may take from its start to its reply, in place of what
// [WithTimeout] says. If d is 0, only contexts limit the calls. The error of a call that
// takes longer has the limit in its text and wraps [context.DeadlineExceeded].
func Timeout(d time.Duration) CallOption { return func(o *callOptions) { o.timeout = &d } }

// limit applies the time limit of a command.
func (c *Conn) limit(ctx context.Context, command string) (context.Context, context.CancelFunc) {
	d := c.opts.timeout
	if d == nil {
		own, ok := c.core.opts.timeouts[command]
		if !ok {
			own = c.core.opts.timeout
		}
		d = &own
	}
	if *d <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, *d, timeoutError(*d))
}

// A timeoutError is the time limit that a call has exceeded.
type timeoutError time.Duration

func (e timeoutError) Error() string { return "no reply within " + time.Duration(e).String() }

// WithoutSync is for a command that must reach a guest agent even if the agent does not
// answer at the moment, for example because the machine is paused: the command is written
// right after a synchronisation, without waiting for the synchronisation's answer. The
// agent executes it when it runs again. Its reply is recognised by its id.
func WithoutSync() CallOption { return func(o *callOptions) { o.eager = true } }

// Files passes files with each command, at most 16, for commands such as getfd and add-fd
// that need one. The server gets duplicates: the files still belong to the caller, who may
// close them when the call has returned or its callback runs. But QEMU sets every file that
// it receives to blocking mode. The caller's file is the same open file, so it is set to
// blocking mode, too: an [os.File] or a connection that uses it loses its deadlines. Pass
// only files that you do not read or write any more.
//
// Only a Unix socket can pass files, otherwise the error wraps [ErrNoFiles].
//
// On a connection made with [WithOOB], a command with files is in flight without other
// in-band commands. Out-of-band commands cannot have files.
func Files(files ...*os.File) CallOption {
	return func(o *callOptions) { o.files = slices.Clone(files) }
}

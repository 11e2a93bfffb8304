// Package qmplog writes what happens on a connection to a [slog.Logger], at debug
// level:
//
//	c, err := qapi.Dial(ctx, addr, qmplog.WithLogger(slog.Default()))
//
// There is a record for each call when it is sent ("qmp sent") and when it has ended ("qmp
// call"), for each event, and for the beginning and the end of the connection. If the
// connection ends without Close or a command such as quit, the record is at warn level;
// a connection that is made again has such a record for each end. Errors that no call
// returns (see [qmp.WithEventError]) are at warn level, too. Logging has a package of its
// own, so that other programs do not contain log/slog.
package qmplog

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/goqapi/goqapi/internal/redact"
	"github.com/goqapi/goqapi/qmp"
)

// An Option sets something about the log.
type Option func(*recorder)

// Payloads also logs arguments, replies and the data of events, as JSON, up to
// 64 KiB of each. "[redacted]" stands for passwords, the contents of secret objects, user
// and password in URLs, cookies, command lines, data that is written to a guest or read
// from it, and the replies that show them. Other confidential data is logged, since it
// cannot be recognised: names, paths, the guest's data in events.
func Payloads() Option { return func(r *recorder) { r.payloads = true } }

// With is the older name of [WithLogger].
//
// Deprecated: use WithLogger.
func With(logger *slog.Logger, opts ...Option) qmp.Option { return WithLogger(logger, opts...) }

// WithLogger logs what happens on the connection to a logger, [slog.Default] if it is nil. A
// logger whose debug level is off costs very little. A [qmp.WithEventError] of your own
// must come after this option: the last one counts.
func WithLogger(logger *slog.Logger, opts ...Option) qmp.Option {
	if logger == nil {
		logger = slog.Default()
	}
	r := &recorder{log: logger}
	for _, opt := range opts {
		opt(r)
	}
	return qmp.Options(
		qmp.WithTraceFunc(func() qmp.Trace {
			s := &session{recorder: r}
			// The request decides what is secret in its reply, and in the text of its error.
			return qmp.Trace{Call: s.call, Sent: s.sent, Connected: s.connected, Closed: s.closed, Payloads: true}
		}),
		qmp.WithEventError(r.problem),
		qmp.WithSetup(func(c *qmp.Conn) { c.OnEvent("", r.event) }),
	)
}

type recorder struct {
	log      *slog.Logger
	payloads bool
}

func (r *recorder) write(ctx context.Context, text string, attrs ...slog.Attr) {
	r.log.LogAttrs(ctx, slog.LevelDebug, text, attrs...)
}

func (r *recorder) enabled(ctx context.Context) bool { return r.log.Enabled(ctx, slog.LevelDebug) }

// A session is one connection.
type session struct {
	*recorder
	leaving atomic.Bool // a command was sent after which the server closes the connection
}

// endings are the commands after which a server closes the connection.
var endings = map[string]bool{"quit": true, "guest-shutdown": true}

func (s *session) call(ctx context.Context, command string) func(qmp.CallInfo) {
	ending := endings[command]
	if ending {
		s.leaving.Store(true)
	}
	if !ending && !s.enabled(ctx) {
		return nil
	}
	return func(c qmp.CallInfo) {
		if ending && (c.Sent.IsZero() || !qmp.MayHaveRun(c.Err)) {
			s.leaving.Store(false)
		}
		if s.enabled(ctx) {
			s.ended(ctx, c)
		}
	}
}

// sent logs a call when it is sent, since it may never end.
func (r *recorder) sent(ctx context.Context, c qmp.CallInfo) {
	if !r.enabled(ctx) {
		return
	}
	attrs := append(identity(c), slog.Int("request_bytes", c.RequestSize))
	r.write(ctx, "qmp sent", r.payload(attrs, "request", c.Request, redact.JSON)...)
}

func (r *recorder) ended(ctx context.Context, c qmp.CallInfo) {
	attrs := append(identity(c), slog.Duration("took", c.End.Sub(c.Start)))
	if c.Sent.IsZero() {
		attrs = append(attrs, slog.Bool("sent", false))
	} else {
		attrs = append(attrs,
			slog.Duration("waited", c.Sent.Sub(c.Start)),
			slog.Int("request_bytes", c.RequestSize), slog.Int("reply_bytes", c.ReplySize))
	}
	var request redact.Request
	if r.payloads || c.Err != nil {
		request = redact.ReadRequest(c.Request)
	}
	attrs = r.payload(attrs, "request", c.Request, redact.JSON)
	if _, refused := errors.AsType[*qmp.Error](c.Err); refused {
		attrs = r.payload(attrs, "reply", c.Reply, request.Error)
	} else {
		attrs = r.payload(attrs, "reply", c.Reply, request.Result)
	}
	if c.Err != nil {
		attrs = append(attrs, failure(c.Err, request))
	}
	r.write(ctx, "qmp call", attrs...)
}

// identity returns the attributes that identify a call.
func identity(c qmp.CallInfo) []slog.Attr {
	attrs := []slog.Attr{slog.String("command", c.Command)}
	if c.ID != 0 {
		attrs = append(attrs, slog.Int64("id", c.ID))
	}
	if c.OutOfBand {
		attrs = append(attrs, slog.Bool("oob", true))
	}
	return attrs
}

// payload adds a text without its secrets, if texts are asked for and there is one.
func (r *recorder) payload(attrs []slog.Attr, name string, text []byte, clean func([]byte) []byte) []slog.Attr {
	if !r.payloads || len(text) == 0 {
		return attrs
	}
	return append(attrs, slog.String(name, redact.Cut(clean(text))))
}

// failure returns an error as an attribute; only its text if secrets had to be hidden in it.
func failure(err error, request redact.Request) slog.Attr {
	if text := err.Error(); request.Text(text) != text {
		return slog.String("error", request.Text(text))
	}
	return slog.Any("error", err)
}

func (r *recorder) event(e qmp.Event) {
	ctx := context.Background()
	if !r.enabled(ctx) {
		return
	}
	attrs := []slog.Attr{
		slog.String("event", e.Name), slog.Time("timestamp", e.Timestamp), slog.Int("data_bytes", len(e.Data)),
	}
	r.write(ctx, "qmp event", r.payload(attrs, "data", e.Data, redact.JSON)...)
}

func (r *recorder) connected(g qmp.Greeting) {
	r.write(context.Background(), "qmp connected",
		slog.String("version", g.Version.String()), slog.Any("capabilities", g.Capabilities))
}

func (s *session) closed(err error) {
	level := slog.LevelWarn
	if s.leaving.Swap(false) || err.Error() == byUs {
		level = slog.LevelDebug
	}
	s.log.LogAttrs(context.Background(), level, "qmp closed", failure(err, redact.Request{}))
}

// byUs is the text of the error of a connection that Close has ended: it has no cause.
var byUs = "qmp: " + qmp.ErrClosed.Error()

func (r *recorder) problem(err error) {
	r.log.LogAttrs(context.Background(), slog.LevelWarn, "qmp problem", failure(err, redact.Request{}))
}

// Package qmplog writes what happens on a connection to a [slog.Logger], at debug
// level:
//
//	c, err := qapi.Dial(ctx, addr, qmplog.With(slog.Default()))
//
// There is a record for each call, with its command, how long it took and how it
// ended, for each event, and for the beginning and the end of the connection. An end
// that nobody asked for, and what no caller can be told (see [qmp.WithEventError]), are
// at warn level. It is
// a package of its own since programs that do not log need not carry log/slog.
package qmplog

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/goqapi/goqapi/internal/redact"
	"github.com/goqapi/goqapi/qmp"
)

// An Option sets something about the log.
type Option func(*recorder)

// Payloads has arguments, replies and the data of events written, too, as JSON, up to
// 64 KiB of each. "[redacted]" stands for passwords, the contents of secret objects, user
// and password in URLs, cookies, command lines, what is put into a guest or read from it,
// and the replies that show them. Other confidential things are written, since nobody knows
// them here: names, paths, what events of the guest say.
func Payloads() Option { return func(r *recorder) { r.payloads = true } }

// With writes to a logger what happens on the connection. A logger that has no
// debug level costs next to nothing. A [qmp.WithEventError] of your own belongs behind
// it: the last one counts.
func With(logger *slog.Logger, opts ...Option) qmp.Option {
	r := &recorder{log: logger}
	for _, opt := range opts {
		opt(r)
	}
	return qmp.Options(
		// The request says what is secret in its reply, and in the text of its error.
		qmp.WithTrace(qmp.Trace{Call: r.call, Connected: r.connected, Closed: r.closed, Payloads: true}),
		qmp.WithEventError(r.problem),
		qmp.WithSetup(func(c *qmp.Conn) { c.Handle("", r.event) }),
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

func (r *recorder) call(ctx context.Context, _ string) func(qmp.CallInfo) {
	if !r.enabled(ctx) {
		return nil
	}
	return func(c qmp.CallInfo) {
		attrs := []slog.Attr{slog.String("command", c.Command), slog.Duration("took", c.End.Sub(c.Start))}
		if c.ID != 0 {
			attrs = append(attrs, slog.Int("id", c.ID))
		}
		if c.OutOfBand {
			attrs = append(attrs, slog.Bool("oob", true))
		}
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
}

// payload adds a text without its secrets, if texts are asked for and there is one.
func (r *recorder) payload(attrs []slog.Attr, name string, text []byte, clean func([]byte) []byte) []slog.Attr {
	if !r.payloads || len(text) == 0 {
		return attrs
	}
	return append(attrs, slog.String(name, redact.Cut(clean(text))))
}

// failure is an error as an attribute; only its text if that had to be changed.
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

func (r *recorder) closed(err error) {
	level := slog.LevelWarn
	if errors.Is(err, io.EOF) || err.Error() == byUs {
		level = slog.LevelDebug
	}
	r.log.LogAttrs(context.Background(), level, "qmp closed", failure(err, redact.Request{}))
}

// byUs is what a connection says that Close has ended: it has no cause.
var byUs = "qmp: " + qmp.ErrClosed.Error()

func (r *recorder) problem(err error) {
	r.log.LogAttrs(context.Background(), slog.LevelWarn, "qmp problem", failure(err, redact.Request{}))
}

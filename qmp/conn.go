package qmp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/goqapi/goqapi/qmp/codec"
	"github.com/goqapi/goqapi/qmp/internal/hook"
)

// A Conn is a connection to a server, or a handle on it made by [Conn.With].
// Any number of goroutines may use it at the same time.
type Conn struct {
	core    *core
	session *session    // nil if again is set
	again   *supervisor // with WithReconnect: makes the connection again when it is lost; otherwise nil
	opts    callOptions
}

// Greeting is what a server says about itself when a connection begins.
type Greeting struct {
	Version      Version
	Capabilities []string // what can be negotiated, such as "oob"
}

// Version is a server's version, such as 11.1.3.
type Version struct {
	Major, Minor, Micro int
	Package             string // the distributor's, may be empty
}

// String returns the version, with the package in parentheses.
func (v Version) String() string {
	text := fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Micro)
	if v.Package != "" {
		text += " (" + v.Package + ")"
	}
	return text
}

// NewConn turns a stream into a connection: it waits for the server's greeting and
// negotiates. From then on the stream belongs to the connection, which closes it when
// the connection ends or NewConn fails. Closing the stream must make a waiting Read or
// Write return.
func NewConn(ctx context.Context, rw io.ReadWriteCloser, opts ...Option) (*Conn, error) {
	return newConn(ctx, rw, newOptions(opts), qmpServer())
}

func newConn(ctx context.Context, rw io.ReadWriteCloser, o options, as kind) (*Conn, error) {
	if rw == nil {
		return nil, errors.New("qmp: the stream is nil")
	}
	if o.reconnect != nil {
		rw.Close()
		return nil, errors.New("qmp: WithReconnect: a given stream cannot be opened again; use Dial or DialFunc")
	}
	s := newSession(rw, newCore(o))
	as.prepare(s)
	c := s.conn()
	c.core.setUp(c)
	if err := as.open(s, ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// A kind is the kind of server at the other end of a session: how it is made ready for commands.
type kind struct {
	prepare func(*session)                        // before it is used
	open    func(*session, context.Context) error // begins to read; closes the session if it fails
}

func qmpServer() kind { return kind{func(*session) {}, (*session).openQMP} }

func init() {
	hook.Execute = func(ctx context.Context, conn any, command string, result codec.Into) error {
		return conn.(*Conn).executeInto(ctx, command, result)
	}
	hook.MemoOf = func(conn any) *hook.Memo { return &conn.(*Conn).current().memo }
}

// current returns the session that the connection has, or had last.
func (c *Conn) current() *session {
	if c.again != nil {
		return c.again.last()
	}
	return c.session
}

// Greeting returns what the server said about itself; the zero Greeting if it sends none.
func (c *Conn) Greeting() Greeting {
	g := c.current().hello.said.Load()
	if g == nil {
		return Greeting{}
	}
	hello := *g
	hello.Capabilities = slices.Clone(g.Capabilities)
	return hello
}

// With returns a handle on the same connection whose calls have these options.
// It costs one small allocation.
func (c *Conn) With(opts ...CallOption) *Conn {
	h := &Conn{c.core, c.session, c.again, c.opts}
	for _, opt := range opts {
		opt(&h.opts)
	}
	return h
}

// Wait is the older name of [Conn.WaitIdle].
//
// Deprecated: use WaitIdle.
func (c *Conn) Wait(ctx context.Context) error { return c.WaitIdle(ctx) }

// WaitIdle waits until no call is in progress: no command that somebody waits for,
// and no callback. It must not be called from a callback.
func (c *Conn) WaitIdle(ctx context.Context) error {
	var idle <-chan struct{}
	if c.again != nil {
		idle = c.again.idle()
	} else {
		idle = c.session.idle()
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("qmp: waiting for calls to end: %w", contextError(ctx))
	}
}

// LateReplies returns how many replies have come and been dropped because their
// calls had been abandoned; see [ErrAbandoned].
func (c *Conn) LateReplies() int { return int(c.core.late.Load()) }

// Close ends the connection. Calls that wait return an error that wraps
// [ErrClosed]; subscriptions and handlers get the events that have already come, and then end.
// Close does not wait. It may be called from any goroutine, and more than once.
func (c *Conn) Close() error {
	if c.again != nil {
		c.again.end(nil)
	} else {
		c.session.fail(nil)
	}
	return nil
}

// Done returns a channel that is closed when either side closes the connection.
func (c *Conn) Done() <-chan struct{} {
	if c.again != nil {
		return c.again.done()
	}
	return c.session.done
}

// Err returns nil while the connection is open, then an error that wraps
// [ErrClosed] and the cause: [io.EOF] if the server closed it, as it does after
// the command quit.
func (c *Conn) Err() error {
	var err error
	if c.again != nil {
		err = c.again.endedBy()
	} else {
		err = c.session.closedBy()
	}
	if err != nil {
		return fmt.Errorf("qmp: %w", err)
	}
	return nil
}

package retry_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/retry"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// A peer is a fake, and a connection to it that is made again.
type peer struct {
	*qmptest.Server

	conn  *qmp.Conn
	again func() // is called before it is made again
}

func onPeer(t *testing.T, f func(t *testing.T, p *peer)) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{Server: qmptest.Start(t)}
		var err error
		p.conn, err = qmp.DialFunc(t.Context(), func(context.Context) (io.ReadWriteCloser, error) {
			if p.again != nil {
				p.again()
			}
			return p.Pipe(), nil
		}, qmp.WithReconnect(qmp.Reconnect{MinDelay: time.Millisecond}))
		require.NoError(t, err)
		defer p.conn.Close()
		f(t, p)
	})
}

func (p *peer) call(command string) func(context.Context) error {
	return func(ctx context.Context) error { return p.conn.Execute(ctx, command, nil, nil) }
}

// cut loses the replies to a number of calls of a command.
func (p *peer) cut(command string, times int) {
	p.Handle(command, func(context.Context, *qmptest.Request) (any, error) {
		if times--; times >= 0 {
			p.Cut()
		}
		return nil, nil
	})
}

func is(answer bool) func(context.Context) (bool, error) {
	return func(context.Context) (bool, error) { return answer, nil }
}

func TestAskUntilThereIsAnAnswer(t *testing.T) {
	onPeer(t, func(t *testing.T, p *peer) {
		p.cut("stop", 3)
		require.NoError(t, retry.Ask(t.Context(), p.conn, p.call("stop")))
		assert.Equal(t, 4, p.Count("stop"))
		p.Fail("stop", qmp.ClassGenericError, "no")
		assert.EqualError(t, retry.Ask(t.Context(), p.conn, p.call("stop")), "qmp: stop: no")
		p.conn.Close()
		assert.ErrorIs(t, retry.Ask(t.Context(), p.conn, p.call("stop")), qmp.ErrClosed)
	})
}

func TestOnce(t *testing.T) {
	onPeer(t, func(t *testing.T, p *peer) {
		p.cut("stop", 1)
		require.NoError(t, retry.Once(t.Context(), p.conn, p.call("stop"), is(true)))
		assert.Equal(t, 1, p.Count("stop"), "it is done")

		p.cut("cont", 1)
		require.NoError(t, retry.Once(t.Context(), p.conn, p.call("cont"), is(false)))
		assert.Equal(t, 2, p.Count("cont"), "it was not done, so it is sent again")

		p.cut("system_reset", 9)
		assert.ErrorIs(t, retry.Once(t.Context(), p.conn, p.call("system_reset"), is(false)), qmp.ErrClosed)
		assert.Equal(t, 2, p.Count("system_reset"), "it is sent at most twice")

		p.Fail("stop", qmp.ClassGenericError, "no")
		assert.EqualError(t, retry.Once(t.Context(), p.conn, p.call("stop"), is(true)), "qmp: stop: no")
	})
}

// If the query whether the command was executed fails, its error is not the command's.
func TestOnceWhenTheQueryFails(t *testing.T) {
	onPeer(t, func(t *testing.T, p *peer) {
		p.cut("stop", 1)
		refusal := &qmp.Error{Class: qmp.ClassGenericError, Desc: "not now"}
		err := retry.Once(t.Context(), p.conn, p.call("stop"), func(context.Context) (bool, error) { return false, refusal })
		assert.True(t, qmp.MayHaveRun(err), "%v", err)
		_, refused := errors.AsType[*qmp.Error](err)
		assert.False(t, refused)
		assert.ErrorContains(t, err, "; whether the command was executed is not known: ")

		ctx, cancel := context.WithCancel(t.Context())
		p.Handle("cont", func(context.Context, *qmptest.Request) (any, error) {
			p.again = cancel // so that no question is sent
			p.Cut()
			return nil, nil
		})
		err = retry.Once(ctx, p.conn, p.call("cont"), func(ctx context.Context) (bool, error) {
			return true, p.call("query-status")(ctx)
		})
		assert.ErrorIs(t, err, context.Canceled)
		assert.True(t, qmp.MayHaveRun(err), "%v", err)
		assert.Zero(t, p.Count("query-status"))
	})
}

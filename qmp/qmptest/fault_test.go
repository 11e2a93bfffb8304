package qmptest_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// inBubble runs f in a bubble with a server that executes stop and cont, and a client of it.
// Errors that the connection reports are in the channel.
func inBubble(t *testing.T, f func(t *testing.T, srv *qmptest.Server, c *qapi.Client, complaints <-chan error), opts ...qmptest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := qmptest.Start(t, opts...)
		srv.Reply("stop")
		srv.Reply("cont")
		complaints := make(chan error, 10)
		conn, err := srv.Dial(t.Context(), qmp.WithEventError(func(err error) { complaints <- err }))
		require.NoError(t, err)
		defer conn.Close()
		f(t, srv, qapi.NewClient(conn), complaints)
	})
}

func TestDelay(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *qmptest.Server, c *qapi.Client, _ <-chan error) {
		begin := time.Now()
		heal := srv.Fault("stop", qmptest.Delay(time.Hour))
		require.NoError(t, c.Stop(t.Context()))
		assert.Equal(t, time.Hour, time.Since(begin))
		require.NoError(t, c.Cont(t.Context()))
		assert.Equal(t, time.Hour, time.Since(begin), "other commands have no fault")
		heal()
		require.NoError(t, c.Stop(t.Context()))
		assert.Equal(t, time.Hour, time.Since(begin), "no more")

		srv.Fault("", qmptest.Delay(time.Minute))
		require.NoError(t, c.Stop(t.Context()))
		require.NoError(t, c.Cont(t.Context()))
		assert.Equal(t, time.Hour+2*time.Minute, time.Since(begin), "all")
		conn, err := srv.Dial(t.Context())
		require.NoError(t, err)
		conn.Close()
		assert.Equal(t, time.Hour+2*time.Minute, time.Since(begin), "except the negotiation")
		srv.Fault("qmp_capabilities", qmptest.Drop())
		_, err = srv.Dial(t.Context())
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		heal() // what is no longer there
	})
}

func TestDrop(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *qmptest.Server, c *qapi.Client, _ <-chan error) {
		heal := srv.Fault("stop", qmptest.Drop())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, c.Stop(ctx), context.DeadlineExceeded)
		heal()
		assert.NoError(t, c.Cont(t.Context()), "the connection goes on")
		assert.Equal(t, 1, srv.Count("stop"))

		srv.Expect(qmptest.Step{Command: "cont", Err: qmptest.ErrNoReply}, qmptest.Step{Command: "cont"})
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, c.Cont(ctx), context.DeadlineExceeded)
		assert.NoError(t, c.Cont(t.Context()))
	})
}

func TestCutReply(t *testing.T) {
	for _, bytes := range []int{-1, 0, 5, 1000} {
		inBubble(t, func(t *testing.T, srv *qmptest.Server, c *qapi.Client, _ <-chan error) {
			srv.Fault("stop", qmptest.CutReply(bytes))
			err := c.Stop(t.Context())
			if bytes == 1000 {
				assert.NoError(t, err, "the whole reply has come")
			} else {
				assert.ErrorIs(t, err, qmp.ErrClosed)
			}
			assert.ErrorIs(t, c.Cont(t.Context()), qmp.ErrClosed)
		})
	}
}

func TestNoise(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *qmptest.Server, c *qapi.Client, complaints <-chan error) {
		srv.Fault("stop", qmptest.Noise("boom\r\n"))
		require.NoError(t, c.Stop(t.Context()))
		assert.ErrorContains(t, <-complaints, "boom")
	})
}

func TestNoID(t *testing.T) {
	srv := qmptest.Start(t)
	srv.Fault("query-name", qmptest.NoID())
	srv.Fail("query-name", qmp.ClassGenericError, "no")
	srv.Reply("stop")
	conn := srv.Pipe()
	defer conn.Close()
	got := talk(t, conn, `{"execute":"qmp_capabilities","id":1}`, `{"execute":"query-name","id":2}`, `{"execute":"stop","id":3}`)
	assert.Equal(t, []string{
		`{"return": {}, "id": 1}`, `{"error": {"class": "GenericError", "desc": "no"}}`, `{"return": {}, "id": 3}`,
	}, got[1:])
}

func TestCutAfter(t *testing.T) {
	srv := qmptest.Start(t)
	conn := srv.Pipe()
	defer conn.Close()
	talk(t, conn)
	srv.CutAfter(10)
	srv.Inject(strings.Repeat("x", 7))
	srv.Inject(strings.Repeat("y", 7))
	text, err := io.ReadAll(conn)
	require.NoError(t, err)
	assert.Equal(t, "xxxxxxxyyy", string(text))
	conn = srv.Pipe()
	talk(t, conn)
	srv.CutAfter(0)
	_, err = conn.Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.EOF)
}

func TestSlowReader(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *qmptest.Server, c *qapi.Client, _ <-chan error) {
		begin := time.Now()
		require.NoError(t, c.Stop(t.Context())) // {"execute":"stop"}\n
		assert.InDelta(t, 2*time.Second, time.Since(begin), float64(time.Second))
	}, qmptest.SlowReader(8, time.Second))
}

func TestEventFlood(t *testing.T) {
	const n = 20_000
	inBubble(t, func(t *testing.T, srv *qmptest.Server, c *qapi.Client, complaints <-chan error) {
		stops := qapi.Subscribe[qapi.StopEvent](c)
		srv.Flood(n, qapi.StopEvent{})
		srv.Emit(qapi.ResumeEvent{})
		got, lost := 0, 0
		for got+lost < n {
			_, err := stops.Next(t.Context())
			var overflow *qmp.OverflowError
			switch {
			case err == nil:
				got++
			case assert.ErrorAs(t, err, &overflow):
				lost += overflow.Lost
			default:
				return
			}
		}
		assert.Equal(t, n, got+lost)
		assert.NoError(t, c.Cont(t.Context()))
	})
}

package bind_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/bind"
	"github.com/goqapi/goqapi/qmp/codec"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// count decodes the events of these tests.
func count(e qmp.Event) (int, error) {
	var data struct {
		N int `json:"n"`
	}
	err := e.Decode(&data)
	return data.N, err
}

func TestOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := qmptest.Start(t, qmptest.Unchecked())
		var reported []error
		conn, err := srv.Dial(t.Context(), qmp.WithEventError(func(err error) { reported = append(reported, err) }))
		require.NoError(t, err)
		defer conn.Close()

		var got []int
		stop := bind.On(conn, "N", count, func(n int) { got = append(got, n) })
		for _, n := range []any{1, 2, "three", 4} {
			srv.EmitNamed("N", map[string]any{"n": n})
		}
		srv.EmitNamed("M", map[string]any{"n": 5})
		synctest.Wait()
		stop()
		srv.EmitNamed("N", map[string]any{"n": 6})
		synctest.Wait()
		assert.Equal(t, []int{1, 2, 4}, got)
		require.Len(t, reported, 1)
		assert.EqualError(t, reported[0], "qmp: event N: member /n: a string does not fit the Go type int")
		assert.PanicsWithValue(t, "qmp: the handler of N is nil", func() { bind.On(conn, "N", count, nil) })
	})
}

// decodeN returns what decodes an object with the member n into place.
func decodeN(place *int64) codec.Into {
	return func(d *codec.Decoder) {
		for name := d.Object("N"); name != nil; name = d.Member() {
			if string(name) == "n" {
				d.Int64(place)
			} else {
				d.Unknown()
			}
		}
	}
}

func TestExecute(t *testing.T) {
	srv := qmptest.Start(t, qmptest.Unchecked())
	srv.Handle("give", func(context.Context, *qmptest.Request) (any, error) { return map[string]any{"n": 7, "m": nil}, nil })
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	var n int64
	require.NoError(t, bind.Execute(t.Context(), conn, "give", decodeN(&n)))
	assert.Equal(t, int64(7), n)
	require.NoError(t, bind.Execute(t.Context(), conn, "give", nil), "a result that nobody wants")
	_, refused := errors.AsType[*qmp.Error](bind.Execute(t.Context(), conn, "take", nil))
	assert.True(t, refused)
}

func TestDecode(t *testing.T) {
	var n int64
	require.NoError(t, bind.Decode(qmp.Event{Name: "E"}, decodeN(&n)), "an event without data")
	require.NoError(t, bind.Decode(qmp.Event{Name: "E", Data: []byte(`{"n": 2}`)}, decodeN(&n)))
	assert.Equal(t, int64(2), n)
	err := bind.Decode(qmp.Event{Name: "E", Data: []byte(`{"n": {}}`)}, decodeN(&n))
	require.EqualError(t, err, "qmp: event E: member /n: a number is expected, not an object")
}

// fact is an answer of these tests' servers.
type fact int

// Once shares an answer among the handles of a connection, and one type does not get that of another.
func TestOnce(t *testing.T) {
	conn, err := qmptest.Start(t).Dial(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	asked := 0
	ask := func(context.Context) (fact, error) {
		if asked++; asked == 1 {
			return 0, errors.New("not now")
		}
		return fact(asked), nil
	}
	_, err = bind.Once(t.Context(), conn, ask)
	assert.EqualError(t, err, "not now")
	for range 3 {
		known, err := bind.Once(t.Context(), conn.With(qmp.Timeout(0)), ask)
		require.NoError(t, err)
		assert.Equal(t, fact(2), known)
	}
	other, err := bind.Once(t.Context(), conn, func(context.Context) (int, error) { return 7, nil })
	require.NoError(t, err)
	assert.Equal(t, 7, other)
}

// While one goroutine asks, others wait, until their contexts end.
func TestOnceWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, err := qmptest.Start(t).Dial(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		asked := 0
		ask := func(ctx context.Context) (fact, error) {
			asked++
			time.Sleep(time.Minute)
			return 1, ctx.Err()
		}
		short, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("too slow"))
		defer cancel()
		done := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := bind.Once(t.Context(), conn, ask)
				done <- err
			}()
		}
		synctest.Wait()
		_, err = bind.Once(short, conn, ask)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.EqualError(t, err, "qmp: waiting for bind_test.fact: context deadline exceeded: too slow")
		require.NoError(t, <-done)
		require.NoError(t, <-done)
		assert.Equal(t, 1, asked)
	})
}

// After a reconnection the server may be another.
func TestOnceReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := qmptest.Start(t)
		conn, err := qmp.DialFunc(t.Context(), func(context.Context) (io.ReadWriteCloser, error) { return srv.Pipe(), nil },
			qmp.WithReconnect(qmp.Reconnect{}))
		require.NoError(t, err)
		defer conn.Close()
		asked := fact(0)
		ask := func(context.Context) (fact, error) { asked++; return asked, nil }
		for want := range fact(3) {
			for range 2 {
				known, err := bind.Once(t.Context(), conn, ask)
				require.NoError(t, err)
				assert.Equal(t, want+1, known)
			}
			gap := conn.Subscribe(nil)
			srv.Cut()
			_, err := gap.Next(t.Context())
			_, isGap := errors.AsType[*qmp.GapError](err)
			require.True(t, isGap, "%v", err)
			require.NoError(t, conn.Execute(t.Context(), "query-status", nil, nil))
			gap.Close()
		}
	})
}

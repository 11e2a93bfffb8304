package qmptest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// A handler that ends its goroutine, as t.FailNow does, ends the connection.
func TestHandlerGone(t *testing.T) {
	for _, opts := range [][]qmp.CallOption{nil, {qmp.OutOfBand()}} {
		synctest.Test(t, func(t *testing.T) {
			srv := qmptest.New()
			srv.Handle("query-yank", func(context.Context, *qmptest.Request) (any, error) {
				new(testing.T).FailNow()
				return nil, nil
			})
			conn, err := srv.Dial(t.Context(), qmp.WithOOB())
			require.NoError(t, err)
			require.ErrorIs(t, conn.With(opts...).Execute(t.Context(), "query-yank", nil, nil), qmp.ErrClosed)
			require.NoError(t, srv.Close())
		})
	}
}

// A handler's ctx ends when its client leaves, however many commands wait after it,
// and the next client gets its turn.
func TestClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := qmptest.Start(t)
		ended := make(chan struct{})
		once := sync.OnceFunc(func() { close(ended) })
		hang := func(ctx context.Context, _ *qmptest.Request) (any, error) {
			<-ctx.Done()
			once()
			return nil, ctx.Err()
		}
		srv.Handle("stop", hang)
		srv.Handle("query-yank", hang)
		conn, err := srv.Dial(t.Context(), qmp.WithOOB())
		require.NoError(t, err)
		for range 20 {
			conn.Go(t.Context(), "stop", nil, nil, func(error) {})
			conn.With(qmp.OutOfBand()).Go(t.Context(), "query-yank", nil, nil, func(error) {})
		}
		synctest.Wait()
		conn.Close()
		<-ended
	})
}

// What was sent before a cut arrives.
func TestEmitAndCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := qmptest.Start(t)
		for range 20 {
			conn, err := srv.Dial(t.Context())
			require.NoError(t, err)
			events := conn.Subscribe(nil)
			srv.Emit(qapi.ShutdownEvent{Reason: qapi.ShutdownCauseGuestShutdown, Guest: true})
			srv.Cut()
			e, err := events.Next(t.Context())
			require.NoError(t, err)
			assert.Equal(t, "SHUTDOWN", e.Name)
			_, err = events.Next(t.Context())
			require.ErrorIs(t, err, io.EOF)
		}
	})
}

// Every client gets the events in the same order.
func TestOrderOfEvents(t *testing.T) {
	srv := qmptest.Start(t)
	const each, emitters = 100, 4
	var orders [2][]string
	var clients sync.WaitGroup
	for i := range orders {
		conn, err := srv.Dial(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		events := conn.Subscribe(nil)
		clients.Go(func() {
			for range each * emitters {
				e, err := events.Next(t.Context())
				if !assert.NoError(t, err) {
					return
				}
				orders[i] = append(orders[i], string(e.Data))
			}
		})
	}
	var emitting sync.WaitGroup
	for i := range emitters {
		emitting.Go(func() {
			for n := range each {
				srv.Emit(qapi.DeviceDeletedEvent{Device: new(fmt.Sprint(i, "-", n)), Path: "/machine"})
			}
		})
	}
	emitting.Wait()
	clients.Wait()
	assert.True(t, slices.Equal(orders[0], orders[1]))
}

// The negotiation can be refused, too.
func TestNegotiationRefused(t *testing.T) {
	srv := qmptest.Start(t)
	jammed := true
	srv.Handle("qmp_capabilities", func(context.Context, *qmptest.Request) (any, error) {
		if jammed {
			return nil, errors.New("jammed")
		}
		return nil, nil
	})
	_, err := srv.Dial(t.Context())
	require.EqualError(t, err, "qmp: handshake: qmp: qmp_capabilities: jammed")
	jammed = false
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.Execute(t.Context(), "query-status", nil, nil))
}

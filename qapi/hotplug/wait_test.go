package hotplug

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// An event that is read when the time is over is no longer in the queue, so it must count.
func TestEventAtTheEndOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := qmptest.Start(t)
		conn, err := srv.Dial(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		heard := 0
		s := state{
			events:  qapi.SubscribeEvents(qapi.NewClient(conn), []qapi.Event{qapi.StopEvent{}}),
			matters: func(qapi.Event) bool { heard++; return true },
		}
		defer s.events.Close()
		srv.Emit(qapi.StopEvent{})
		synctest.Wait()
		require.NoError(t, s.wait(t.Context(), 0))
		assert.Equal(t, 1, heard)

		srv.Emit(qapi.StopEvent{})
		synctest.Wait()
		ended, end := context.WithCancel(t.Context())
		end()
		require.ErrorIs(t, s.wait(ended, time.Second), context.Canceled)
		assert.Equal(t, 2, heard)
	})
}

// The guest was asked for a size, and no second attempt was sent: it is asked to keep what it has.
func TestBalloonThatMayHaveBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := qmptest.Start(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		lost := false
		conn, err := qmp.DialFunc(t.Context(), func(context.Context) (io.ReadWriteCloser, error) {
			if lost {
				time.Sleep(time.Second) // the second attempt waits for the connection
				cancel()
			}
			return srv.Pipe(), nil
		}, qmp.WithReconnect(qmp.Reconnect{MinDelay: time.Millisecond}))
		require.NoError(t, err)
		defer conn.Close()
		srv.Reply("query-memory-size-summary", qapi.MemoryInfo{BaseMemory: 64 << 20})
		srv.Reply("query-balloon", qapi.BalloonInfo{Actual: 48 << 20})
		var told []int64
		qmptest.Handle(srv, srv.Commands.Balloon, func(_ context.Context, args qapi.BalloonArgs) error {
			if told = append(told, args.Value); !lost {
				lost = true
				srv.Cut()
			}
			return nil
		})
		_, err = Balloon(ctx, qapi.NewClient(conn), 16<<20)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, []int64{16 << 20, 48 << 20}, told)
	})
}

package job

import (
	"testing"
	"testing/synctest"

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
		events := qapi.Subscribe[qapi.StopEvent](qapi.NewClient(conn))
		defer events.Close()
		srv.Emit(qapi.StopEvent{})
		synctest.Wait()
		heard := 0
		require.NoError(t, next(t.Context(), events, func(qapi.StopEvent) bool { heard++; return true }, 0))
		assert.Equal(t, 1, heard)
	})
}

// A handle on a job whose end was seen receives no more events.
func TestHandleIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, err := qmptest.Start(t).Dial(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		c := qapi.NewClient(conn)
		for _, name := range []string{"a", "b"} {
			require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{NodeName: &name, Driver: qapi.BlockdevOptionsNullCo{}}))
		}
		j, err := Start(t.Context(), c, qapi.BlockdevBackup{Device: "a", Target: "b", Sync: qapi.MirrorSyncModeFull})
		require.NoError(t, err)
		_, err = j.Wait(t.Context())
		require.NoError(t, err)
		for err == nil { // the job's own events come first
			_, err = j.ends.Next(t.Context())
		}
		assert.ErrorIs(t, err, qmp.ErrUnsubscribed)
	})
}

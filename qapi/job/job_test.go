package job_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/cut"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/job"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// releases are the ones that the fake plays here.
var releases = []string{"5.2", "7.2", "10.0", "11.1"}

// onFake runs f against the fake of each release, in a bubble.
func onFake(t *testing.T, f func(t *testing.T, srv *qmptest.Server, c *qapi.Client)) {
	for _, release := range releases {
		t.Run(release, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := qmptest.Start(t, qmptest.Release(release))
				conn, err := srv.Dial(t.Context())
				require.NoError(t, err)
				t.Cleanup(func() { conn.Close() })
				f(t, srv, qapi.NewClient(conn))
			})
		})
	}
}

// reconnecting is a client whose connection is made again when it is lost.
func reconnecting(t *testing.T, cutter *cut.Cutter) *qapi.Client {
	t.Helper()
	conn, err := qmp.DialFunc(t.Context(), cutter.Dial,
		qmp.WithReconnect(qmp.Reconnect{MinDelay: time.Millisecond, MaxDelay: time.Millisecond}),
		qmp.WithHandshakeTimeout(time.Second)) // QEMU 5.2 may not notice at once that it was dialled
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return qapi.NewClient(conn)
}

// cutEverywhere runs an operation again and again, with the connection cut at each message.
func cutEverywhere(t *testing.T, c *qapi.Client, cutter *cut.Cutter, op operation) {
	for _, how := range []cut.How{cut.Unsent, cut.Unanswered} {
		for n, reached := 1, true; reached; n++ {
			dir := t.TempDir()
			op.prep(t, c, dir)
			cutter.At(n, how)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			assert.NoError(t, op.run(ctx, c, dir), "cut at message %d, %s", n, how)
			cancel()
			reached = cutter.Reached()
			assert.Empty(t, leftovers(t, c, op), "cut at message %d, %s", n, how)
			require.Less(t, n, 200)
			if t.Failed() {
				return
			}
			if !reached {
				t.Logf("%s: cut %d times, %s", op.name, n-1, how)
			}
		}
	}
}

func TestOperationsWhoseConnectionIsCut(t *testing.T) {
	onFake(t, func(t *testing.T, srv *qmptest.Server, _ *qapi.Client) {
		cutter := cut.New(func(context.Context) (io.ReadWriteCloser, error) { return srv.Pipe(), nil })
		c := reconnecting(t, cutter)
		for _, op := range operations {
			cutEverywhere(t, c, cutter, op)
		}
	})
}

var _ = errors.New
var _ = job.Run[qapi.BlockdevBackup]

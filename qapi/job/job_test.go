package job_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/cut"
	"github.com/goqapi/goqapi/qapi"
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

func TestOperationsWhoseConnectionIsCut(t *testing.T) {
	onFake(t, func(t *testing.T, srv *qmptest.Server, _ *qapi.Client) {
		cutEverywhere(t, cut.New(func(context.Context) (io.ReadWriteCloser, error) { return srv.Pipe(), nil }))
	})
}

// cutEverywhere runs each operation again and again, with the connection cut at each message.
func cutEverywhere(t *testing.T, cutter *cut.Cutter) {
	c := cutter.Client(t)
	for _, op := range operations {
		cut.Everywhere(t, func(n int, how cut.How) bool {
			dir := t.TempDir()
			op.prep(t, c, dir)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			cutter.At(n, how)
			assert.NoError(t, op.run(ctx, c, dir), "%s: cut at message %d, %s", op.name, n, how)
			reached := cutter.Reached()
			assert.Empty(t, leftovers(t, c, op), "%s: cut at message %d, %s", op.name, n, how)
			return reached
		})
	}
}

func TestOperationsThatAreGivenUp(t *testing.T) {
	onFake(t, func(t *testing.T, srv *qmptest.Server, _ *qapi.Client) {
		giveUpEverywhere(t, cut.New(func(context.Context) (io.ReadWriteCloser, error) { return srv.Pipe(), nil }))
	})
}

// giveUpEverywhere runs each operation again and again; ctx ends at each message.
func giveUpEverywhere(t *testing.T, cutter *cut.Cutter) {
	c := cutter.Client(t)
	for _, op := range operations {
		for n, reached := 1, true; reached && !t.Failed(); n++ {
			dir := t.TempDir()
			op.prep(t, c, dir)
			ctx, cancel := context.WithCancel(t.Context())
			cutter.Before(n, cancel)
			start := time.Now()
			if err := op.run(ctx, c, dir); err != nil { // unless it was done already
				assert.ErrorIs(t, err, context.Canceled, "%s: given up at message %d", op.name, n)
			}
			reached = cutter.Reached()
			cancel()
			assert.Less(t, time.Since(start), 5*time.Second)
			assert.Empty(t, leftovers(t, c, op), "%s: given up at message %d", op.name, n)
		}
	}
}

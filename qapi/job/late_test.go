package job_test

import (
	"context"
	"io"
	"sync"
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

// A job that dismisses itself ends after the connection was lost: the event after the gap shows how
// it has ended.
func TestEndAfterAGap(t *testing.T) {
	onFake(t, func(t *testing.T, srv *qmptest.Server, _ *qapi.Client) {
		c := cut.New(func(context.Context) (io.ReadWriteCloser, error) { return srv.Pipe(), nil }).Client(t)
		addNodes(t, c, size, "a", "b")
		j, err := job.Start(t.Context(), c, func(ctx context.Context, id string) error {
			args := slow()
			args.JobID = &id
			return c.BlockdevBackup(ctx, args)
		})
		require.NoError(t, err)
		srv.Cut()
		time.Sleep(time.Second) // the connection is made again
		require.NoError(t, c.BlockJobSetSpeed(t.Context(), qapi.BlockJobSetSpeedArgs{Device: j.ID(), Speed: 0}))
		time.Sleep(time.Minute)
		info, err := j.Wait(t.Context())
		require.NoError(t, err)
		assert.Equal(t, qapi.JobTypeBackup, info.Type)
	})
}

// The job is dismissed when any call that waits for its end returns.
func TestDismissedForEveryone(t *testing.T) {
	onFake(t, func(t *testing.T, srv *qmptest.Server, c *qapi.Client) {
		addNodes(t, c, size, "a", "b")
		dismiss := srv.Handler("job-dismiss")
		srv.Handle("job-dismiss", func(ctx context.Context, req *qmptest.Request) (any, error) {
			time.Sleep(8 * time.Second)
			return dismiss(ctx, req)
		})
		args := slow()
		args.Speed = nil
		j, err := job.Start(t.Context(), c, args)
		require.NoError(t, err)
		var waiting sync.WaitGroup
		for i := range 3 {
			waiting.Go(func() {
				time.Sleep(time.Duration(i) * 2 * time.Second)
				_, err := j.Wait(t.Context())
				assert.NoError(t, err)
				assert.Equal(t, 1, srv.Count("job-dismiss"))
				jobs, err := c.QueryJobs(t.Context())
				assert.NoError(t, err)
				assert.Empty(t, jobs)
			})
		}
		waiting.Wait()
	})
}

// A cancelled job still counts as cancelled if it is cancelled again after its end.
func TestCancelledTwice(t *testing.T) {
	onFake(t, func(t *testing.T, srv *qmptest.Server, c *qapi.Client) {
		addNodes(t, c, size, "a", "b")
		j, err := job.Start(t.Context(), c, slow())
		require.NoError(t, err)
		require.NoError(t, j.Cancel(t.Context()))
		srv.Reply("query-jobs", []qapi.JobInfo{{
			ID: "slow", Type: qapi.JobTypeBackup, Status: qapi.JobStatusConcluded, Error: new("stopped"),
		}})
		_, err = j.Info(t.Context())
		require.NoError(t, err)
		require.NoError(t, j.Cancel(t.Context()))
		_, err = j.Wait(t.Context())
		assert.Equal(t, &job.Error{Job: "slow", Type: qapi.JobTypeBackup, Reason: "stopped", Cancelled: true}, err)
	})
}

// One of two jobs does not end when it is cancelled: the other is cancelled nevertheless.
func TestAllAreCancelled(t *testing.T) {
	onFake(t, func(t *testing.T, srv *qmptest.Server, c *qapi.Client) {
		args := slowTransaction(t, c, nil)
		args.Properties = &qapi.TransactionProperties{CompletionMode: new(qapi.ActionCompletionModeIndividual)}
		var told []string
		qmptest.Handle(srv, srv.Commands.JobCancel, func(_ context.Context, args qapi.JobCancelArgs) error {
			told = append(told, args.ID)
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := job.Transaction(ctx, c, args)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Subset(t, told, []string{"slow", "other"})
	})
}

// A limit that is not positive means the default.
func TestNoLimit(t *testing.T) {
	onFake(t, func(t *testing.T, _ *qmptest.Server, c *qapi.Client) {
		addNodes(t, c, size, "a", "b")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := job.Backup(ctx, c, slow(), job.Limit(-1))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.NotContains(t, err.Error(), "left behind")
		assert.Empty(t, leftovers(t, c, []string{"b", "a"}))
	})
}

// A dump fails after ctx has ended, and its event comes later than its status.
func TestReasonOfALateDump(t *testing.T) {
	onFake(t, func(t *testing.T, srv *qmptest.Server, c *qapi.Client) {
		start := time.Now()
		none, failed := qapi.DumpQueryResult{Status: qapi.DumpStatusNone}, qapi.DumpQueryResult{Status: qapi.DumpStatusFailed}
		srv.Reply("dump-guest-memory", struct{}{})
		qmptest.Handle(srv, srv.Commands.QueryDump, func(context.Context) (qapi.DumpQueryResult, error) {
			switch {
			case srv.Count("dump-guest-memory") == 0:
				return none, nil
			case time.Since(start) < 3*time.Second:
				return qapi.DumpQueryResult{Status: qapi.DumpStatusActive}, nil
			}
			time.AfterFunc(500*time.Millisecond, func() {
				srv.Emit(qapi.DumpCompletedEvent{Result: failed, Error: new("no space")})
			})
			return failed, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := job.Dump(ctx, c, qapi.DumpGuestMemoryArgs{Protocol: "file:/d"})
		assert.EqualError(t, err, "job: memory dump: no space")
		synctest.Wait()
	})
}

// After the dump was started, query-dump is refused: the last answer before that counts.
func TestDumpThatCannotBeAskedFor(t *testing.T) {
	onFake(t, func(t *testing.T, srv *qmptest.Server, c *qapi.Client) {
		srv.Reply("dump-guest-memory", struct{}{})
		active := qapi.DumpQueryResult{Status: qapi.DumpStatusActive, Completed: 1, Total: 4}
		qmptest.Handle(srv, srv.Commands.QueryDump, func(context.Context) (qapi.DumpQueryResult, error) {
			switch srv.Count("query-dump") {
			case 1:
				return qapi.DumpQueryResult{Status: qapi.DumpStatusNone}, nil
			case 2:
				return active, nil
			}
			return qapi.DumpQueryResult{}, &qmp.Error{Class: qmp.ClassGenericError, Desc: "not now"}
		})
		how, err := job.Dump(t.Context(), c, qapi.DumpGuestMemoryArgs{Protocol: "file:/d"})
		assert.ErrorContains(t, err, "left behind: the dump, which cannot be cancelled (qmp: query-dump: not now)")
		assert.Equal(t, active, how)
	})
}

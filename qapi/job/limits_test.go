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
	"github.com/goqapi/goqapi/qapi/migration"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// A job that does not end when it is cancelled: the call returns at its limit, and the error says
// what was left.
func TestLimit(t *testing.T) {
	onFake(t, func(t *testing.T, srv *qmptest.Server, c *qapi.Client) {
		addNodes(t, c, size, "a", "b")
		qmptest.Handle(srv, srv.Commands.JobCancel, func(context.Context, qapi.JobCancelArgs) error { return nil })
		for limit, opts := range map[time.Duration][]job.Option{
			10 * time.Second: nil,
			time.Minute:      {job.Limit(time.Minute)},
		} {
			args := slow()
			args.Speed = new(int64(1)) // in the fake's time a second passes with each question
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			_, err := job.Backup(ctx, c, args, opts...)
			assert.Equal(t, time.Second+limit, time.Since(start))
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.EqualError(t, err, `job: backup "slow": waiting for it to end: context deadline exceeded; `+
				`left behind: the job (job: backup "slow": waiting for it to end: context deadline exceeded)`)
			srv.Handle("job-cancel", nil)
			j, err := job.Attach(t.Context(), c, "slow")
			require.NoError(t, err)
			require.NoError(t, j.Cancel(t.Context()))
			_, err = j.Wait(t.Context())
			assert.Error(t, err)
			qmptest.Handle(srv, srv.Commands.JobCancel, func(context.Context, qapi.JobCancelArgs) error { return nil })
		}
	})
}

// A server that does not answer any more.
func TestSilence(t *testing.T) {
	onFake(t, func(t *testing.T, srv *qmptest.Server, c *qapi.Client) {
		addNodes(t, c, size, "a", "b")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		srv.Stall(time.Hour)
		args := slow()
		args.JobID = nil // the first message is then the command itself
		_, err := job.Backup(ctx, c, args, job.Limit(2*time.Second))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, "left behind: the job (")
		assert.LessOrEqual(t, time.Since(start), 3*time.Second)
	})
}

// After the connection was lost, another server answers: it has no such job.
func TestAnotherServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := qmptest.Start(t), qmptest.Start(t)
		now := first
		cutter := cut.New(func(context.Context) (io.ReadWriteCloser, error) { return now.Pipe(), nil })
		c := cutter.Client(t)
		addNodes(t, c, size, "a", "b")
		j, err := job.Start(t.Context(), c, slow())
		require.NoError(t, err)
		now = second
		first.Cut()
		_, err = j.Wait(t.Context())
		assert.ErrorIs(t, err, job.ErrGone)
		assert.EqualError(t, err, `job: backup "slow": the server has no such job`)
		assert.ErrorIs(t, j.Cancel(t.Context()), job.ErrGone)
	})
}

// The connection ends for good: whether the job continues is not known.
func TestConnectionEnds(t *testing.T) {
	onFake(t, func(t *testing.T, srv *qmptest.Server, c *qapi.Client) {
		addNodes(t, c, size, "a", "b")
		qmptest.Handle(srv, srv.Commands.QueryJobs, func(context.Context) ([]qapi.JobInfo, error) {
			srv.Cut()
			return nil, qmptest.ErrNoReply
		})
		args := slow()
		args.JobID = nil
		_, err := job.Backup(t.Context(), c, args)
		assert.ErrorIs(t, err, qmp.ErrClosed)
		assert.ErrorContains(t, err, "whether it goes on is not known")
	})
}

// QEMU sometimes pauses a job that is ready for a moment.
func TestCompletionIsTriedAgain(t *testing.T) {
	onFake(t, func(t *testing.T, srv *qmptest.Server, c *qapi.Client) {
		refuse := 3
		complete := srv.Handler("job-complete")
		srv.Handle("job-complete", func(ctx context.Context, req *qmptest.Request) (any, error) {
			if refuse--; refuse >= 0 {
				return nil, &qmp.Error{Class: qmp.ClassGenericError, Desc: "not now"}
			}
			return complete(ctx, req)
		})
		addNodes(t, c, size, "a", "b")
		_, err := job.Mirror(t.Context(), c, mirror())
		assert.NoError(t, err)

		refuse = 1000
		_, err = job.Mirror(t.Context(), c, mirror())
		assert.ErrorContains(t, err, "not now")
		failed, ok := errors.AsType[*job.Error](err)
		require.True(t, ok, "%v", err)
		assert.True(t, failed.Cancelled, "it is not left")
		jobs, err := c.QueryJobs(t.Context())
		require.NoError(t, err)
		assert.Empty(t, jobs)
	})
}

// A dump cannot be cancelled.
func TestDumpThatIsGivenUp(t *testing.T) {
	onFake(t, func(t *testing.T, srv *qmptest.Server, c *qapi.Client) {
		active := qapi.DumpQueryResult{Status: qapi.DumpStatusActive, Completed: 1, Total: 4}
		srv.Reply("query-dump", qapi.DumpQueryResult{Status: qapi.DumpStatusNone}, active)
		srv.Reply("dump-guest-memory", struct{}{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var seen job.Progress
		start := time.Now()
		_, err := job.Dump(ctx, c, qapi.DumpGuestMemoryArgs{Protocol: "file:/d"}, job.OnProgress(func(p job.Progress) { seen = p }))
		assert.EqualError(t, err, "job: memory dump: context deadline exceeded; left behind: "+
			"the dump, which cannot be cancelled (context deadline exceeded)")
		assert.Equal(t, 11*time.Second, time.Since(start))
		assert.Equal(t, job.Progress{Done: 1, Total: 4, Percent: 25}, seen)
		assert.Equal(t, "25 %", seen.String())
	})
}

// The connection is cut, or ctx ends, at each message of a dump and of a background snapshot.
func TestMachineWhoseConnectionIsCut(t *testing.T) {
	played := releases[1:] // it is in 6.0 and later
	if testing.Short() {
		played = played[2:]
	}
	for _, release := range played {
		t.Run(release, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				try := func(how cut.How, n int, do func(context.Context, *qapi.Client) error) (err error, reached bool) {
					srv := qmptest.Start(t, qmptest.Release(release))
					cutter := cut.New(func(context.Context) (io.ReadWriteCloser, error) { return srv.Pipe(), nil })
					c := cutter.Client(t)
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					if how == "" {
						cutter.Before(n, cancel)
					} else {
						cutter.At(n, how)
					}
					err = do(ctx, c)
					reached = cutter.Reached()
					capabilities, asking := c.QueryMigrateCapabilities(t.Context())
					require.NoError(t, asking)
					for _, have := range capabilities {
						if have.Capability == qapi.MigrationCapabilityBackgroundSnapshot {
							assert.False(t, have.State)
						}
					}
					return err, reached
				}
				for _, do := range []func(context.Context, *qapi.Client) error{dumpOnce, backgroundOnce} {
					cut.Everywhere(t, func(n int, how cut.How) bool {
						err, reached := try(how, n, do)
						assert.NoError(t, err, "cut at message %d, %s", n, how)
						return reached
					})
					for n, reached := 1, true; reached; n++ {
						var err error
						if err, reached = try("", n, do); err != nil {
							assert.ErrorIs(t, err, context.Canceled, "given up at message %d", n)
						}
					}
				}
			})
		})
	}
}

func dumpOnce(ctx context.Context, c *qapi.Client) error {
	_, err := job.Dump(ctx, c, qapi.DumpGuestMemoryArgs{Protocol: "file:/d"})
	return err
}

func backgroundOnce(ctx context.Context, c *qapi.Client) error {
	_, err := job.BackgroundSnapshot(ctx, c, migration.Exec("/bin/sh", "-c", "cat > /state"))
	return err
}

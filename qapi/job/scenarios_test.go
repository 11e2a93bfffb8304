package job_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/cut"
	"github.com/goqapi/goqapi/internal/deadline"
	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/job"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// A scenario is what a user does, on the fake and on real QEMUs.
type scenario struct {
	name  string
	nodes []string // the nodes that it leaves, in the order in which they can be removed
	play  func(t *testing.T, c *qapi.Client)
}

var scenarios = []scenario{
	{"progress", []string{"b", "a"}, playProgress},
	{"cancelled by the user", []string{"b", "a"}, playCancel},
	{"cancelled by ctx", []string{"b", "a"}, playContext},
	{"a mirror that is ready is cancelled", []string{"b", "a"}, playReadyMirror},
	{"a mirror step by step", []string{"b", "a"}, playMirror},
	{"other size", []string{"small", "a"}, playOtherSize},
	{"no such node", nil, playNoNode},
	{"an image that cannot be made", nil, playCreateFails},
	{"pause", []string{"b", "a"}, playPause},
	{"finalize", []string{"b", "a"}, playFinalize},
	{"id that is taken", []string{"b", "a"}, playTaken},
	{"attach", []string{"b", "a"}, playAttach},
	{"a job that dismisses itself", []string{"b", "a"}, playAutoDismiss},
	{"source that fails", []string{"b", "bad"}, playBadSource},
	{"transaction of which one fails", []string{"b", "a", "b1", "bad"}, playTransactionFails},
	{"transaction that is cancelled", []string{"b", "a", "b1", "a1"}, playTransactionCancelled},
	{"transaction that waits", []string{"b", "a", "b1", "a1"}, playTransactionPending},
	{"other actions", []string{"b", "a"}, playOtherActions},
}

func TestScenarios(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			onFake(t, func(t *testing.T, _ *qmptest.Server, c *qapi.Client) {
				s.play(t, c)
				assert.Empty(t, leftovers(t, c, s.nodes))
			})
		})
	}
}

func TestQEMUScenarios(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		c := cut.New(q.Run(t).Dial).Client(t)
		for _, s := range scenarios {
			t.Run(s.name, func(t *testing.T) {
				s.play(t, c)
				assert.Empty(t, leftovers(t, c, s.nodes))
			})
		}
	})
}

// slow starts a backup from a to b that takes minutes.
func slow() qapi.BlockdevBackup {
	return qapi.BlockdevBackup{
		JobID: new("slow"), Device: "a", Target: "b", Sync: qapi.MirrorSyncModeFull, Speed: new(int64(size / 256)),
	}
}

func playProgress(t *testing.T, c *qapi.Client) {
	addNodes(t, c, size, "a", "b")
	args := slow()
	args.Speed = new(int64(size * 3 / 4))
	var seen []job.Progress
	info, err := job.Backup(t.Context(), c, args, job.OnProgress(func(p job.Progress) { seen = append(seen, p) }))
	require.NoError(t, err)
	assert.Equal(t, qapi.JobInfo{
		ID: "slow", Type: qapi.JobTypeBackup, Status: qapi.JobStatusConcluded, CurrentProgress: size, TotalProgress: size,
	}, info)
	require.Greater(t, len(seen), 1)
	for i, p := range seen[1:] {
		assert.GreaterOrEqual(t, p.Done, seen[i].Done)
		assert.Equal(t, int64(size), p.Total)
	}
	last := seen[len(seen)-1]
	assert.Equal(t, job.Progress{Done: size, Total: size, Percent: 100, Rate: last.Rate}, last)
	assert.Positive(t, last.Rate)
}

func playCancel(t *testing.T, c *qapi.Client) {
	addNodes(t, c, size, "a", "b")
	j, err := job.Start(t.Context(), c, slow())
	require.NoError(t, err)
	require.NoError(t, j.Cancel(t.Context()))
	_, err = j.Wait(t.Context())
	assert.Equal(t, &job.Error{Job: "slow", Type: qapi.JobTypeBackup, Reason: "Operation canceled", Cancelled: true}, err)
	assert.EqualError(t, err, `job: backup "slow" was cancelled`)

	assert.NoError(t, j.Cancel(t.Context()), "it has ended")
	_, again := j.Wait(t.Context())
	assert.Equal(t, err, again)
}

func playContext(t *testing.T, c *qapi.Client) {
	addNodes(t, c, size, "a", "b")
	ctx, pass := deadline.Context(t)
	_, err := job.Run(ctx, c, slow(), job.OnProgress(func(job.Progress) { pass() })) // when it runs
	assert.Equal(t, &job.Error{
		Job: "slow", Type: qapi.JobTypeBackup, Reason: "Operation canceled", Cancelled: true, Cause: context.DeadlineExceeded,
	}, err)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.EqualError(t, err, `job: backup "slow" was cancelled: context deadline exceeded`)
}

func mirror() qapi.BlockdevMirrorArgs {
	return qapi.BlockdevMirrorArgs{Device: "a", Target: "b", Sync: qapi.MirrorSyncModeFull}
}

func playReadyMirror(t *testing.T, c *qapi.Client) {
	addNodes(t, c, size, "a", "b")
	j, err := job.Start(t.Context(), c, mirror())
	require.NoError(t, err)
	require.NoError(t, j.Ready(t.Context()))
	require.NoError(t, j.Cancel(t.Context()))
	_, err = j.Wait(t.Context())
	failed, ok := errors.AsType[*job.Error](err)
	require.True(t, ok, "%v", err)
	assert.True(t, failed.Cancelled)
	assert.Equal(t, failed, j.Ready(t.Context()), "it will not be ready any more")
}

func playMirror(t *testing.T, c *qapi.Client) {
	addNodes(t, c, size, "a", "b")
	j, err := job.Start(t.Context(), c, mirror())
	require.NoError(t, err)
	require.NoError(t, j.Ready(t.Context()))
	p, err := j.Progress(t.Context())
	require.NoError(t, err)
	assert.InDelta(t, 100, p.Percent, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = j.Wait(ctx)
	assert.ErrorIs(t, err, context.DeadlineExceeded, "a mirror ends when it is told to")
	require.NoError(t, j.Complete(t.Context()), "it has gone on")
	info, err := j.Wait(t.Context())
	require.NoError(t, err)
	assert.Equal(t, qapi.JobTypeMirror, info.Type)
	require.NoError(t, j.Ready(t.Context()), "it has ended well")
}

func playOtherSize(t *testing.T, c *qapi.Client) {
	addNodes(t, c, size, "a")
	addNodes(t, c, size/2, "small")
	for _, err := range []error{
		second(job.Mirror(t.Context(), c, qapi.BlockdevMirrorArgs{Device: "a", Target: "small", Sync: qapi.MirrorSyncModeFull})),
		second(job.Backup(t.Context(), c, qapi.BlockdevBackup{Device: "a", Target: "small", Sync: qapi.MirrorSyncModeFull})),
	} {
		assert.ErrorContains(t, err, "size")
	}
}

func second[A any](_ A, err error) error { return err }

func playNoNode(t *testing.T, c *qapi.Client) {
	_, err := job.Backup(t.Context(), c, slow())
	assert.True(t, qapi.IsNotFound(err), "%v", err)
	assert.ErrorContains(t, err, `job: backup "slow" cannot be started: qmp: blockdev-backup: `)
	_, err = job.Attach(t.Context(), c, "nothing")
	assert.ErrorIs(t, err, job.ErrGone)
	assert.EqualError(t, err, `job: "nothing": the server has no such job`)
}

func playCreateFails(t *testing.T, c *qapi.Client) {
	_, err := job.Run(t.Context(), c, qapi.BlockdevCreateArgs{JobID: "new", Options: qapi.BlockdevCreateOptions{
		Driver: qapi.BlockdevCreateOptionsQcow2{File: qapi.Str("nothing"), Size: size},
	}})
	failed, ok := errors.AsType[*job.Error](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, job.Error{Job: "new", Type: qapi.JobTypeCreate, Reason: failed.Reason}, *failed)
	assert.Contains(t, failed.Reason, "nothing")
	assert.EqualError(t, err, `job: create "new": `+failed.Reason)
}

func playPause(t *testing.T, c *qapi.Client) {
	addNodes(t, c, size, "a", "b")
	j, err := job.Start(t.Context(), c, slow())
	require.NoError(t, err)
	assert.Equal(t, "slow", j.ID())
	assert.Error(t, j.Resume(t.Context()), "it is not paused")
	require.NoError(t, j.Pause(t.Context()))
	assert.Error(t, j.Pause(t.Context()), "it is paused already")
	require.NoError(t, j.Resume(t.Context()))
	require.NoError(t, j.SetSpeed(t.Context(), 0))
	_, err = j.Finish(t.Context())
	assert.NoError(t, err)
	assert.Error(t, j.SetSpeed(t.Context(), 1), "it has ended")
}

func playFinalize(t *testing.T, c *qapi.Client) {
	addNodes(t, c, size, "a", "b")
	args := slow()
	args.Speed, args.AutoFinalize = nil, new(false)
	j, err := job.Start(t.Context(), c, args)
	require.NoError(t, err)
	require.NoError(t, j.Pending(t.Context()))
	info, err := j.Info(t.Context())
	require.NoError(t, err)
	assert.Equal(t, qapi.JobStatusPending, info.Status)
	require.NoError(t, j.Finalize(t.Context()))
	_, err = j.Wait(t.Context())
	require.NoError(t, err)

	_, err = job.Backup(t.Context(), c, args)
	assert.NoError(t, err, "it is finalized by itself")
}

func playTaken(t *testing.T, c *qapi.Client) {
	addNodes(t, c, size, "a", "b")
	first, err := job.Start(t.Context(), c, slow())
	require.NoError(t, err)
	_, err = job.Start(t.Context(), c, slow())
	assert.EqualError(t, err, `job: backup "slow" cannot be started: there is a job with this id already`)
	require.NoError(t, first.Cancel(t.Context()))
	_, err = first.Wait(t.Context())
	assert.Error(t, err)
}

func playAttach(t *testing.T, c *qapi.Client) {
	addNodes(t, c, size, "a", "b")
	lost, err := job.Start(t.Context(), c, slow())
	require.NoError(t, err)
	lost.Close()
	j, err := job.Attach(t.Context(), c, "slow")
	require.NoError(t, err)
	assert.Equal(t, `job: backup "slow"`, j.String())
	require.NoError(t, j.SetSpeed(t.Context(), 0))
	_, err = j.Wait(t.Context())
	assert.NoError(t, err)
	_, err = lost.Wait(t.Context())
	assert.ErrorIs(t, err, job.ErrGone)
}

func playAutoDismiss(t *testing.T, c *qapi.Client) {
	addNodes(t, c, size, "a", "b")
	start := func(ctx context.Context, id string) error {
		args := slow()
		args.JobID, args.Speed = &id, nil
		return c.BlockdevBackup(ctx, args)
	}
	info, err := job.Run(t.Context(), c, start)
	require.NoError(t, err)
	assert.Equal(t, qapi.JobTypeBackup, info.Type)

	j, err := job.Start(t.Context(), c, func(ctx context.Context, id string) error {
		args := slow()
		args.JobID = &id
		return c.BlockdevBackup(ctx, args)
	})
	require.NoError(t, err)
	require.NoError(t, j.Cancel(t.Context()))
	_, err = j.Wait(t.Context())
	failed, ok := errors.AsType[*job.Error](err)
	require.True(t, ok, "%v", err)
	assert.True(t, failed.Cancelled)
}

// addBad adds a node that cannot be read from.
func addBad(t *testing.T, c *qapi.Client) {
	t.Helper()
	require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{
		NodeName: new("bad"), Driver: qapi.BlockdevOptionsBlkdebug{
			Image: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsNullCo{Size: new(int64(size))}},
			InjectError: []qapi.BlkdebugInjectErrorOptions{{
				Event: qapi.BlkdebugEventNone, Errno: new(int64(5)), Iotype: new(qapi.BlkdebugIOTypeRead),
			}},
		},
	}))
}

func playBadSource(t *testing.T, c *qapi.Client) {
	addBad(t, c)
	addNodes(t, c, size, "b")
	args := slow()
	args.Device, args.Speed = "bad", nil
	_, err := job.Backup(t.Context(), c, args)
	assert.Equal(t, &job.Error{Job: "slow", Type: qapi.JobTypeBackup, Reason: "Input/output error"}, err)
}

func backupAction(args qapi.BlockdevBackup) qapi.TransactionAction {
	return qapi.TransactionAction{Type: qapi.TransactionActionBlockdevBackup(args)}
}

func playTransactionFails(t *testing.T, c *qapi.Client) {
	addBad(t, c)
	addNodes(t, c, size, "a", "b", "b1")
	fails := qapi.BlockdevBackup{Device: "bad", Target: "b1", Sync: qapi.MirrorSyncModeFull}
	for _, properties := range []*qapi.TransactionProperties{
		nil, {CompletionMode: new(qapi.ActionCompletionModeIndividual)},
	} {
		infos, err := job.Transaction(t.Context(), c, qapi.TransactionArgs{
			Actions:    []qapi.TransactionAction{backupAction(slow()), backupAction(fails)},
			Properties: properties,
		})
		failed, ok := errors.AsType[*job.Error](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, "Input/output error", failed.Reason)
		require.Len(t, infos, 2)
		assert.Equal(t, "Operation canceled", qapi.Value(infos[0].Error))
	}
}

func slowTransaction(t *testing.T, c *qapi.Client, finalize *bool) qapi.TransactionArgs {
	t.Helper()
	addNodes(t, c, size, "a", "b", "a1", "b1")
	first, other := slow(), slow()
	other.JobID, other.Device, other.Target = new("other"), "a1", "b1"
	first.AutoFinalize, other.AutoFinalize = finalize, finalize
	return qapi.TransactionArgs{Actions: []qapi.TransactionAction{
		{Type: (*qapi.TransactionActionBlockdevBackup)(&first)}, backupAction(other),
	}}
}

func playTransactionCancelled(t *testing.T, c *qapi.Client) {
	args := slowTransaction(t, c, nil)
	ctx, pass := deadline.Context(t)
	_, err := job.Transaction(ctx, c, args, job.OnProgress(func(job.Progress) { pass() }))
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	failed, ok := errors.AsType[*job.Error](err)
	require.True(t, ok, "%v", err)
	assert.True(t, failed.Cancelled)
}

func playTransactionPending(t *testing.T, c *qapi.Client) {
	jobs, err := job.StartTransaction(t.Context(), c, slowTransaction(t, c, new(false)))
	require.NoError(t, err)
	require.Len(t, jobs, 2)
	for _, j := range jobs {
		require.NoError(t, j.SetSpeed(t.Context(), 0))
	}
	for _, j := range jobs {
		require.NoError(t, j.Pending(t.Context()))
	}
	require.NoError(t, jobs[1].Finalize(t.Context()))
	for _, j := range jobs {
		_, err := j.Wait(t.Context())
		assert.NoError(t, err)
	}
}

func playOtherActions(t *testing.T, c *qapi.Client) {
	addNodes(t, c, size, "a", "b")
	bitmap := qapi.TransactionAction{Type: qapi.TransactionActionBlockDirtyBitmapAdd{Node: "a", Name: "m"}}
	infos, err := job.Transaction(t.Context(), c, qapi.TransactionArgs{Actions: []qapi.TransactionAction{bitmap}})
	assert.NoError(t, err)
	assert.Empty(t, infos)
	require.NoError(t, c.BlockDirtyBitmapRemove(t.Context(), qapi.BlockDirtyBitmap{Node: "a", Name: "m"}))

	backup := slow()
	backup.Speed = nil
	infos, err = job.Transaction(t.Context(), c, qapi.TransactionArgs{
		Actions: []qapi.TransactionAction{bitmap, backupAction(backup)},
	})
	assert.NoError(t, err)
	assert.Len(t, infos, 1)
}

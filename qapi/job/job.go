package job

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/goqapi/goqapi/internal/progress"
	"github.com/goqapi/goqapi/internal/retry"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// A Job is a handle on a job. Any number of goroutines may use it.
//
// QEMU keeps a job that has ended until its end has been read, by [Job.Wait] for example.
// If you do not wait for its end, call [Job.Close]: it releases the handle, and the job continues.
type Job struct {
	c    *qapi.Client
	id   string
	opts options

	mu    sync.Mutex
	info  qapi.JobInfo // as it was seen last
	ended bool
	kept  bool  // QEMU keeps the job, which has ended: it must be dismissed
	asked bool  // this handle has cancelled the job
	left  error // why the job could not be dismissed
	meter progress.Meter
	how   progress.Reading

	// ends is a subscription to the events about the ends of block jobs, made before this
	// job began. It is read if the job is not found: only these events show how a job
	// that dismisses itself has ended.
	ends *qmp.Stream[qapi.Event]

	dismissing sync.Once
}

func newJob(c *qapi.Client, id string, kind qapi.JobType, opts options) *Job {
	ends := []qapi.Event{qapi.BlockJobCompletedEvent{}, qapi.BlockJobCancelledEvent{}}
	return &Job{
		c: c, id: id, opts: opts, info: qapi.JobInfo{ID: id, Type: kind},
		ends: qapi.SubscribeEvents(c, ends, qmp.Buffer(256)),
	}
}

// Attach returns a handle on an existing job, for example after a restart of the program that
// started it. The job may have ended. The error wraps [ErrGone] if there is no such job.
func Attach(ctx context.Context, c *qapi.Client, id string, opts ...Option) (*Job, error) {
	j := newJob(c, id, "", newOptions(opts))
	if _, err := j.Info(ctx); err != nil {
		j.Close()
		return nil, err
	}
	return j, nil
}

// ID returns the job's id.
func (j *Job) ID() string { return j.id }

// Close releases the handle. The job continues. If it ends, QEMU keeps it until somebody reads its end.
func (j *Job) Close() { j.ends.Close() }

// Info asks for the state of the job. After its end Info returns the last state.
func (j *Job) Info(ctx context.Context) (qapi.JobInfo, error) {
	if err := look(ctx, j.c, []*Job{j}); err != nil {
		return qapi.JobInfo{}, err
	}
	info, _ := j.last()
	return info, nil
}

// Progress asks how far the job is. The rate and the time left are computed from all that this handle has seen
// of the job.
func (j *Job) Progress(ctx context.Context) (Progress, error) {
	if err := look(ctx, j.c, []*Job{j}); err != nil {
		return Progress{}, err
	}
	return progressOf(j), nil
}

// Wait waits until the job has ended, and returns it as it was then: with an [*Error] if it
// has failed or was cancelled. It only waits: it does not complete a mirror, and the job goes
// on if ctx ends.
func (j *Job) Wait(ctx context.Context) (qapi.JobInfo, error) {
	err := await(ctx, j.c, []*Job{j}, func(context.Context) (bool, error) { return j.hasEnded(), nil })
	if err != nil {
		return qapi.JobInfo{}, j.waiting("it to end", err)
	}
	return j.result()
}

// Ready waits until the job is ready to be completed, as a mirror is when it has caught up.
// It also returns nil if the job has succeeded without being ready before, as most jobs do, and an
// [*Error] if it has failed or was cancelled.
func (j *Job) Ready(ctx context.Context) error {
	return j.reach(ctx, "it to be ready", qapi.JobStatusReady, qapi.JobStatusStandby)
}

// Pending waits until the job, started with AutoFinalize set to false, waits to be finalized.
// It also returns nil if the job has succeeded without being pending before, and an [*Error] if it
// has failed or was cancelled.
func (j *Job) Pending(ctx context.Context) error {
	return j.reach(ctx, "it to be pending", qapi.JobStatusPending)
}

// reach waits until the job is in one of some states, or has ended.
func (j *Job) reach(ctx context.Context, what string, states ...qapi.JobStatus) error {
	err := await(ctx, j.c, []*Job{j}, func(context.Context) (bool, error) {
		info, ended := j.last()
		return ended || slices.Contains(states, info.Status), nil
	})
	if err != nil {
		return j.waiting(what, err)
	}
	if j.hasEnded() {
		_, err = j.result()
	}
	return err
}

func (j *Job) waiting(what string, err error) error {
	if errors.Is(err, ErrGone) {
		return err
	}
	return fmt.Errorf("%s: waiting for %s: %w", j, what, err)
}

// String returns the job's type and id.
func (j *Job) String() string {
	info, _ := j.last()
	return name(info.Type, j.id)
}

// last returns the job as it was seen last, and whether it has ended.
func (j *Job) last() (qapi.JobInfo, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.info, j.ended
}

func (j *Job) hasEnded() bool {
	_, ended := j.last()
	return ended
}

func (j *Job) hasFailed() bool {
	info, ended := j.last()
	return ended && info.Error != nil
}

// result returns the end of the job, which must have been seen.
func (j *Job) result() (qapi.JobInfo, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if why := j.info.Error; why != nil {
		return j.info, &Error{
			Job: j.id, Type: j.info.Type, Reason: *why, Cancelled: j.asked || *why == cancelled,
		}
	}
	return j.info, j.left
}

// look asks for the states of jobs. Those that have ended are dismissed.
func look(ctx context.Context, c *qapi.Client, jobs []*Job) error {
	var list []qapi.JobInfo
	if err := retry.Ask(ctx, c.Conn(), func(ctx context.Context) (err error) {
		list, err = c.QueryJobs(ctx)
		return err
	}); err != nil {
		return err
	}
	now := time.Now()
	for _, j := range jobs {
		if err := j.see(ctx, now, list); err != nil {
			return err
		}
	}
	return nil
}

// see records the job's state from a list of all jobs.
func (j *Job) see(ctx context.Context, now time.Time, list []qapi.JobInfo) error {
	j.mu.Lock()
	i := slices.IndexFunc(list, func(info qapi.JobInfo) bool { return info.ID == j.id })
	switch {
	case j.ended: // the list may be older, and still have the job
	case i >= 0:
		j.info, j.ended = list[i], list[i].Status == qapi.JobStatusConcluded
		j.kept = j.ended
	case !j.findEndLocked():
		j.mu.Unlock()
		return fmt.Errorf("%s: %w", name(j.info.Type, j.id), ErrGone)
	}
	j.how = j.meter.Read(now, j.info.CurrentProgress, j.info.TotalProgress)
	ended, kept := j.ended, j.kept
	j.mu.Unlock()
	if kept {
		j.dismiss(ctx) // one caller dismisses it, others wait for that
	}
	if ended {
		j.Close() // no event about it matters any more
	}
	return nil
}

// findEndLocked finds out how a job that no longer exists has ended, and reports whether it did.
func (j *Job) findEndLocked() bool {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	for {
		e, err := j.ends.Next(now) // does not wait
		switch e := e.(type) {
		case qapi.BlockJobCompletedEvent:
			j.endLocked(e.Device, e.Type, e.Offset, e.Len, e.Error)
		case qapi.BlockJobCancelledEvent:
			j.endLocked(e.Device, e.Type, e.Offset, e.Len, new(cancelled))
		}
		if j.ended || errors.Is(err, context.Canceled) || errors.Is(err, qmp.ErrUnsubscribed) ||
			errors.Is(err, qmp.ErrClosed) && !missing(err) { // events continue after a gap
			return j.ended
		}
	}
}

func (j *Job) endLocked(id string, kind qapi.JobType, done, total int64, why *string) {
	if id == j.id {
		j.ended = true
		j.info = qapi.JobInfo{
			ID: id, Type: kind, Status: qapi.JobStatusConcluded,
			CurrentProgress: done, TotalProgress: total, Error: why,
		}
	}
}

// dismiss makes QEMU forget a job whose end has been read.
func (j *Job) dismiss(ctx context.Context) {
	j.dismissing.Do(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), j.opts.limit)
		defer cancel()
		err := retry.Ask(ctx, j.c.Conn(), func(ctx context.Context) error {
			return j.c.JobDismiss(ctx, qapi.JobDismissArgs{ID: j.id})
		})
		if err == nil {
			return
		}
		if there, unknown := exist(ctx, j.c, []*Job{j}); there || unknown != nil {
			left := fmt.Errorf("%s has ended, but cannot be dismissed: %w", j, err)
			j.mu.Lock()
			j.left = left
			j.mu.Unlock()
		}
	})
}

// exist reports whether the server has at least one of these jobs.
func exist(ctx context.Context, c *qapi.Client, jobs []*Job) (bool, error) {
	var list []qapi.JobInfo
	err := retry.Ask(ctx, c.Conn(), func(ctx context.Context) (err error) {
		list, err = c.QueryJobs(ctx)
		return err
	})
	return slices.ContainsFunc(list, func(info qapi.JobInfo) bool {
		return slices.ContainsFunc(jobs, func(j *Job) bool { return j.id == info.ID })
	}), err
}

package job

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/goqapi/goqapi/internal/retry"
	"github.com/goqapi/goqapi/internal/undo"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// Run starts a job and returns it when it has ended, with an [*Error] if it has failed or was
// cancelled. Run completes the job when it is ready and finalizes it when it is pending. If ctx ends, it
// cancels the job; if the job had succeeded by then, Run succeeds as well.
func Run[C Command](ctx context.Context, c *qapi.Client, command C, opts ...Option) (qapi.JobInfo, error) {
	j, err := Start(ctx, c, command, opts...)
	if err != nil {
		return qapi.JobInfo{}, err
	}
	return j.Finish(ctx)
}

// Start starts a job and returns a handle on it.
func Start[C Command](ctx context.Context, c *qapi.Client, command C, opts ...Option) (*Job, error) {
	s, o := newStarter(c, command), newOptions(opts)
	jobs, err := start(ctx, c, []starter{s}, o, func(ctx context.Context, ids []string) error {
		return s.do(ctx, ids[0])
	})
	if err != nil {
		return nil, err
	}
	return jobs[0], nil
}

// start starts jobs with one command: it calls do with their ids.
func start(
	ctx context.Context, c *qapi.Client, list []starter, o options, do func(ctx context.Context, ids []string) error,
) ([]*Job, error) {
	var jobs []*Job
	var ids []string
	given := false
	for _, s := range list {
		given = given || s.id != ""
		if s.id == "" {
			s.id = newID(s.kind)
		}
		ids = append(ids, s.id)
		jobs = append(jobs, newJob(c, s.id, s.kind, o))
	}
	err := begin(ctx, c, jobs, given, func(ctx context.Context) error { return do(ctx, ids) })
	if err == nil {
		return jobs, nil
	}
	for _, j := range jobs {
		j.Close()
	}
	return nil, fmt.Errorf("%s cannot be started: %w", jobs[0], err)
}

// begin executes a command that starts jobs, and cancels them if the command fails but may have started them.
func begin(ctx context.Context, c *qapi.Client, jobs []*Job, given bool, do func(context.Context) error) error {
	if given { // a job that somebody else started must not be mistaken for this one
		if taken, err := exist(ctx, c, jobs); err != nil {
			return err
		} else if taken {
			return errors.New("there is a job with this id already")
		}
	}
	err := retry.Once(ctx, c.Conn(), do, func(ctx context.Context) (bool, error) { return exist(ctx, c, jobs) })
	if err == nil || !qmp.MayHaveRun(err) {
		return err
	}
	return stopAll(ctx, c, jobs, err)
}

// Finish waits for the job's end as [Run] does: it completes the job when it is ready, finalizes it
// when it is pending, and cancels it when ctx ends.
func (j *Job) Finish(ctx context.Context) (qapi.JobInfo, error) {
	infos, err := finish(ctx, j.c, []*Job{j})
	return infos[0], err
}

// finish waits until jobs have ended, and does what they wait for. When one fails, the others
// are cancelled.
func finish(ctx context.Context, c *qapi.Client, jobs []*Job) ([]qapi.JobInfo, error) {
	drivers := make([]driver, len(jobs))
	err := await(ctx, c, jobs, func(ctx context.Context) (bool, error) {
		failed := slices.ContainsFunc(jobs, (*Job).hasFailed)
		all := true
		for i, j := range jobs {
			if err := drivers[i].drive(ctx, j, failed); err != nil {
				return false, err
			}
			all = all && j.hasEnded()
		}
		return all, nil
	})
	if err != nil {
		err = stopAll(ctx, c, jobs, err)
	}
	return results(jobs, err)
}

// A driver completes, finalizes or cancels a job when it is time for that, each at most once.
type driver struct {
	completed, finalized, cancelled bool
	refusals                        int
}

// maxRefusals is how often QEMU may refuse to complete a job that is ready: QEMU itself pauses such a job for a
// moment now and then.
const maxRefusals = 5

func (d *driver) drive(ctx context.Context, j *Job, cancel bool) error {
	info, ended := j.last()
	switch {
	case ended:
	case cancel && !d.cancelled:
		d.cancelled = true
		return j.Cancel(ctx)
	case info.Status == qapi.JobStatusReady && !d.completed:
		err := j.Complete(ctx)
		d.completed = err == nil
		if refused(err) && d.refusals < maxRefusals {
			d.refusals++
			return nil
		}
		return err
	case info.Status == qapi.JobStatusPending && !d.finalized:
		d.finalized = true
		return j.Finalize(ctx)
	}
	return nil
}

// stopAll cancels the jobs that have not ended, because of err. It returns err with what was left.
func stopAll(ctx context.Context, c *qapi.Client, jobs []*Job, err error) error {
	if c.Conn().Err() != nil {
		return fmt.Errorf("whether it goes on is not known: %w", err)
	}
	u := undo.Stack{Limit: jobs[0].opts.limit}
	for _, j := range jobs {
		if !j.hasEnded() {
			u.Add("the job", j.stop)
		}
	}
	if len(jobs) > 1 { // all are cancelled first: the wait for one of them may take the whole limit
		u.Add("the jobs", func(ctx context.Context) error {
			for _, j := range jobs {
				if !j.hasEnded() {
					_ = j.Cancel(ctx) // stop does it again, and reports the error
				}
			}
			return nil
		})
	}
	return u.Undo(ctx, err)
}

// results returns how jobs have ended. cause is what ended the wait early; nil: nothing
// did. A job that has not ended has an error that wraps cause. Of several errors, results
// returns the one that caused the others.
func results(jobs []*Job, cause error) ([]qapi.JobInfo, error) {
	infos := make([]qapi.JobInfo, len(jobs))
	var first error
	for i, j := range jobs {
		var err error
		if infos[i], err = j.result(); !j.hasEnded() {
			err = j.waiting("it to end", cause)
		}
		failed, ok := errors.AsType[*Error](err)
		if ok {
			failed.Cause = cause
		}
		if first == nil || isCancelled(first) && err != nil && !isCancelled(err) {
			first = err
		}
		j.Close()
	}
	return infos, first
}

func isCancelled(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Cancelled
}

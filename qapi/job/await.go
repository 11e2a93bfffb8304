package job

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// await asks for the states of jobs until reached returns true or an error.
func await(ctx context.Context, c *qapi.Client, jobs []*Job, reached func(context.Context) (bool, error)) error {
	events := qapi.Subscribe[qapi.JobStatusChangeEvent](c)
	defer events.Close()
	ours := func(e qapi.JobStatusChangeEvent) bool {
		return slices.ContainsFunc(jobs, func(j *Job) bool { return j.id == e.ID })
	}
	return follow(ctx, events, ours, func(ctx context.Context) (bool, error) {
		if err := look(ctx, c, jobs); err != nil {
			return false, err
		}
		if show := jobs[0].opts.progress; show != nil {
			show(progressOf(jobs...))
		}
		return reached(ctx)
	})
}

// follow calls f until it returns true or an error: at once, after each event that matters, after
// events were lost, and at growing intervals.
func follow[E any](
	ctx context.Context, events *qmp.Stream[E], matters func(E) bool, f func(context.Context) (bool, error),
) error {
	var interval poll.Interval
	for {
		if done, err := f(ctx); done || err != nil {
			return err
		}
		if err := next(ctx, events, matters, interval.Next()); err != nil {
			return err
		}
	}
}

// next waits for an event that matters or for the report that events were lost, but not longer than
// limit.
func next[E any](ctx context.Context, events *qmp.Stream[E], matters func(E) bool, limit time.Duration) error {
	wait, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		e, err := events.Next(wait)
		about := err == nil && matters(e) // also when the time is over, since the event is no longer in the queue
		switch {
		case ctx.Err() != nil:
			return poll.Error(ctx)
		case errors.Is(err, qmp.ErrClosed) && !missing(err):
			return err
		case err != nil, wait.Err() != nil, about:
			return nil
		}
	}
}

// missing reports whether err stands for events that are missing.
func missing(err error) bool {
	_, gap := errors.AsType[*qmp.GapError](err)
	_, overflow := errors.AsType[*qmp.OverflowError](err)
	return gap || overflow
}

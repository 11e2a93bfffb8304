package hotplug

import (
	"context"
	"errors"
	"time"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/internal/retry"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// DefaultLimit is how long functions wait for the guest if ctx has no deadline.
const DefaultLimit = 30 * time.Second

// limited returns ctx with a deadline.
func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, DefaultLimit)
}

// refused reports whether err is the server's refusal.
func refused(err error) bool {
	_, ok := errors.AsType[*qmp.Error](err)
	return ok
}

// ask calls query, and calls it again if the connection was lost and is made again.
func ask[R any](ctx context.Context, c *qapi.Client, query func(context.Context) (R, error)) (result R, err error) {
	err = retry.Ask(ctx, c.Conn(), func(ctx context.Context) (err error) {
		result, err = query(ctx)
		return err
	})
	return result, err
}

// A state is a state of the machine that a function waits for, and the events about it.
type state struct {
	events  *qmp.Stream[qapi.Event]
	matters func(qapi.Event) bool // reports whether an event may mean a change of the state
	lost    bool                  // events or the connection were lost: the server may not have received the command

	interval poll.Interval
}

// until calls reached until it returns true or an error: at once, after each event that matters, after
// events were lost, and at growing intervals.
func (s *state) until(ctx context.Context, reached func(context.Context) (bool, error)) error {
	for {
		if done, err := reached(ctx); done || err != nil {
			return err
		}
		if err := s.wait(ctx, s.interval.Next()); err != nil {
			return err
		}
	}
}

// wait waits for an event that matters or for the report that events were lost, but not longer than
// limit.
func (s *state) wait(ctx context.Context, limit time.Duration) error {
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		e, err := s.events.Next(within)
		about := err == nil && s.matters(e) // also when the time is over, since the event is no longer in the queue
		switch {
		case missing(err):
			s.lost = true
		case ctx.Err() == nil && within.Err() == nil && errors.Is(err, qmp.ErrClosed):
			return err
		}
		switch {
		case ctx.Err() != nil:
			return poll.Error(ctx)
		case err != nil, within.Err() != nil, about: // an event that cannot be decoded may be about it
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

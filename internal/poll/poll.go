// Package poll asks again and again, at intervals that grow, for what no event announces.
package poll

import (
	"context"
	"fmt"
	"time"
)

// The first interval is so short that what happens at once is noticed at once. The longest
// is so long that the questions do not load the server.
const (
	first   = 2 * time.Millisecond
	longest = time.Second
)

// An Interval is the time until somebody asks again. The zero value is ready for use.
type Interval struct{ last time.Duration }

// Next returns how long to wait before the next question: twice as long as the last time,
// up to a second.
func (i *Interval) Next() time.Duration {
	i.last = min(max(2*i.last, first), longest)
	return i.last
}

// Reset begins again with the shortest interval: something has happened.
func (i *Interval) Reset() { i.last = 0 }

// Until calls f, at once and then at growing intervals, until it reports that it is done, or
// fails, or until ctx ends. The error is that of f; if ctx ended, it wraps the error of ctx.
func Until(ctx context.Context, f func(ctx context.Context) (done bool, err error)) error {
	var interval Interval
	for {
		if done, err := f(ctx); done || err != nil {
			return err
		}
		timer := time.NewTimer(interval.Next())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return Error(ctx)
		}
	}
}

// Error returns why ctx has ended: its error, and the cause if there is one.
func Error(ctx context.Context) error {
	if err, cause := ctx.Err(), context.Cause(ctx); cause != err {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return ctx.Err()
}

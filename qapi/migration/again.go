package migration

import (
	"context"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/internal/retry"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// again calls f, which may be done more than once: again, if the connection was lost.
func again[T any](ctx context.Context, c *qapi.Client, f func(context.Context) (T, error)) (T, error) {
	var result T
	err := tell(ctx, c, func(ctx context.Context) (err error) {
		result, err = f(ctx)
		return err
	})
	return result, err
}

// tell is again for what has no result.
func tell(ctx context.Context, c *qapi.Client, f func(context.Context) error) error {
	return retry.Ask(ctx, c.Conn(), f)
}

// lost reports whether err is of a call whose connection was lost, and is made again.
func lost(c *qapi.Client, err error) bool { return retry.Lost(c.Conn(), err) }

// unlessLost is err, but for a call that can be repeated.
func unlessLost(c *qapi.Client, err error) error {
	if lost(c, err) {
		return nil
	}
	return err
}

// introspect is what the server can do. It is asked once for a connection.
func introspect(ctx context.Context, c *qapi.Client) (*qapi.Capabilities, error) {
	return again(ctx, c, func(ctx context.Context) (*qapi.Capabilities, error) { return qapi.Introspect(ctx, c) })
}

// news are the events that say when to ask how far a migration is.
type news struct {
	events   *qmp.Stream[qapi.Event]
	interval poll.Interval
}

func subscribe(c *qapi.Client) *news {
	return &news{events: qapi.SubscribeEvents(c, []qapi.Event{
		qapi.MigrationEvent{}, qapi.StopEvent{}, qapi.ResumeEvent{},
	})}
}

func (n *news) close() { n.events.Close() }

// wait waits for an event, or until it is time to ask without one. An error is that of ctx:
// lost events are a reason to ask, and without a connection the question has an error.
func (n *news) wait(ctx context.Context) error {
	next, cancel := context.WithTimeout(ctx, n.interval.Next())
	defer cancel()
	if e, _ := n.events.Next(next); e != nil {
		n.interval.Reset() // more is about to happen
	}
	if ctx.Err() != nil {
		return poll.Error(ctx)
	}
	return nil
}

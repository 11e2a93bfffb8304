package migration

import (
	"context"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/internal/retry"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// again calls f, and calls it again if the connection was lost. f must be safe to repeat.
func again[T any](ctx context.Context, c *qapi.Client, f func(context.Context) (T, error)) (T, error) {
	var result T
	err := tell(ctx, c, func(ctx context.Context) (err error) {
		result, err = f(ctx)
		return err
	})
	return result, err
}

// tell is like again, for a function without a result.
func tell(ctx context.Context, c *qapi.Client, f func(context.Context) error) error {
	return retry.Ask(ctx, c.Conn(), f)
}

// lost reports whether err is the error of a call whose connection was lost and will be made again.
func lost(c *qapi.Client, err error) bool { return retry.Lost(c.Conn(), err) }

// unlessLost returns err. If the connection was lost, it returns nil: then the call is repeated.
func unlessLost(c *qapi.Client, err error) error {
	if lost(c, err) {
		return nil
	}
	return err
}

// introspect returns what the server can do. The server is asked only once for each connection.
func introspect(ctx context.Context, c *qapi.Client) (*qapi.Capabilities, error) {
	return again(ctx, c, func(ctx context.Context) (*qapi.Capabilities, error) { return qapi.Introspect(ctx, c) })
}

// changes waits until it is time to ask how far a migration is: for an event, or for an interval.
type changes struct {
	events   *qmp.Stream[qapi.Event]
	interval poll.Interval
}

func subscribe(c *qapi.Client) *changes {
	return &changes{events: qapi.SubscribeEvents(c, []qapi.Event{
		qapi.MigrationEvent{}, qapi.StopEvent{}, qapi.ResumeEvent{},
	})}
}

func (n *changes) close() { n.events.Close() }

// wait waits for an event, or until it is time to ask without one. It only returns the error of ctx: lost
// events are a reason to ask, and if there is no connection, the next question fails.
func (n *changes) wait(ctx context.Context) error {
	next, cancel := context.WithTimeout(ctx, n.interval.Next())
	defer cancel()
	if e, _ := n.events.Next(next); e != nil {
		n.interval.Reset() // more will happen soon
	}
	if ctx.Err() != nil {
		return poll.Error(ctx)
	}
	return nil
}

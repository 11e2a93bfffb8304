package qapi

import (
	"context"
	"fmt"
	"iter"

	"github.com/goqapi/goqapi/qmp"
)

// Await issues a command and waits for the event that it leads to:
//
//	reset, err := qapi.Await(ctx, c, c.SystemReset, func(e qapi.ResetEvent) bool { return !e.Guest })
//
// It subscribes before it calls do, so that no event is missed that comes before do
// returns. It returns the first event for which match returns true. A nil do does nothing,
// a nil match accepts any event. An error of do is returned as it is.
//
// If events were lost while it waited, the awaited event may be among them. The error then is
// or wraps a [*qmp.GapError] or a [*qmp.OverflowError], and only a query can show what has
// happened. ctx should have a limit, since some events never come.
func Await[E any, P eventPointer[E]](ctx context.Context, c *Client, do func(context.Context) error, match func(E) bool) (E, error) {
	events := Subscribe[E, P](c)
	defer events.Close()
	if do != nil {
		if err := do(ctx); err != nil {
			var none E
			return none, err
		}
	}
	if match == nil {
		match = func(E) bool { return true }
	}
	e, err := events.Find(ctx, match)
	if err != nil && ctx.Err() == nil { // otherwise the error already says what was waited for
		err = fmt.Errorf("qapi: waiting for %s: %w", P(new(E)).EventName(), err)
	}
	return e, err
}

// Events returns an iterator over the events of one type that come after the call:
//
//	for e, err := range qapi.Events[qapi.BlockIOErrorEvent](ctx, c) {
//
// It is like [Subscribe], for a loop: the subscription is closed when the loop or ctx
// ends. Errors are those of [qmp.Stream.All]: the loop continues after lost events, and
// the end of ctx or of the connection is its last error. It can be ranged over once.
func Events[E any, P eventPointer[E]](ctx context.Context, c *Client, opts ...qmp.SubscribeOption) iter.Seq2[E, error] {
	events := Subscribe[E, P](c, opts...)
	unused := context.AfterFunc(ctx, events.Close)
	return func(yield func(E, error) bool) {
		unused() // the loop closes it
		defer events.Close()
		for e, err := range events.All(ctx) {
			if !yield(e, err) {
				return
			}
		}
	}
}

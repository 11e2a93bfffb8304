package qmp

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// ErrUnsubscribed is the error of a subscription that its user has closed.
var ErrUnsubscribed = errors.New("qmp: the subscription is closed")

// A SubscribeOption sets something about a subscription.
type SubscribeOption func(*subscribeOptions)

type subscribeOptions struct{ buffer int }

// Buffer sets how many events may wait to be read; see [WithEventBuffer].
func Buffer(n int) SubscribeOption {
	return func(o *subscribeOptions) { o.buffer = max(n, 1) }
}

// A Subscription is an ordered stream of the events since it was made.
// Close it when it is not needed any more.
type Subscription struct {
	core  *core
	names []string
	queue queue
	ready chan struct{} // holds a value if the queue may have an entry
}

// Subscribe starts a subscription to the events of these names, or to all events if names is nil or
// empty. It has every event that comes after Subscribe has returned: so subscribe first, then issue
// a command, then wait for its events.
func (c *Conn) Subscribe(names []string, opts ...SubscribeOption) *Subscription {
	o := subscribeOptions{buffer: c.core.opts.eventBuffer}
	for _, opt := range opts {
		opt(&o)
	}
	s := &Subscription{core: c.core, names: slices.Clone(names), ready: make(chan struct{}, 1)}
	s.queue.limit = o.buffer
	s.queue.wake = s.wake
	c.core.events.add(&s.queue, s.names)
	return s
}

func (s *Subscription) wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Next waits for the next event and returns it. In the place of events that were lost it
// returns an [*OverflowError]; in the place of those that the server may have sent while
// there was no connection (see [WithReconnect]) a [*GapError]. The stream goes on after
// either. After the last event before the end of the connection, the error wraps
// [ErrClosed]; after Close it is [ErrUnsubscribed].
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	for {
		e, more, err := s.queue.pop()
		if more > 0 {
			s.wake() // somebody else may wait, too
		}
		if more >= 0 {
			return e, err
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			return Event{}, s.late(ctx)
		}
	}
}

// late returns the error for events that did not come before ctx ended.
func (s *Subscription) late(ctx context.Context) error {
	return fmt.Errorf("qmp: waiting for %s: %w", s.what(), contextError(ctx))
}

// what names the events of the subscription, for error texts.
func (s *Subscription) what() string {
	switch n := len(s.names); {
	case n == 0:
		return "an event"
	case n <= 3:
		return strings.Join(s.names, " or ")
	default:
		return fmt.Sprintf("one of %d events", n)
	}
}

// All ranges over what Next returns, with overflows and gaps. When ctx or the connection ends, the
// last element is an error; after Close the range ends without an error.
func (s *Subscription) All(ctx context.Context) iter.Seq2[Event, error] {
	return all(ctx, s, func(e Event) (Event, error) { return e, nil })
}

// all ranges over the events of s, decoded.
func all[E any](ctx context.Context, s *Subscription, decode func(Event) (E, error)) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for {
			if ctx.Err() != nil { // Next does not look at ctx while there are events
				var none E
				yield(none, s.late(ctx))
				return
			}
			e, err := s.Next(ctx)
			if err == nil {
				if !yield(decode(e)) {
					return
				}
				continue
			}
			var none E
			if err == ErrUnsubscribed || !yield(none, err) || !continues(err) {
				return
			}
		}
	}
}

// Close ends the subscription. Events that wait in it are dropped; a waiting Next returns
// [ErrUnsubscribed].
func (s *Subscription) Close() {
	s.core.events.remove(&s.queue)
	s.queue.drop(ErrUnsubscribed)
}

// A Stream is a [Subscription] whose events are decoded into a type. Bindings make one;
// for an event of your own:
//
//	&qmp.Stream[T]{Events: c.Subscribe([]string{"MY_EVENT"}), Decode: decode}
type Stream[E any] struct {
	Events *Subscription          // where the events come from
	Decode func(Event) (E, error) // decodes an event; called by the goroutine that reads the stream
}

// Next is like [Subscription.Next]. For an event that cannot be decoded it returns an
// error; the stream goes on after it.
func (s *Stream[E]) Next(ctx context.Context) (E, error) {
	e, err := s.Events.Next(ctx)
	if err != nil {
		var none E
		return none, err
	}
	return s.Decode(e)
}

// Find returns the next event for which match returns true, and skips others. It returns the first
// error, even one after which the stream continues: an event that was lost, or that could not be
// decoded, may have been the right one.
func (s *Stream[E]) Find(ctx context.Context, match func(E) bool) (E, error) {
	for {
		e, err := s.Next(ctx)
		if err != nil || match(e) {
			return e, err
		}
	}
}

// All is like [Subscription.All], with decoded events.
func (s *Stream[E]) All(ctx context.Context) iter.Seq2[E, error] {
	return all(ctx, s.Events, s.Decode)
}

// Close is like [Subscription.Close].
func (s *Stream[E]) Close() { s.Events.Close() }

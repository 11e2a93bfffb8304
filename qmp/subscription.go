package qmp

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// ErrUnsubscribed is what a subscription gives after its Close.
var ErrUnsubscribed = errors.New("qmp: the subscription is closed")

// A SubscribeOption sets something about a subscription.
type SubscribeOption func(*subscribeOptions)

type subscribeOptions struct{ buffer int }

// Buffer sets how many events may wait to be read; see [WithEventBuffer].
func Buffer(n int) SubscribeOption {
	return func(o *subscribeOptions) { o.buffer = max(n, 1) }
}

// A Subscription is an ordered stream of events from the time it was made.
// Close it when it is not read any more.
type Subscription struct {
	hub   *hub
	names []string
	queue queue
	ready chan struct{} // holds a value if the queue may hold something
}

// Subscribe starts a subscription to the events of these names, or to all events
// if names is nil. It starts at once: an event that comes after Subscribe returns
// is in it, so that a command may be issued next and its events awaited then.
func (c *Conn) Subscribe(names []string, opts ...SubscribeOption) *Subscription {
	o := subscribeOptions{buffer: c.hub.opts.eventBuffer}
	for _, opt := range opts {
		opt(&o)
	}
	s := &Subscription{hub: c.hub, names: slices.Clone(names), ready: make(chan struct{}, 1)}
	s.queue.limit = o.buffer
	s.queue.wake = s.wake
	c.hub.events.registry().add(&s.queue, s.names)
	return s
}

func (s *Subscription) wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Next returns the next event, for which it waits. An [*OverflowError] stands in
// the place of events that were lost, a [*GapError] in that of those that the
// server may have sent while there was no connection (see [WithReconnect]); the
// stream goes on after either. After the
// last event that came before the connection's end the error wraps [ErrClosed],
// after Close it is [ErrUnsubscribed].
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

// late is the error for events that did not come before ctx ended.
func (s *Subscription) late(ctx context.Context) error {
	return fmt.Errorf("qmp: waiting for %s: %w", s.what(), contextError(ctx))
}

// what is what the subscription is to, in words.
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

// All ranges over the events as Next gives them, overflows and gaps included, until ctx or
// the connection ends, which is the last error, or until Close, which is none.
func (s *Subscription) All(ctx context.Context) iter.Seq2[Event, error] {
	return all(ctx, s, func(e Event) (Event, error) { return e, nil })
}

// all ranges over the events of s, decoded.
func all[E any](ctx context.Context, s *Subscription, decode func(Event) (E, error)) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for {
			if ctx.Err() != nil { // Next would go on while there are events
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
			if err == ErrUnsubscribed || !yield(none, err) || !goesOn(err) {
				return
			}
		}
	}
}

// Close ends the subscription. Events that wait in it are dropped, and whoever
// waits in Next is told.
func (s *Subscription) Close() {
	s.hub.events.registry().remove(&s.queue)
	s.queue.drop(ErrUnsubscribed)
}

// A Stream is a subscription whose events are decoded into a type.
type Stream[E any] struct {
	s      *Subscription
	decode func(Event) (E, error)
}

// NewStream lets s be read through decode. Bindings use it.
func NewStream[E any](s *Subscription, decode func(Event) (E, error)) *Stream[E] {
	return &Stream[E]{s, decode}
}

// Next is [Subscription.Next]. An event that cannot be decoded gives an error in
// its place; the stream goes on after it.
func (s *Stream[E]) Next(ctx context.Context) (E, error) {
	e, err := s.s.Next(ctx)
	if err != nil {
		var none E
		return none, err
	}
	return s.decode(e)
}

// Find returns the next event for which match is true, passing over others. Any
// error ends it: what was lost or undecodable may have been the one.
func (s *Stream[E]) Find(ctx context.Context, match func(E) bool) (E, error) {
	for {
		e, err := s.Next(ctx)
		if err != nil || match(e) {
			return e, err
		}
	}
}

// All is [Subscription.All].
func (s *Stream[E]) All(ctx context.Context) iter.Seq2[E, error] {
	return all(ctx, s.s, s.decode)
}

// Close is [Subscription.Close].
func (s *Stream[E]) Close() { s.s.Close() }

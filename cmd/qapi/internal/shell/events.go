package shell

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/wirejson"
	"github.com/goqapi/goqapi/qmp"
)

// A follower shows events as they come.
type follower struct {
	ended chan struct{}

	mu  sync.Mutex
	now round
}

// A round shows events until it is woken; then it shows the events that have already come, and
// ends.
type round struct {
	ctx  context.Context
	wake context.CancelFunc
	done chan struct{} // closed at its end
}

// mostQueued is how many events can be in the subscription's queue.
const mostQueued = 4096

// follow shows events until ctx or the connection ends.
func (s *session) follow(ctx context.Context, events *qmp.Subscription) {
	f := &s.follower
	f.ended = make(chan struct{})
	f.begin(ctx)
	go func() {
		defer close(f.ended)
		for goOn := true; goOn; {
			goOn = s.show(ctx, f.now.ctx, events)
			f.begin(ctx)
		}
	}()
}

// begin ends a round, and begins the next one.
func (f *follower) begin(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.now.done != nil {
		f.now.wake()
		close(f.now.done)
	}
	f.now.done = make(chan struct{})
	f.now.ctx, f.now.wake = context.WithCancel(ctx)
}

// show shows events, and reports whether more can come.
func (s *session) show(ctx, round context.Context, events *qmp.Subscription) (goOn bool) {
	for late := 0; late <= mostQueued; {
		if round.Err() != nil {
			late++
		}
		e, err := events.Next(round)
		lost, overflow := errors.AsType[*qmp.OverflowError](err)
		switch {
		case overflow:
			s.frontend.say(fmt.Sprintf("%d events came faster than they could be shown", lost.Lost))
		case err == nil:
			s.event(e)
		default: // the round may also end here, after all events that have come
			return ctx.Err() == nil && round.Err() != nil && !errors.Is(err, qmp.ErrClosed)
		}
	}
	return true
}

func (s *session) event(e qmp.Event) {
	if e.Name == "SHUTDOWN" {
		s.goingDown.Store(true)
	}
	s.recorder.event(e)
	s.recent.add(e)
	if !s.quiet.Load() {
		s.frontend.event(e)
	}
}

// settle returns when the events that have come are shown, so that they come before the next
// output.
func (f *follower) settle() {
	f.mu.Lock()
	now := f.now
	f.mu.Unlock()
	now.wake()
	select {
	case <-now.done:
	case <-f.ended:
	}
}

// recent has the events since the last command, for :wait: the awaited event may have come before
// :wait was typed.
type recent struct {
	mu      sync.Mutex
	events  []qmp.Event
	changed chan struct{} // closed when an event comes; nil if nothing waits
}

// mostRecent is how many events are kept; older ones are forgotten.
const mostRecent = 1000

func (r *recent) add(e qmp.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) == mostRecent {
		r.events = slices.Delete(r.events, 0, mostRecent/2)
	}
	r.events = append(r.events, e)
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

func (r *recent) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = nil
}

// take removes the events up to the first that matches, and reports whether there is one. If there is
// none, the channel is closed when the next one comes.
func (r *recent) take(match func(qmp.Event) bool) (bool, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.events, match)
	if i >= 0 {
		r.events = r.events[i+1:]
		return true, nil
	}
	r.events = nil // none of them will match
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return false, r.changed
}

// wait waits for an event that matches; the connection's end is an error.
func (s *session) wait(ctx context.Context, match func(qmp.Event) bool) error {
	s.follower.settle()
	for {
		found, changed := s.recent.take(match)
		if found {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.follower.ended:
			if found, _ := s.recent.take(match); found {
				return nil
			}
			return fmt.Errorf("the event did not come: %w", s.Client.Conn().Err())
		}
	}
}

// eventJSON returns an event as the server sent it.
func eventJSON(e qmp.Event) []byte {
	at := stamp{-1, -1}
	if !e.Timestamp.IsZero() {
		at = stamp{e.Timestamp.Unix(), int64(e.Timestamp.Nanosecond() / 1000)}
	}
	text, err := json.Marshal(struct {
		Timestamp stamp          `json:"timestamp"`
		Event     string         `json:"event"`
		Data      jsontext.Value `json:"data,omitzero"`
	}{at, e.Name, jsontext.Value(e.Data)}, wirejson.Lenient())
	if err != nil {
		panic(err) // all parts were JSON
	}
	return text
}

type stamp struct {
	Seconds      int64 `json:"seconds"`
	Microseconds int64 `json:"microseconds"`
}

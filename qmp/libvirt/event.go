package libvirt

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/virrpc"
	"github.com/goqapi/goqapi/internal/wirejson"
	"github.com/goqapi/goqapi/qmp"
)

// An Event is an event of a domain: one of its QEMU, or a change of its life that libvirt
// reports. One of QMP.Name and Lifecycle is set.
type Event struct {
	Domain    Domain // without its state
	QMP       qmp.Event
	Lifecycle Lifecycle
	Stop      StopReason // with LifecycleStopped: why
}

// A Lifecycle is a change of a domain's life.
type Lifecycle string

// The changes. libvirt may have others.
const (
	LifecycleDefined   Lifecycle = "defined" // libvirt knows a new domain, or its definition has changed
	LifecycleUndefined Lifecycle = "undefined"
	LifecycleStarted   Lifecycle = "started" // it has a QEMU
	LifecyclePaused    Lifecycle = "paused"
	LifecycleResumed   Lifecycle = "resumed"
	LifecycleStopped   Lifecycle = "stopped"       // its QEMU has ended
	LifecycleShutdown  Lifecycle = "shutting down" // its guest has shut down
	LifecycleSuspended Lifecycle = "suspended"     // by its guest
	LifecycleCrashed   Lifecycle = "crashed"
)

var lifecycles = []Lifecycle{
	LifecycleDefined, LifecycleUndefined, LifecycleStarted, LifecyclePaused, LifecycleResumed, LifecycleStopped,
	LifecycleShutdown, LifecycleSuspended, LifecycleCrashed,
}

func newLifecycle(n int32) Lifecycle { return named(lifecycles, n, "event") }

// A StopReason is why a QEMU has ended, as libvirt sees it.
type StopReason string

// The reasons. libvirt may have others.
const (
	StopShutdown  StopReason = "shutdown"
	StopDestroyed StopReason = "destroyed" // libvirt has killed it, as with virsh destroy
	StopCrashed   StopReason = "crashed"
	StopMigrated  StopReason = "migrated" // it runs on another host now
	StopSaved     StopReason = "saved"
	StopFailed    StopReason = "failed" // it ended without SHUTDOWN, or libvirt has lost that event
	StopSnapshot  StopReason = "snapshot"
)

var stopReasons = []StopReason{
	StopShutdown, StopDestroyed, StopCrashed, StopMigrated, StopSaved, StopFailed, StopSnapshot,
}

// newLifecycleEvent returns the event of a change of a domain's life.
func newLifecycleEvent(e virrpc.Lifecycle) Event {
	v := Event{Domain: newDomain(e.Domain), Lifecycle: newLifecycle(e.Event)}
	if v.Lifecycle == LifecycleStopped {
		v.Stop = named(stopReasons, e.Detail, "reason")
	}
	return v
}

// named returns the name of one of libvirt's numbers.
func named[T ~string](names []T, n int32, kind string) T {
	if n < 0 || int(n) >= len(names) {
		return T(fmt.Sprintf("%s %d", kind, n))
	}
	return names[n]
}

// Events returns the events of all domains, also of those that are defined later. It collects
// events from the call on, until they are read in a loop. Range over the result exactly once:
// without a loop, the events stay in memory until ctx ends.
//
// A [*qmp.OverflowError] stands in the place of events that were not read in time. A [*qmp.GapError]
// stands where events may be missing because the connection to libvirt was lost; it is made again.
// After a GapError, query the state that you follow again, for example with [Host.Domains]. The range
// continues after these two errors. It ends with another error when ctx ends or the Host is closed.
func (h *Host) Events(ctx context.Context) iter.Seq2[Event, error] {
	f := &feed{max: h.opts.eventBuffer, changed: make(chan struct{}, 1)}
	h.mu.Lock()
	if h.closed {
		f.err = errClosed
	} else {
		h.feeds = append(h.feeds, f)
		h.resumeLocked()
	}
	h.mu.Unlock()
	remove := func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.feeds = slices.DeleteFunc(slices.Clone(h.feeds), func(o *feed) bool { return o == f })
	}
	stop := context.AfterFunc(ctx, remove)
	return func(yield func(Event, error) bool) {
		defer remove()
		defer stop()
		for {
			e, last, err := f.next(ctx)
			if !yield(e, err) || last {
				return
			}
		}
	}
}

// resumeLocked makes the connection that has the events, if it is lost and somebody wants them.
func (h *Host) resumeLocked() {
	if h.closed || h.resuming || h.conns[0].conn != nil || len(h.feeds) == 0 {
		return
	}
	h.resuming = true
	h.wait.Go(func() {
		_, err := h.connAt(h.ctx, 0)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.resuming = false
		if err != nil {
			h.resumeLocked()
		}
	})
}

// monitorEvent passes on an event of a QEMU.
func (h *Host) monitorEvent(e virrpc.Event) {
	data := jsontext.Value(e.Data)
	if !e.HasData || !data.IsValid(wirejson.Lenient()) {
		data = nil
	}
	if streams := h.streamsOf(e.Domain.UUID); len(streams) > 0 {
		text := eventText(e, data)
		for _, s := range streams {
			if e.Domain.ID < 0 || e.Domain.ID == s.domain.ID {
				s.event(e.Name, text)
			}
		}
	}
	q := qmp.Event{Name: e.Name}
	if data != nil {
		q.Data = []byte(data)
	}
	if e.Seconds >= 0 {
		q.Timestamp = time.Unix(e.Seconds, int64(e.Micros)*1000).UTC()
	}
	h.feed(Event{Domain: newDomain(e.Domain), QMP: q})
}

// eventText is an event as QEMU sends it.
func eventText(e virrpc.Event, data jsontext.Value) []byte {
	m := newMessage("timestamp", `{"seconds": `+strconv.FormatInt(e.Seconds, 10)+`, "microseconds": `+strconv.FormatUint(uint64(e.Micros), 10)+`}`)
	m.add("event", jsontext.Value(quoteJSON(e.Name)))
	m.add("data", data)
	return m.line()
}

// feed passes an event to all feeds.
func (h *Host) feed(e Event) {
	h.mu.Lock()
	feeds := h.feeds
	h.mu.Unlock()
	for _, f := range feeds {
		f.add(e)
	}
}

// interruptFeedsLocked puts a gap into every feed, and starts to make the connection again.
func (h *Host) interruptFeedsLocked(err error) {
	for _, f := range h.feeds {
		f.interrupt(&qmp.GapError{Cause: fmt.Errorf("%w: %w", qmp.ErrClosed, err)})
	}
	h.resumeLocked()
}

func (h *Host) endFeeds(err error) {
	h.mu.Lock()
	feeds := h.feeds
	h.feeds = nil
	h.mu.Unlock()
	for _, f := range feeds {
		f.end(err)
	}
}

// A feed is a queue of events. When it is full, it loses its oldest.
type feed struct {
	max     int
	changed chan struct{} // has a value when there is something new

	mu    sync.Mutex
	queue []item
	size  int           // bytes
	lost  int           // events, before the queue
	gap   *qmp.GapError // before the queue
	err   error
}

// An item is an event or a gap.
type item struct {
	Event
	gap *qmp.GapError
}

// bytes returns the size of the parts of i that come from libvirt.
func (i *item) bytes() int { return len(i.QMP.Data) + len(i.QMP.Name) + len(i.Domain.Name) }

func (f *feed) add(e Event) { f.append(item{Event: e}) }

func (f *feed) interrupt(gap *qmp.GapError) { f.append(item{gap: gap}) }

func (f *feed) append(i item) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(f.queue, i)
	f.size += i.bytes()
	for len(f.queue) > f.max || f.size > maxWaiting && len(f.queue) > 1 {
		first := f.queue[0]
		f.dropLocked()
		if first.gap != nil {
			f.gap = first.gap
		} else {
			f.lost++
		}
	}
	f.wake()
}

func (f *feed) dropLocked() {
	f.size -= f.queue[0].bytes()
	f.queue[0] = item{}
	f.queue = f.queue[1:]
}

func (f *feed) end(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	f.wake()
}

func (f *feed) wake() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// next waits for what comes next. last reports whether nothing comes after it.
func (f *feed) next(ctx context.Context) (e Event, last bool, err error) {
	for {
		if e, last, err, ok := f.take(); ok {
			return e, last, err
		}
		select {
		case <-f.changed:
		case <-ctx.Done():
			return Event{}, true, fmt.Errorf("libvirt: events: %w", contextError(ctx))
		}
	}
}

func (f *feed) take() (e Event, last bool, err error, ok bool) { //nolint:revive // the error belongs to the event
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.lost > 0:
		err, f.lost = &qmp.OverflowError{Lost: f.lost}, 0
	case f.gap != nil:
		err, f.gap = f.gap, nil
	case len(f.queue) > 0:
		i := f.queue[0]
		f.dropLocked()
		e = i.Event
		if i.gap != nil {
			err = i.gap
		}
	case f.err != nil:
		return e, true, fmt.Errorf("libvirt: events: %w", f.err), true
	default:
		return e, false, nil, false
	}
	return e, false, err, true
}

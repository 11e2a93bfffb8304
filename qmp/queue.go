package qmp

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// An OverflowError is in a stream of events in the place of those that were lost because
// they were not read in time. The stream goes on after it.
type OverflowError struct {
	Lost int // how many events were lost
}

func (e *OverflowError) Error() string {
	return fmt.Sprintf("qmp: %d events were lost: they were not read in time", e.Lost)
}

// A GapError is in a stream of events where a connection made with [WithReconnect] was
// lost: events from then until it was connected again may be missing. The stream continues
// after the error. Only subscriptions get it, not handlers. A program that follows a state
// by its events has to query the state again; the command for that waits until the
// connection is back.
type GapError struct {
	Cause error // how the connection ended; wraps [ErrClosed]
}

func (e *GapError) Error() string { return "qmp: events may be missing here: " + e.Cause.Error() }
func (e *GapError) Unwrap() error { return e.Cause }

// continues reports whether a stream of events goes on after err.
func continues(err error) bool {
	switch err.(type) {
	case *OverflowError, *GapError:
		return true
	}
	return false
}

// An entry is an event in a queue, or a gap.
type entry struct {
	Event
	memory *memory // of the event; nil for a gap
	gap    *GapError
}

// A memory is the size of an event that several queues may hold. It counts in the
// connection's total until none of them holds the event.
type memory struct {
	size    int64
	holders atomic.Int32
	total   *atomic.Int64
}

func (m *memory) release() {
	if m.holders.Add(-1) == 0 {
		m.total.Add(-m.size)
	}
}

// A queue holds events in order. When it is full it drops the oldest: newer ones say more
// about the present state, and the very last is SHUTDOWN.
type queue struct {
	names []string // the registry's
	limit int      // events
	wake  func()   // called with mu held after each new entry, and at the end

	mu    sync.Mutex
	ring  []entry // len is a power of two
	head  int
	count int
	size  int64     // bytes of its events
	lost  int       // events that were lost before head
	gap   *GapError // a gap that was removed from the full ring; pop returns it after the lost events, before head
	err   error     // comes after the last event
}

// add appends e. It never waits.
func (q *queue) add(e entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return
	}
	if q.count == q.limit {
		q.loseLocked()
	}
	if q.count == len(q.ring) {
		grown := make([]entry, max(4, 2*len(q.ring)))
		n := copy(grown, q.ring[q.head:])
		copy(grown[n:], q.ring[:q.head])
		q.ring, q.head = grown, 0
	}
	q.ring[(q.head+q.count)&(len(q.ring)-1)] = e
	q.count++
	if e.memory != nil {
		q.size += e.memory.size
		e.memory.holders.Add(1)
	}
	q.wake()
}

// lose drops the oldest event and counts it as lost, if there is another after it.
func (q *queue) lose() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count > 1 {
		q.loseLocked()
	}
}

func (q *queue) loseLocked() {
	if old := q.shift(); old.gap != nil {
		q.gap = old.gap
	} else {
		q.lost++
	}
}

// held returns how many bytes the events of the queue have; 0 if it holds at most one.
func (q *queue) held() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count <= 1 {
		return 0
	}
	return q.size
}

// shift takes the oldest entry out.
func (q *queue) shift() entry {
	e := q.ring[q.head]
	q.ring[q.head] = entry{}
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.count--
	if e.memory != nil {
		q.size -= e.memory.size
		e.memory.release()
	}
	if q.count == 0 && len(q.ring) > 64 {
		q.ring, q.head = nil, 0
	}
	return e
}

// pop removes and returns the oldest event, or the error that is in its place. When there
// are none left and the queue has ended, it returns the error that ended it, each time.
// more is how many entries are left, the final error included; it is negative if pop found
// nothing.
func (q *queue) pop() (e Event, more int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.popLocked()
}

func (q *queue) popLocked() (e Event, more int, err error) {
	switch {
	case q.lost > 0:
		err = &OverflowError{q.lost}
		q.lost = 0
	case q.gap != nil:
		err, q.gap = q.gap, nil
	case q.count > 0:
		oldest := q.shift()
		if e = oldest.Event; oldest.gap != nil {
			err = oldest.gap
		}
	case q.err != nil:
		return e, 1, q.err
	default:
		return e, -1, nil
	}
	more = q.count
	if q.err != nil {
		more++
	}
	return e, more, err
}

// end puts err after what the queue holds. Only the first end counts.
func (q *queue) end(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
		q.wake()
	}
}

// drop ends the queue at once, without the events that it holds.
func (q *queue) drop(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.count > 0 {
		q.shift()
	}
	q.ring, q.head, q.lost, q.gap = nil, 0, 0, nil
	q.err = err
	q.wake()
}

package qmp

import (
	"fmt"
	"sync/atomic"
)

// OnEvent registers f for the events of this name, or for every event if name is empty. f is called
// for one event at a time, in the order of the events, on a worker (see [WithWorkers]). It may
// issue commands, and it may be slow: events that are lost because it is too slow are reported to
// the function of [WithEventError]. f does not learn where events may be missing after a reconnection:
// use a subscription, or [Reconnect].OnReconnect, for that.
//
// After stop has returned, f does not run: stop waits for a call that is running. If f
// itself calls stop, stop returns at once, and f is not called again. Two handlers
// must not stop each other at the same time: each would wait for the other forever.
// OnEvent panics if f is nil.
func (c *Conn) OnEvent(name string, f func(Event)) (stop func()) {
	if f == nil {
		panic("qmp: OnEvent: the function is nil")
	}
	return c.handle(name, f)
}

// Handle is the older name of [Conn.OnEvent].
//
// Deprecated: use OnEvent.
func (c *Conn) Handle(name string, f func(Event)) (stop func()) { return c.OnEvent(name, f) }

// ReportError passes err to the function of [WithEventError], on a worker, as the connection
// does with an event that it cannot decode. It is for a handler or a callback that finds
// something wrong and has no caller to whom it could return err. nil is ignored.
func (c *Conn) ReportError(err error) {
	if err != nil {
		c.core.report.add(err)
	}
}

func (c *Conn) handle(name string, f func(Event)) (stop func()) {
	core := c.core
	h := &handler{core: core, name: name, f: f, turn: make(chan struct{}, 1)}
	h.queue.limit = core.opts.eventBuffer
	h.queue.wake = h.wake
	var names []string
	if name != "" {
		names = []string{name}
	}
	core.events.add(&h.queue, names)
	return h.stop
}

// A handler is a queue whose events the workers pass to a function.
type handler struct {
	core *core
	name string
	f    func(Event)

	queue  queue
	active bool          // in the pool, or run by it; guarded by queue.mu
	turn   chan struct{} // holds a value while f may run
	runner atomic.Uint64 // the goroutine that runs f
}

// wake is called with queue.mu held.
func (h *handler) wake() {
	if !h.active {
		h.active = true
		h.core.pool.add(h)
	}
}

// fairShare is how many events a handler handles before other tasks run.
const fairShare = 64

func (h *handler) run(w workerID) {
	for range fairShare {
		if !h.runOne(w) {
			return
		}
	}
	h.core.pool.add(h)
}

// runOne calls f for one event. It reports whether there may be another.
func (h *handler) runOne(w workerID) bool {
	h.turn <- struct{}{}
	returned := false
	defer func() {
		h.runner.Store(0)
		<-h.turn
		if !returned { // f panicked, or called runtime.Goexit: the handler goes on with the next event
			h.core.pool.add(h)
		}
	}()
	e, ok, err := h.pop()
	if ok && err == nil {
		h.runner.Store(uint64(w))
		h.f(e)
	}
	returned = true
	if err == nil {
		return ok
	}
	if lost, overflow := err.(*OverflowError); overflow {
		h.core.report.add(fmt.Errorf("qmp: handler of %s: %w", h.title(), lost))
	}
	return continues(err)
}

func (h *handler) title() string {
	if h.name == "" {
		return "all events"
	}
	return h.name
}

// pop takes an event from the queue. If there is none, the next wake starts the handler again.
func (h *handler) pop() (e Event, ok bool, err error) {
	h.queue.mu.Lock()
	defer h.queue.mu.Unlock()
	e, more, err := h.queue.popLocked()
	h.active = more >= 0
	return e, h.active, err
}

// stop may be called several times, also at the same time. Each call waits for f, except a call by
// f itself.
func (h *handler) stop() {
	h.core.events.remove(&h.queue)
	h.queue.drop(ErrUnsubscribed)
	if runner := h.runner.Load(); runner != 0 && runner == uint64(thisGoroutine()) {
		return
	}
	h.turn <- struct{}{}
	<-h.turn
}

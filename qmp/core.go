package qmp

import "sync/atomic"

// A core is the part of a connection that stays when the connection gets another session:
// the receivers of events, the workers, the options.
type core struct {
	opts   options
	pool   pool
	events registry
	report reporter
	late   atomic.Int64 // counts replies to abandoned calls

	settingUp atomic.Bool // the functions of WithSetup are running
}

func newCore(o options) *core {
	h := &core{opts: o}
	h.events.limit = int64(o.maxMessage)
	h.pool.size, h.pool.caught = o.workers, o.panicked
	h.report.calls.pool, h.report.to = &h.pool, o.eventError
	return h
}

// setUp calls the functions of WithSetup with c.
func (h *core) setUp(c *Conn) {
	h.settingUp.Store(true)
	defer h.settingUp.Store(false)
	for _, f := range h.opts.setup {
		f(c)
	}
}

// A pendingCount counts what is in progress. It is guarded by its owner's mutex.
type pendingCount struct {
	n    int
	idle chan struct{} // closed when n is 0 again; nil: nobody waits
}

func (t *pendingCount) add() { t.n++ }

func (t *pendingCount) done() {
	t.n--
	if t.n == 0 && t.idle != nil {
		close(t.idle)
		t.idle = nil
	}
}

// zero returns a channel that is closed when the count is 0.
func (t *pendingCount) zero() <-chan struct{} {
	if t.n == 0 {
		now := make(chan struct{})
		close(now)
		return now
	}
	if t.idle == nil {
		t.idle = make(chan struct{})
	}
	return t.idle
}

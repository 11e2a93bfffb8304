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
	c := &core{opts: o}
	c.events.limit = int64(o.maxMessage)
	c.pool.size, c.pool.caught = o.workers, o.panicked
	c.report.calls.pool, c.report.to = &c.pool, o.eventError
	return c
}

// setUp calls the functions of WithSetup with conn.
func (c *core) setUp(conn *Conn) {
	c.settingUp.Store(true)
	defer c.settingUp.Store(false)
	for _, f := range c.opts.setup {
		f(conn)
	}
}

// A pendingCount counts what is in progress. It is guarded by its owner's mutex.
type pendingCount struct {
	n    int
	idle chan struct{} // closed when n is 0 again; nil: nobody waits
}

func (p *pendingCount) add() { p.n++ }

func (p *pendingCount) done() {
	p.n--
	if p.n == 0 && p.idle != nil {
		close(p.idle)
		p.idle = nil
	}
}

// zero returns a channel that is closed when the count is 0.
func (p *pendingCount) zero() <-chan struct{} {
	if p.n == 0 {
		now := make(chan struct{})
		close(now)
		return now
	}
	if p.idle == nil {
		p.idle = make(chan struct{})
	}
	return p.idle
}

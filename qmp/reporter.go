package qmp

import (
	"fmt"
	"sync"
	"time"
)

const (
	// maxReports is how many errors are reported in a reportTime. A peer can cause
	// many thousands a second.
	maxReports = 10
	reportTime = time.Second
)

// A reporter gives errors that have no other receiver to the user's function, one at a
// time. Of many that come at once it keeps the first and counts the rest.
type reporter struct {
	to    func(error)
	calls sequence

	mu      sync.Mutex
	since   time.Time   // when the reportTime began
	given   int         // errors in it
	waiting int         // errors that to has not been called with
	more    int         // that it will not be called with
	timer   *time.Timer // reports how many those are
}

func (r *reporter) add(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Sub(r.since) >= reportTime {
		r.since, r.given = now, 0
	}
	if r.given < maxReports && r.waiting <= maxReports {
		r.given++
		r.callLocked(err)
		return
	}
	r.more++
	if r.timer == nil {
		r.timer = time.AfterFunc(r.since.Add(reportTime).Sub(now), r.count)
	}
}

func (r *reporter) callLocked(err error) {
	r.waiting++
	r.calls.add(func() {
		r.mu.Lock()
		r.waiting--
		r.mu.Unlock()
		r.to(err)
	})
}

// count reports how many errors there was no room for.
func (r *reporter) count() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting > maxReports { // to takes its time
		r.timer = time.AfterFunc(reportTime, r.count)
		return
	}
	r.callLocked(fmt.Errorf("qmp: %d more errors like these", r.more))
	r.timer, r.more = nil, 0
}

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

// A reporter passes errors that no call returns to the user's function, one at a time. When
// many come at once, it passes the first ones on and counts the rest.
type reporter struct {
	to    func(error)
	calls sequence

	mu      sync.Mutex
	since   time.Time   // when the reportTime began
	given   int         // errors passed on in this reportTime
	waiting int         // errors for which the user's function has not been called yet
	more    int         // errors that are only counted
	timer   *time.Timer // reports the count
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

// count reports how many errors were only counted.
func (r *reporter) count() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting > maxReports { // the user's function is slow
		r.timer = time.AfterFunc(reportTime, r.count)
		return
	}
	r.callLocked(fmt.Errorf("qmp: %d more errors like these", r.more))
	r.timer, r.more = nil, 0
}

package qmp

import (
	"fmt"
	"sync"
)

// maxReports is how many errors may wait to be reported.
const maxReports = 16

// A reporter tells the user's function of errors that have no other receiver,
// one at a time. Of many that come at once it keeps the first and counts the rest.
type reporter struct {
	pool *pool
	to   func(error)

	mu     sync.Mutex
	errs   []error
	more   int
	active bool // a worker is at it
}

func (r *reporter) add(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.errs) == maxReports {
		r.more++
		return
	}
	r.errs = append(r.errs, err)
	if !r.active {
		r.active = true
		r.pool.add(r)
	}
}

func (r *reporter) run(workerID) {
	for errs := r.take(); errs != nil; errs = r.take() {
		for _, err := range errs {
			r.to(err)
		}
	}
}

// take returns what there is to report, or ends the run.
func (r *reporter) take() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	errs := r.errs
	if r.more > 0 {
		errs = append(errs, fmt.Errorf("qmp: %d more errors like these", r.more))
	}
	r.errs, r.more, r.active = nil, 0, errs != nil
	return errs
}

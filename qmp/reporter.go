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
	to    func(error)
	calls sequence

	mu      sync.Mutex
	waiting int // errors that to has not been told of
	more    int // that it will not be told of
}

func (r *reporter) add(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == maxReports {
		r.more++
		return
	}
	r.waiting++
	r.calls.add(func() {
		r.told()
		r.to(err)
	})
}

// told counts one error less. Behind the last comes how many there were no room for.
func (r *reporter) told() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting--; r.waiting == 0 && r.more > 0 {
		more := fmt.Errorf("qmp: %d more errors like these", r.more)
		r.more = 0
		r.calls.add(func() { r.to(more) })
	}
}

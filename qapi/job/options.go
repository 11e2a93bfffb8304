package job

import (
	"time"

	"github.com/goqapi/goqapi/internal/undo"
)

// An Option sets something about how a job is run.
type Option func(*options)

type options struct {
	limit    time.Duration
	progress func(Progress)
	stay     bool
}

func newOptions(list []Option) options {
	o := options{limit: undo.DefaultLimit}
	for _, set := range list {
		set(&o)
	}
	if o.limit <= 0 {
		o.limit = undo.DefaultLimit
	}
	return o
}

// OnProgress has f called while somebody waits for the job: whenever its state changes, and
// otherwise at growing intervals of up to a second. It is called by the goroutine that waits, which goes on when
// f has returned. Of several jobs in a [Transaction] it is the sum.
func OnProgress(f func(Progress)) Option { return func(o *options) { o.progress = f } }

// StayOnSource has a mirror that is ready end with the guest on the disk that it has now: its
// target is left as a complete copy. Otherwise the guest is switched over to the target.
func StayOnSource() Option { return func(o *options) { o.stay = true } }

// Limit sets how long cleaning up may take: cancelling jobs after ctx has ended and waiting for
// their end, dismissing a job, resetting what was set. 10 s without it.
func Limit(d time.Duration) Option { return func(o *options) { o.limit = d } }

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

// OnProgress sets a function that is called while somebody waits for the job: whenever its state changes, and
// otherwise at growing intervals of up to a second. The goroutine that waits calls f, and continues when f
// has returned. For several jobs in a [Transaction] f gets the sum.
func OnProgress(f func(Progress)) Option { return func(o *options) { o.progress = f } }

// StayOnSource ends a mirror without switching the guest over: the guest keeps its disk,
// and the target is a complete copy. Without this option the guest is switched over to the
// target.
func StayOnSource() Option { return func(o *options) { o.stay = true } }

// Limit sets how long cleaning up may take: cancelling jobs after ctx has ended and waiting for
// their end, dismissing a job, resetting what was set. Without it, the limit is 10 s.
func Limit(d time.Duration) Option { return func(o *options) { o.limit = d } }

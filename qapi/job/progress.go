package job

import (
	"fmt"
	"math"
	"time"

	"github.com/goqapi/goqapi/internal/progress"
)

// Progress is how far a job is.
type Progress struct {
	// How much is done, and how much there is: bytes for jobs that copy, no unit that is
	// known for others. Total is an estimate that may change both ways. It is 0 if there is nothing
	// to do, or if the job does not know yet.
	Done, Total int64
	// From 0 to 100. Without a total it is 0 until the job has succeeded.
	Percent float64
	// How much is done in a second, over the last seconds; 0 if that is not known.
	Rate float64
	// How long it will take if it goes on like that; 0 if that is not known, or
	// nothing is left.
	Left time.Duration
}

// String is the progress in a few words, such as "42 %, 1m30s left".
func (p Progress) String() string {
	text := fmt.Sprintf("%.0f %%", math.Floor(p.Percent)) // 100 only when it is
	if p.Left > 0 {
		text += ", " + max(p.Left.Round(time.Second), time.Second).String() + " left"
	}
	return text
}

// progressOf is how far some jobs are together, as they were seen last.
func progressOf(jobs ...*Job) Progress {
	var list []progress.Reading
	succeeded := true
	for _, j := range jobs {
		j.mu.Lock()
		list = append(list, j.how)
		succeeded = succeeded && j.ended && j.info.Error == nil
		j.mu.Unlock()
	}
	p := Progress(progress.Sum(list...))
	if succeeded {
		p.Percent, p.Left = 100, 0
	}
	return p
}

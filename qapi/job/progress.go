package job

import (
	"fmt"
	"math"
	"time"

	"github.com/goqapi/goqapi/internal/progress"
)

// Progress is how far a job is.
type Progress struct {
	// How much is done, and how much there is to do: in bytes for jobs that copy; for
	// others the unit is not known. Total is an estimate that can grow and shrink. It is 0
	// if there is nothing to do, or if the job does not know yet.
	Done, Total int64
	// Percent is from 0 to 100. Without a total it is 0 until the job has succeeded.
	Percent float64
	// Rate is how much is done in a second, measured over the last seconds; 0 if it is not known.
	Rate float64
	// Left is how long the rest takes at this rate; 0 if that is not known, or if
	// nothing is left.
	Left time.Duration
}

// String returns the progress in a few words, such as "42 %, 1m30s left".
func (p Progress) String() string {
	text := fmt.Sprintf("%.0f %%", math.Floor(p.Percent)) // 100 only when all is done
	if p.Left > 0 {
		text += ", " + max(p.Left.Round(time.Second), time.Second).String() + " left"
	}
	return text
}

// progressOf returns how far some jobs are in all, as they were seen last.
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

package qapi

import "github.com/goqapi/goqapi/internal/progress"

// Percent returns how far the job is, from 0 to 100. A job without a known total is at 0
// until it has finished; a job that has failed keeps the figure that it had.
func (i JobInfo) Percent() float64 {
	return percent(float64(i.CurrentProgress), float64(i.TotalProgress), finished(i.Status) && i.Error == nil)
}

// Percent returns how far the job is, from 0 to 100; see [JobInfo.Percent].
func (i BlockJobInfo) Percent() float64 {
	return percent(float64(i.Offset), float64(i.Len), (i.Ready || finished(i.Status)) && i.Error == nil)
}

// Percent returns how far the dump is, from 0 to 100.
func (i DumpQueryResult) Percent() float64 {
	return percent(float64(i.Completed), float64(i.Total), i.Status == DumpStatusCompleted)
}

// Percent returns how much of the memory has been sent, from 0 to 100; 0 before it is known how
// much there is. It can fall while the guest writes to its memory, since what was written is
// sent again.
func (i MigrationInfo) Percent() float64 {
	completed := Value(i.Status) == MigrationStatusCompleted
	if i.RAM == nil {
		return percent(0, 0, completed)
	}
	return percent(float64(i.RAM.Total)-float64(i.RAM.Remaining), float64(i.RAM.Total), completed)
}

// finished reports whether a job in this state has done its work, unless it failed.
func finished(s JobStatus) bool {
	switch s {
	case JobStatusReady, JobStatusStandby, JobStatusWaiting, JobStatusPending, JobStatusConcluded:
		return true
	}
	return false
}

// percent returns how much of total is done. If there is no total, it returns 100 if finished is true.
func percent(done, total float64, finished bool) float64 {
	if total <= 0 && finished {
		return 100
	}
	return progress.Percent(done, total)
}

//go:build unix

package growth

import (
	"syscall"
	"time"
)

// ProcessorTime returns the CPU time of the process.
func ProcessorTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

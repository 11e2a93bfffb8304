//go:build !unix

package growth

import "time"

var start = time.Now()

// ProcessorTime returns how long the process has existed.
func ProcessorTime() time.Duration { return time.Since(start) }

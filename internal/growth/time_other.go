//go:build !unix

package growth

import "time"

var start = time.Now()

// processorTime returns how long the process has existed.
func processorTime() time.Duration { return time.Since(start) }

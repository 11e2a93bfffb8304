// Package growth tests how the work of a function grows with its input.
package growth

import (
	"testing"
	"time"
)

// Linear fails the test if the function that prepare(4n) returns takes much longer than
// four times as long as that of prepare(n): quadratic work takes sixteen times as long.
// n is doubled until a run takes long enough to be measured. To be independent of a busy
// machine, it measures CPU time, where the system reports it, and the shortest of several
// runs. Nothing else may run in the process. With -short it skips the test.
func Linear(t testing.TB, n int, prepare func(n int) (run func())) {
	t.Helper()
	if testing.Short() {
		t.Skip("short: it measures how work grows with its input")
	}
	linear(t, n, prepare, ProcessorTime)
}

func linear(t testing.TB, n int, prepare func(n int) (run func()), clock func() time.Duration) {
	t.Helper()
	const (
		most  = 12 // more than 4, since caches make large n slower than they should be
		runs  = 3
		least = 10 * time.Millisecond
	)
	took := func(run func()) time.Duration {
		start := clock()
		run()
		return clock() - start
	}
	short := prepare(n)
	small := took(short)
	for small < least && n < 1<<16 {
		n *= 2
		short = prepare(n)
		small = took(short)
	}
	long := prepare(4 * n)
	large := took(long)
	for range runs {
		if large < most*small {
			return
		}
		large = min(large, took(long))
		small = min(small, took(short))
	}
	t.Errorf("%d took %v, %d took %v: %.1f times as long", n, small, 4*n, large, float64(large)/float64(small))
}

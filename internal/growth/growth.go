// Package growth holds tests to how the work of a function grows with its input.
package growth

import (
	"testing"
	"time"
)

// Linear fails the test if the function that prepare(4n) returns takes far longer than
// four times as long as that of prepare(n): quadratic work takes sixteen times as long.
// What is measured is the shortest of some runs, which a busy machine disturbs least; n
// must be large enough for some milliseconds.
func Linear(t testing.TB, n int, prepare func(n int) (run func())) {
	t.Helper()
	const most = 9
	var small, large time.Duration
	short, long := prepare(n), prepare(4*n)
	for range 3 { // one good measurement is enough
		small, large = shortest(short), shortest(long)
		if large < most*small {
			return
		}
	}
	t.Errorf("%d took %v, %d took %v: %.1f times as long", n, small, 4*n, large, float64(large)/float64(small))
}

func shortest(run func()) time.Duration {
	best := time.Duration(1<<63 - 1)
	for range 3 {
		start := time.Now()
		run()
		best = min(best, time.Since(start))
	}
	return best
}

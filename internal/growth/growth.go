// Package growth holds tests to how the work of a function grows with its input.
package growth

import (
	"testing"
	"time"
)

// Linear fails the test if the function that prepare(4n) returns takes far longer than
// four times as long as that of prepare(n): quadratic work takes sixteen times as long.
// Each runs again, and its shortest time counts, as long as a busy machine may be why.
// n must be large enough for some milliseconds.
func Linear(t testing.TB, n int, prepare func(n int) (run func())) {
	t.Helper()
	const (
		most = 9
		runs = 5
	)
	short, long := prepare(n), prepare(4*n)
	small, large := took(short), took(long)
	for range runs - 1 {
		if large < most*small {
			return
		}
		large = min(large, took(long))
		small = min(small, took(short))
	}
	if large >= most*small {
		t.Errorf("%d took %v, %d took %v: %.1f times as long", n, small, 4*n, large, float64(large)/float64(small))
	}
}

func took(run func()) time.Duration {
	start := time.Now()
	run()
	return time.Since(start)
}

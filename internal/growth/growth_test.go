package growth

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// failing notes that a test has failed.
type failing struct {
	testing.TB
	failed bool
}

func (f *failing) Helper()               {}
func (f *failing) Errorf(string, ...any) { f.failed = true }

func TestLinear(t *testing.T) {
	var now time.Duration
	clock := func() time.Duration { return now }
	for name, c := range map[string]struct {
		work   func(n int) int
		failed bool
	}{
		"constant":  {func(int) int { return 1000 }, false},
		"linear":    {func(n int) int { return n + 5 }, false},
		"quadratic": {func(n int) int { return n * n / 100 }, true},
		"nothing":   {func(int) int { return 1 }, false},
	} {
		f := &failing{TB: t}
		linear(f, 100, func(n int) func() {
			return func() { now += time.Duration(c.work(n)) * time.Microsecond }
		}, clock)
		assert.Equal(t, c.failed, f.failed, name)
	}

	// A few slow runs do not fail the test.
	f, runs := &failing{TB: t}, 0
	linear(f, 100, func(n int) func() {
		return func() {
			if runs++; runs%2 == 0 {
				now += time.Hour
			}
			now += time.Duration(n) * time.Millisecond
		}
	}, clock)
	assert.False(t, f.failed)
}

func TestProcessorTime(t *testing.T) {
	before := ProcessorTime()
	for ProcessorTime() == before { // until something was executed
	}
	assert.Greater(t, ProcessorTime(), before)
}

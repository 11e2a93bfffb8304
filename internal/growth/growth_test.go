package growth_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goqapi/goqapi/internal/growth"
)

// failing notes that a test has failed.
type failing struct {
	testing.TB
	failed bool
}

func (f *failing) Helper()               {}
func (f *failing) Errorf(string, ...any) { f.failed = true }

func TestLinear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			work   func(n int) int
			failed bool
		}{
			"constant":  {func(int) int { return 100 }, false},
			"linear":    {func(n int) int { return n + 5 }, false},
			"quadratic": {func(n int) int { return n * n }, true},
		} {
			f := &failing{TB: t}
			growth.Linear(f, 100, func(n int) func() {
				return func() { time.Sleep(time.Duration(c.work(n)) * time.Millisecond) }
			})
			assert.Equal(t, c.failed, f.failed, name)
		}
		// One slow run proves nothing.
		f, runs := &failing{TB: t}, 0
		growth.Linear(f, 100, func(n int) func() {
			return func() {
				if runs++; runs == 2 {
					time.Sleep(time.Hour)
				}
				time.Sleep(time.Duration(n))
			}
		})
		assert.False(t, f.failed)
	})
}

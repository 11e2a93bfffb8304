package poll_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goqapi/goqapi/internal/poll"
)

func TestUntilAsksAtOnceAndThenLessAndLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var asked []time.Duration
		err := poll.Until(t.Context(), func(context.Context) (bool, error) {
			asked = append(asked, time.Since(start))
			return len(asked) == 13, nil
		})
		assert.NoError(t, err)
		assert.Zero(t, asked[0])
		for i := 2; i < len(asked); i++ {
			assert.Equal(t, min(2*(asked[i-1]-asked[i-2]), time.Second), asked[i]-asked[i-1], "interval %d", i)
		}
		assert.Equal(t, time.Second, asked[12]-asked[11])
	})
}

func TestUntilEndsWithAnError(t *testing.T) {
	broken := errors.New("broken")
	times := 0
	assert.Equal(t, broken, poll.Until(t.Context(), func(context.Context) (bool, error) {
		times++
		return false, broken
	}))
	assert.Equal(t, 1, times)
}

func TestUntilEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bored := errors.New("bored")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second+time.Millisecond, bored)
		defer cancel()
		start := time.Now()
		err := poll.Until(ctx, func(context.Context) (bool, error) { return false, nil })
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorIs(t, err, bored)
		assert.Equal(t, 10*time.Second+time.Millisecond, time.Since(start))

		ended, end := context.WithCancel(t.Context())
		end()
		assert.Equal(t, context.Canceled, poll.Until(ended, func(context.Context) (bool, error) { return false, nil }))
	})
}

func TestIntervalBeginsAgain(t *testing.T) {
	var i poll.Interval
	a, b := i.Next(), i.Next()
	assert.Equal(t, 2*a, b)
	i.Reset()
	assert.Equal(t, a, i.Next())
}

package libvirt

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An endingContext ends as soon as somebody waits for its end, and does something first.
type endingContext struct {
	context.Context
	first func()
}

func (c endingContext) Done() <-chan struct{} {
	c.first()
	ended := make(chan struct{})
	close(ended)
	return ended
}

func (endingContext) Err() error { return context.Canceled }

// TestAdmittedAtItsEnd checks that a command that is admitted when its context ends is not said to
// wait for another command: it would be itself.
func TestAdmittedAtItsEnd(t *testing.T) {
	failed := false
	for range 100 { // select takes either
		g := &gate{inFlight: map[monitor]bool{}}
		m := monitor{}
		require.NoError(t, g.enter(t.Context(), m))
		err := g.enter(endingContext{t.Context(), func() { g.leave(m) }}, m)
		if err != nil {
			assert.Equal(t, context.Canceled, err)
			failed = true
		} else {
			g.leave(m)
		}
		assert.Empty(t, g.inFlight)
	}
	assert.True(t, failed)
}

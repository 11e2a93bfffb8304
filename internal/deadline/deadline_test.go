package deadline

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestContext(t *testing.T) {
	ctx, pass := Context(t)
	below, cancel := context.WithCancel(ctx)
	defer cancel()
	require.NoError(t, ctx.Err())
	require.NoError(t, below.Err())
	pass()
	pass()
	<-below.Done()
	for _, c := range []context.Context{ctx, below} {
		assert.Equal(t, context.DeadlineExceeded, c.Err())
		assert.Equal(t, context.DeadlineExceeded, context.Cause(c))
	}
}

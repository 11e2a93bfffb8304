// Package deadline has contexts for tests whose deadline passes when the test says so.
//
// A timeout that is to pass at a certain step of what is tested would otherwise be a guess: on
// a slow machine it passes earlier.
package deadline

import (
	"context"
	"sync"
	"testing"
)

// Context returns a context that ends like one with a deadline: when pass is called, which may be
// more than once, from any goroutine; or at the end of the test.
func Context(t testing.TB) (ctx context.Context, pass func()) {
	c := &deadline{Context: t.Context(), passed: make(chan struct{})}
	pass = sync.OnceFunc(func() { close(c.passed) })
	t.Cleanup(pass)
	return c, pass
}

type deadline struct {
	context.Context // for values

	passed chan struct{}
}

func (d *deadline) Done() <-chan struct{} { return d.passed }

func (d *deadline) Err() error {
	select {
	case <-d.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

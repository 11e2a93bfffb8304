package qmp

import (
	"context"
	"fmt"
	"reflect"
	"sync"
)

// Once returns what f returned when it was first called for this connection and
// this T: something that a server is asked for once, and again when it has been
// connected to anew. Until f succeeds, each call
// tries again; calls at the same time wait for each other, up to their ctx.
func Once[T any](ctx context.Context, c *Conn, f func(context.Context) (T, error)) (T, error) {
	entry := c.current().memo.entry(reflect.TypeFor[T]())
	var none T
	select {
	case entry.turn <- struct{}{}:
	case <-ctx.Done():
		return none, fmt.Errorf("qmp: waiting for %T: %w", none, contextError(ctx))
	}
	defer func() { <-entry.turn }()
	if v, ok := entry.value.(T); ok {
		return v, nil
	}
	v, err := f(ctx)
	if err != nil {
		return none, err
	}
	entry.value = v
	return v, nil
}

// A memo holds what Once has returned.
type memo struct {
	mu      sync.Mutex
	entries map[reflect.Type]*memoEntry
}

type memoEntry struct {
	turn  chan struct{} // holds a value while somebody has the entry
	value any
}

func (m *memo) entry(t reflect.Type) *memoEntry {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries = map[reflect.Type]*memoEntry{}
	}
	if m.entries[t] == nil {
		m.entries[t] = &memoEntry{turn: make(chan struct{}, 1)}
	}
	return m.entries[t]
}

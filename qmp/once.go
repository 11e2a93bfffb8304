package qmp

import (
	"context"
	"fmt"
	"reflect"
	"sync"
)

// Once calls f and returns its result. Later calls with the same T on the same connection
// return that result and do not call f. It is for facts that do not change as long as the
// server runs. After a reconnection f is called again. If f returns an error, the next call
// calls f again. If several goroutines call Once at the same time, one calls f and the others
// wait, until their ctx ends.
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

// Package hook is what package qmp can do for package bind and does not show to users. Package qmp
// sets the functions; conn is a *qmp.Conn.
package hook

import (
	"context"
	"reflect"
	"sync"

	"github.com/goqapi/goqapi/qmp/codec"
)

// Execute executes a command without arguments, whose result is decoded by a function; result
// may be nil.
var Execute func(ctx context.Context, conn any, command string, result codec.Into) error

// MemoOf returns the memo of the session that the connection has, or had last.
var MemoOf func(conn any) *Memo

// A Memo keeps what a server has said once, as long as a session with it lasts. It has one entry
// for each type. The zero Memo is empty.
type Memo struct {
	mu      sync.Mutex
	entries map[reflect.Type]*Entry
}

// An Entry is a value of one type, or the place for it.
type Entry struct {
	Turn  chan struct{} // holds a value while a goroutine uses the entry
	Value any           // nil: not known yet
}

// Entry returns the entry of a type.
func (m *Memo) Entry(t reflect.Type) *Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries = map[reflect.Type]*Entry{}
	}
	if m.entries[t] == nil {
		m.entries[t] = &Entry{Turn: make(chan struct{}, 1)}
	}
	return m.entries[t]
}

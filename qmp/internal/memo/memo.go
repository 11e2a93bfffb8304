// Package memo keeps what a server has said once, as long as a session with it lasts. It connects
// package bind, which asks, with package qmp, which has the sessions.
package memo

import (
	"reflect"
	"sync"
)

// Of returns the memo of the session that a *qmp.Conn has, or had last. Package qmp sets it.
var Of func(conn any) *Memo

// A Memo has one entry for each type. The zero Memo is empty.
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

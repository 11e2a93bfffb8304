package qmp

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goqapi/goqapi/internal/wirejson"
	"github.com/goqapi/goqapi/qmp/internal/wire"
)

// An Event is something that happened in the server.
type Event struct {
	Name      string
	Timestamp time.Time       // UTC, to the microsecond; zero when the server does not know
	Data      json.RawMessage // a JSON object; nil without data. All receivers share it: do not change it
}

// Decode stores the event's data in the value that v points to. An event without
// data leaves it as it is.
func (e Event) Decode(v any) error {
	if len(e.Data) == 0 {
		return nil
	}
	return wire.EventError(e.Name, decode(context.Background(), e.Data, v))
}

// A registry knows which queues want which events.
type registry struct {
	mu    sync.RWMutex
	named map[string][]*queue
	all   []*queue
	err   error // the connection is closed

	limit int64        // bytes that the events in all queues may have
	used  atomic.Int64 // bytes that they have

	names map[string]string // names as strings, each made once; only the reader uses it
}

// maxNames and maxName limit how many names of events are kept, and how long they may
// be. QEMU has some 70 events, whose names are shorter than 40 bytes.
const (
	maxNames = 1000
	maxName  = 100
)

// add adds a queue for the events of these names, or for all events without names.
func (r *registry) add(q *queue, names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q.names = names
	if r.err != nil {
		q.end(r.err)
		return
	}
	if len(names) == 0 {
		r.all = append(r.all[:len(r.all):len(r.all)], q)
		return
	}
	if r.named == nil {
		r.named = make(map[string][]*queue)
	}
	for _, name := range names {
		list := without(r.named[name], q) // a name may be given twice
		r.named[name] = append(list, q)
	}
}

func (r *registry) remove(q *queue) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = without(r.all, q)
	for _, name := range q.names {
		if list := without(r.named[name], q); len(list) > 0 {
			r.named[name] = list
		} else {
			delete(r.named, name)
		}
	}
}

// without returns a list of the same queues except q. It does not change list,
// since the reader may be using it.
func without(list []*queue, q *queue) []*queue {
	var rest []*queue
	for _, other := range list {
		if other != q {
			rest = append(rest, other)
		}
	}
	return rest
}

// end makes every queue end with err after its last event.
func (r *registry) end(err error) {
	r.mu.Lock()
	r.err = err
	queues := r.queuesLocked()
	r.named, r.all = nil, nil
	r.mu.Unlock()
	for q := range queues {
		q.end(err)
	}
}

// interrupt marks a gap in every queue.
func (r *registry) interrupt(gap *GapError) {
	r.mu.RLock()
	queues := r.queuesLocked()
	r.mu.RUnlock()
	for q := range queues {
		q.add(entry{gap: gap})
	}
}

func (r *registry) queuesLocked() map[*queue]bool {
	queues := make(map[*queue]bool)
	for _, q := range r.all {
		queues[q] = true
	}
	for _, list := range r.named {
		for _, q := range list {
			queues[q] = true
		}
	}
	return queues
}

// event passes an event to the queues. It drops an event that is read from a session that has
// already ended: the queues get a gap in its place.
func (s *session) event(m *wire.Message) {
	if !s.reconnects {
		s.events.event(m)
		return
	}
	s.mu.Lock()
	if s.err == nil {
		s.hasEvents = true
		s.events.event(m)
	}
	s.mu.Unlock()
}

// event appends the event in m to the queues that want it.
func (r *registry) event(m *wire.Message) {
	name := m.Members[wire.Event]
	if text := wirejson.Unquote(name); text != nil {
		name = text
	}
	r.mu.RLock()
	named, all := r.named[string(name)], r.all
	r.mu.RUnlock()
	if len(named)+len(all) == 0 {
		return
	}
	e := entry{Event: Event{Name: r.name(name), Timestamp: wire.Time(m.Members[wire.Timestamp])}}
	e.Data = bytes.Clone(m.Members[wire.Data])
	e.memory = &memory{size: int64(len(e.Name) + len(e.Data)), total: &r.used}
	e.memory.holders.Add(1) // until it is in the queues
	r.used.Add(e.memory.size)
	for _, list := range [2][]*queue{named, all} {
		for _, q := range list {
			q.add(e)
		}
	}
	e.memory.release()
	if r.used.Load() > r.limit {
		r.makeRoom()
	}
}

// makeRoom drops the oldest events of the queues that hold most. Each keeps its newest.
func (r *registry) makeRoom() {
	r.mu.RLock()
	queues := r.queuesLocked()
	r.mu.RUnlock()
	for r.used.Load() > r.limit {
		var fullest *queue
		most := int64(0)
		for q := range queues {
			if held := q.held(); held > most {
				fullest, most = q, held
			}
		}
		if fullest == nil {
			return
		}
		fullest.lose()
	}
}

func (r *registry) name(text []byte) string {
	name, ok := r.names[string(text)]
	if !ok {
		name = string(text)
		if r.names == nil {
			r.names = make(map[string]string)
		}
		if len(r.names) < maxNames && len(name) <= maxName {
			r.names[name] = name
		}
	}
	return name
}

package qmptest

import "github.com/goqapi/goqapi/qapi"

// Emit sends an event to all clients that have negotiated. It happened at its Timestamp if that is
// set, otherwise now.
func (s *Server) Emit(e qapi.Event) {
	s.t.Helper()
	s.Flood(1, e)
}

// Flood sends an event n times, without a pause.
func (s *Server) Flood(n int, e qapi.Event) {
	s.t.Helper()
	var data any = e
	if u, ok := e.(qapi.UnknownEvent); ok {
		data = u.Data
	}
	s.emit(n, e.EventName(), data)
}

// EmitNamed sends an event by its name. data must encode to a JSON object; nil means that the event
// does not have data.
func (s *Server) EmitNamed(event string, data any) {
	s.t.Helper()
	s.emit(1, event, data)
}

func (s *Server) emit(n int, event string, data any) {
	s.t.Helper()
	text, err := s.eventText(event, data)
	if err != nil {
		return
	}
	s.emitting.Lock() // all clients get events in the same order
	defer s.emitting.Unlock()
	for range n {
		for _, c := range s.clients() {
			if c.negotiated.Load() {
				c.send(text)
			}
		}
	}
}

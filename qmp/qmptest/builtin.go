package qmptest

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/goqapi/goqapi/internal/versions"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// builtins returns the commands that every server has, if the release has them.
func (s *Server) builtins() map[string]Handler {
	return map[string]Handler{
		"query-version":  func(context.Context, *Request) (any, error) { return s.versionInfo(), nil },
		"query-commands": func(context.Context, *Request) (any, error) { return s.commandInfos(), nil },
		"query-qmp-schema": func(context.Context, *Request) (any, error) {
			text, err := printed(json.RawMessage(s.rel.Introspect()))
			return reply{text, err}, nil // made from the schema, against which to check it takes long
		},
		"query-events": func(context.Context, *Request) (any, error) { return named(s.rel.Events()), nil },
		"quit":         s.quit,
	}
}

func (s *Server) commandInfos() any {
	names := s.rel.Commands()
	if s.unchecked {
		s.mu.Lock()
		names = slices.AppendSeq(names, maps.Keys(s.handlers))
		s.mu.Unlock()
		slices.Sort(names)
		names = slices.Compact(names)
	}
	return named(names)
}

// named returns a list of objects that have only a name.
func named(names []string) any {
	type info struct {
		Name string `json:"name"`
	}
	var list []info
	for _, name := range names {
		list = append(list, info{name})
	}
	return list
}

func (s *Server) quit(_ context.Context, req *Request) (any, error) {
	bye := func() { s.Emit(qapi.ShutdownEvent{Reason: qapi.ShutdownCauseHostQMPQuit}) }
	if s.rel.Before("7.2") {
		req.After(bye) // the reply came first
	} else {
		bye()
	}
	req.After(s.hangUp)
	return nil, nil
}

// hangUp accepts no more clients, and ends all connections after what is queued for them has
// been sent.
func (s *Server) hangUp() {
	s.stopListening()
	for _, c := range s.clients() {
		c.out.end()
	}
}

// versionOf returns the first version of a release.
func versionOf(name string) qmp.Version {
	v := qmp.Version{Package: "qmptest"}
	v.Major, v.Minor = versions.Numbers(name)
	return v
}

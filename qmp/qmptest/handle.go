package qmptest

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"sync"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qmp"
)

// A Handler executes a command. It returns the result, which is encoded as JSON; nil is the empty
// object. An error is sent to the client, too: an [*qmp.Error] with its class and description,
// another one as a GenericError. ctx ends with the connection.
type Handler func(ctx context.Context, req *Request) (any, error)

// ErrNoReply is returned by a [Handler] if the command gets no reply.
var ErrNoReply = errors.New("qmptest: no reply")

// A Call is a command that a client issued.
type Call struct {
	Command   string
	Arguments json.RawMessage // nil: none
	OOB       bool            // issued out of band
}

// Decode stores the arguments in the value that v points to. Without arguments it does not change
// the value. A handler may return its error to the client.
func (c Call) Decode(v any) error {
	if c.Arguments == nil {
		return nil
	}
	if err := jsonv2.Unmarshal(c.Arguments, v); err != nil {
		return &qmp.Error{Command: c.Command, Class: qmp.ClassGenericError, Desc: err.Error()}
	}
	return nil
}

// A Request is a command on its way to a handler.
type Request struct {
	Call
	id       jsontext.Value // nil: none
	broken   error          // why it is not a request; nil if it is one
	after    []func()
	agentRun int // the run of the agent to which it was written; or lost

	session *session
	files   []*os.File // that came with it
}

// After calls f when the reply has been sent. It is for events that come after the reply.
func (r *Request) After(f func()) {
	if f == nil {
		panic("qmptest: After: the function is nil")
	}
	r.after = append(r.after, f)
}

// Handle makes h execute a command, in place of what executes it otherwise. This includes commands that
// each server has: query-version, query-commands, query-qmp-schema and quit, after which the server
// accepts no more clients. If h is nil, the command is executed as if Handle had not been called. The
// function [Handle] does the same with types.
func (s *Server) Handle(command string, h Handler) {
	s.t.Helper()
	s.known(command)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handlers[command] = h
}

// Reply sets the results of a command: one for each call, the last one for all further calls.
// Without values the result is the empty object. The values are encoded and checked against the
// schema immediately.
func (s *Server) Reply(command string, results ...any) {
	s.t.Helper()
	if len(results) == 0 {
		results = []any{nil}
	}
	var mu sync.Mutex
	var replies []reply
	for _, result := range results {
		replies = append(replies, s.newReply(command, result))
	}
	s.Handle(command, func(context.Context, *Request) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		r := replies[0]
		if len(replies) > 1 {
			replies = replies[1:]
		}
		return r, r.err
	})
}

// Fail makes a command fail with an error of a class, such as GenericError.
func (s *Server) Fail(command, class, desc string) {
	s.t.Helper()
	err := s.checkError(command, &qmp.Error{Command: command, Class: class, Desc: desc})
	s.Handle(command, func(context.Context, *Request) (any, error) { return nil, checkedError{err} })
}

// Handler returns what executes a command at present, nil if nothing does. It is for a handler that
// replaces another one and calls it.
func (s *Server) Handler(command string) Handler {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.handlers[command]; h != nil {
		return h
	}
	return s.builtin[command]
}

func (s *Server) log(call Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call)
}

// Calls returns the commands that clients have issued so far, in order, including those that were
// refused, without those that begin a connection.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Count returns how often clients have issued a command so far. The test fails if the release does
// not have the command and nobody has issued it.
func (s *Server) Count(command string) int {
	s.t.Helper()
	n := 0
	for _, call := range s.Calls() {
		if call.Command == command {
			n++
		}
	}
	if n == 0 {
		s.known(command)
	}
	return n
}

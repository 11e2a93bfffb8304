package qmptest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest/internal/release"
)

// known reports a command that the release does not have: no client can issue it.
func (s *Server) known(command string) {
	s.t.Helper()
	if !s.unchecked && s.rel.Command(command) == nil {
		_ = s.fail("%s has no command %q", s.who(), command)
	}
}

// who returns what the server plays, for error texts.
func (s *Server) who() string {
	if s.agent {
		return "the guest agent of QEMU " + s.plays
	}
	return "QEMU " + s.plays
}

// admit returns the error by which QEMU refuses a request before it executes it.
func (s *Server) admit(req *Request) error {
	if s.unchecked && req.Command != "qmp_capabilities" {
		return nil
	}
	def := s.rel.Command(req.Command)
	switch {
	case def == nil:
		return notFound(req.Command)
	case req.OOB && !def.AllowOOB:
		return generic(fmt.Sprintf("The command %s does not support OOB", req.Command))
	}
	if s.agent {
		if err := s.guest.admit(req.Command); err != nil {
			return err
		}
	}
	if refusal := s.rel.Refuse(def, req.Arguments); refusal != "" {
		return generic(refusal)
	}
	return nil
}

func notFound(command string) error {
	return &qmp.Error{Class: qmp.ClassCommandNotFound, Desc: fmt.Sprintf("The command %s has not been found", command)}
}

func generic(desc string) *qmp.Error { return &qmp.Error{Class: qmp.ClassGenericError, Desc: desc} }

// A reply is the result of a command as it is sent, or the reason why it cannot be sent.
type reply struct {
	text []byte
	err  error
}

// newReply encodes a result and checks it against the schema.
func (s *Server) newReply(command string, result any) reply {
	s.t.Helper()
	if r, ok := result.(reply); ok {
		return r
	}
	if result == nil {
		result = struct{}{}
	}
	text, err := printed(result)
	if err != nil {
		return reply{err: checkedError{s.fail("the reply to %s cannot be encoded: %w", command, err)}}
	}
	def := s.rel.Command(command)
	if s.unchecked || def == nil { // a command that does not exist was reported already
		return reply{text: text}
	}
	fit, err := s.rel.Reply(def, release.Value{JSON: text, Typed: ofBindings(result)})
	if err != nil {
		return reply{err: checkedError{s.fail("%s never sends such a reply to %s: %w\n\t%s", s.who(), command, err, shortened(text))}}
	}
	text, err = printed(jsontext.Value(fit))
	return reply{text, err}
}

// A checkedError has been checked against the schema already.
type checkedError struct{ error }

func (e checkedError) Unwrap() error { return e.error }

// checkError returns the error with which a command fails.
func (s *Server) checkError(command string, err error) error {
	s.t.Helper()
	refused, ok := errors.AsType[*qmp.Error](err)
	if !ok || s.unchecked || errors.As(err, new(checkedError)) {
		return err
	}
	if bad := s.rel.CheckClass(refused.Class); bad != nil {
		return s.fail("%s never refuses %s like this: %w", s.who(), command, bad)
	}
	return err
}

// eventText returns an event as it is sent. An error has been reported already.
func (s *Server) eventText(name string, data any) ([]byte, error) {
	s.t.Helper()
	if s.agent {
		return nil, s.fail("%s does not send events, but the test sends %s", s.who(), name)
	}
	at, text, err := eventData(data)
	if err != nil {
		return nil, s.fail("the event %s cannot be encoded: %w", name, err)
	}
	if !s.unchecked {
		def := s.rel.Event(name)
		if def == nil {
			return nil, s.fail("%s has no event %q", s.who(), name)
		}
		fit, err := s.rel.Data(def, release.Value{JSON: text, Typed: ofBindings(data)})
		if err != nil {
			return nil, s.fail("%s never sends such an event %s: %w\n\t%s", s.who(), name, err, shortened(text))
		}
		text = fit
	}
	return eventMessage(name, at, text)
}

var bindings = []string{reflect.TypeFor[qapi.Client]().PkgPath(), reflect.TypeFor[qga.Client]().PkgPath()}

// ofBindings reports whether a value, or the elements of a list, have a type of the
// bindings.
func ofBindings(v any) bool {
	if list, ok := v.([]any); ok {
		return len(list) > 0 && !slices.ContainsFunc(list, func(e any) bool { return !ofBindings(e) })
	}
	if v == nil {
		return false
	}
	t := reflect.TypeOf(v)
	for t.Name() == "" && slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map}, t.Kind()) {
		t = t.Elem()
	}
	return slices.Contains(bindings, t.PkgPath())
}

// shortened returns JSON for the text of an error.
func shortened(text []byte) string {
	const most = 400
	if len(text) <= most {
		return string(text)
	}
	return string(text[:most]) + "…"
}

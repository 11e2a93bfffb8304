package libvirt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/internal/virrpc"
)

// Write executes commands, one after another: it returns when the last has its reply, or is given up.
func (s *stream) Write(b []byte) (int, error) {
	if err := s.executeAll(b, nil); err != nil {
		return 0, err
	}
	return len(b), nil
}

// WriteFiles executes a command that has files.
func (s *stream) WriteFiles(b []byte, fds []int) error { return s.executeAll(b, fds) }

func (s *stream) executeAll(b []byte, fds []int) error {
	if err := s.setWriting(true); err != nil {
		return err
	}
	defer func() { _ = s.setWriting(false) }()
	b = bytes.ReplaceAll(b, []byte{0xFF}, nil) // the mark of a synchronisation
	for d := jsontext.NewDecoder(bytes.NewReader(b), jsontext.AllowDuplicateNames(true)); ; {
		text, err := d.ReadValue()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the message is not JSON: %w", err)
		}
		if err := s.execute(text, fds); err != nil {
			return err
		}
	}
}

func (s *stream) setWriting(on bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on && s.err != nil {
		return s.err
	}
	s.writing = on
	s.changed.Broadcast()
	return nil
}

// execute executes a command and pushes its reply, unless the stream ends without one.
func (s *stream) execute(text []byte, fds []int) error {
	m, err := parseMessage(text)
	if err != nil {
		return fmt.Errorf("the message is not a command: %w", err)
	}
	id, command := m.take("id"), m.command()
	var answer *message
	switch {
	case !s.agent && command == "qmp_capabilities":
		answer = newMessage("return", "{}")
	case s.agent && (command == "guest-sync-delimited" || command == "guest-sync"):
		answer, err = s.synchronise(m)
	default:
		answer, err = s.exchange(m, fds)
		if e, ok := err.(*Error); ok && command == "quit" && monitorLost(e) {
			answer, err = newMessage("return", "{}"), nil // QEMU has ended, as it was asked to
		}
	}
	if err != nil {
		failure, ok := errors.AsType[*failure](err)
		if !ok {
			return nil // the stream ends, and says why
		}
		answer = failure.message(s.token)
	}
	if answer == nil {
		return nil
	}
	answer.take("id") // libvirt's own
	answer.add("id", id)
	s.push(answer.line())
	return nil
}

// synchronise answers a synchronisation of the connection. It does not pass it on, since libvirt
// itself synchronises with the agent, and would lose replies if somebody else did. It sends a ping: if
// the agent answers, libvirt has synchronised. If the agent does not answer, synchronise returns nil.
func (s *stream) synchronise(m *message) (*message, error) {
	answer, err := s.exchange(newMessage("execute", `"guest-ping"`), nil)
	if f, ok := errors.AsType[*failure](err); ok && f.kind == noAgent {
		return nil, nil
	}
	if err != nil || answer.find("error") != nil {
		return answer, err
	}
	if args, err := parseMessage(m.find("arguments")); err == nil {
		if id := args.find("id"); id != nil {
			return newMessage("return", string(id)), nil
		}
	}
	return nil, &failure{refused, errors.New("the argument id is missing")}
}

// exchange sends a command to libvirt and returns the reply. Its error is a *failure, or the stream ends.
func (s *stream) exchange(m *message, fds []int) (*message, error) {
	text := string(m.text())
	switch {
	case len(text) > virrpc.MaxString:
		return nil, &failure{unsent, fmt.Errorf("the command has %d bytes, and libvirt accepts at most %d", len(text), virrpc.MaxString)}
	case len(fds) > 1:
		return nil, &failure{unsent, fmt.Errorf("libvirt passes one file with a command, not %d", len(fds))}
	}
	ctx, cancel := s.h.limit(s.ctx)
	defer cancel()
	answered := func(reply, error) {}
	if !s.agent && m.command() == "quit" {
		answered = s.beginQuit()
	}
	body, err := s.call(ctx, text, fds, answered)
	if err != nil {
		return nil, err
	}
	answer, err := s.decode(body)
	if err != nil {
		return nil, &failure{unknown, fmt.Errorf("the reply of libvirt: %w", err)}
	}
	return answer, nil
}

// decode returns the reply of QEMU or the agent.
func (s *stream) decode(body reply) (*message, error) {
	d := virrpc.Decoder{Buf: body}
	if s.agent && !d.Optional() && d.Err() == nil {
		return newMessage("return", "{}"), nil
	}
	m, err := parseMessage(d.Bytes())
	return m, errors.Join(d.Err(), err)
}

// call waits for its turn, calls libvirt and waits for the answer. answered gets the answer before anything
// that libvirt sends after it is handled, and must not wait.
func (s *stream) call(ctx context.Context, text string, fds []int, answered func(reply, error)) (reply, error) {
	m := monitor{s.domain.UUID, s.agent}
	if err := s.h.gate.enter(ctx, m); err != nil {
		return nil, s.unsent(err)
	}
	c, release, err := s.h.take(ctx)
	if err != nil {
		s.h.gate.leave(m)
		return nil, s.unsent(err)
	}
	leave := func() {
		release()
		s.h.gate.leave(m)
	}
	if len(fds) > 0 {
		if err := c.passesFiles(); err != nil {
			leave()
			return nil, &failure{noFiles, err}
		}
	}
	o := s.send(c, text, fds, func(r reply, err error) {
		leave() // also when nobody waits any more
		answered(r, err)
	})
	if !o.await(ctx) {
		if s.ctx.Err() != nil {
			return nil, s.ctx.Err()
		}
		return nil, &failure{late, contextError(ctx)}
	}
	switch {
	case o.unsent != nil:
		s.end(o.unsent)
		return nil, &failure{moved, o.unsent}
	case o.err != nil:
		return nil, s.failed(o.err)
	}
	return o.reply, nil
}

// request returns the procedure and the arguments that execute a command.
func (s *stream) request(text string, files bool) (procedure int32, args []byte) {
	var e virrpc.Encoder
	e.Domain(s.domain)
	e.String(text)
	if s.agent {
		e.Int(s.agentSeconds())
		e.Uint(0)
		return virrpc.AgentCommand, e.Buf
	}
	e.Uint(0) // QMP
	if files {
		return virrpc.MonitorCommandWithFiles, e.Buf
	}
	return virrpc.MonitorCommand, e.Buf
}

// agentSeconds returns how long libvirt should wait for the answer of an agent. This is longer than
// this package waits: libvirt's error for a late answer looks like its error for a command that was
// not sent.
func (s *stream) agentSeconds() int32 {
	const forever, margin = -2, 10 * time.Second
	if s.h.opts.timeout <= 0 {
		return forever
	}
	return int32(min(math.Ceil((s.h.opts.timeout + margin).Seconds()), math.MaxInt32))
}

// unsent is the error of a command that was not sent because of err.
func (s *stream) unsent(err error) error {
	switch {
	case s.ctx.Err() != nil:
		return &failure{moved, errors.New("the stream has ended")}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{tooLate, err}
	}
	return &failure{unsent, err}
}

// failed is the error of a command for which libvirt returned err.
func (s *stream) failed(err error) error {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok: // the connection is lost
		s.end(err)
		return err
	case s.agent:
		return s.agentFailed(e)
	case monitorLost(e):
		s.awaitEnd()
		return err
	case e.Code == CodeNoDomain || e.Code == CodeOperationInvalid: // the domain does not run any more
		s.end(io.EOF)
		return &failure{moved, e}
	case notSent(e):
		return &failure{unsent, e}
	}
	return &failure{unknown, e}
}

func (s *stream) agentFailed(e *Error) error {
	switch {
	case e.Code == CodeNoDomain:
		s.end(io.EOF)
		return &failure{moved, e}
	case e.Code == CodeOperationInvalid: // the guest is paused, or does not run any more
		return &failure{noAgent, e}
	case e.Code == CodeAgentUnresponsive && strings.Contains(e.Message, "disappeared"):
		s.end(io.EOF)
		return e
	case e.Code == CodeAgentUnresponsive:
		return &failure{noAgent, e}
	case notSent(e):
		return &failure{unsent, e}
	case e.Code == CodeInternal:
		return &failure{refused, e}
	}
	return &failure{unknown, e}
}

// greet asks QEMU for its version, and pushes a greeting that has it.
func (s *stream) greet() {
	m, err := s.exchange(newMessage("execute", `"query-version"`), nil)
	if err == nil && m.find("return") == nil {
		err = fmt.Errorf("query-version: %s", printable.Start(m.join(": ", ", "), 1<<10))
	}
	if f, ok := errors.AsType[*failure](err); ok {
		err = f.error()
	}
	if err != nil {
		s.end(fmt.Errorf("libvirt: %w", err))
		return
	}
	greeting := []byte(`{"QMP": {"version": ` + string(m.find("return")) + `, "capabilities": []}}` + "\r\n")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.greeted = true // not later: as soon as it is read, a command can be sent that causes an event
	s.pushLocked(greeting)
}

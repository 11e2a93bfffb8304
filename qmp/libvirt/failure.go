package libvirt

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qmp"
)

// A failureKind says what has happened to a command that has no reply from QEMU or the agent.
type failureKind string

const (
	unsent  failureKind = "unsent"  // QEMU cannot have executed it
	tooLate failureKind = "toolate" // QEMU cannot have executed it, since its turn did not come in time
	moved   failureKind = "moved"   // QEMU cannot have executed it, since the stream has ended; it may be sent on the next stream
	late    failureKind = "late"    // it was sent, and has no reply in time
	unknown failureKind = "unknown" // it may have been sent
	noAgent failureKind = "noagent" // the agent does not answer libvirt
	noFiles failureKind = "nofiles" // files cannot be passed
	refused failureKind = "refused" // the agent has refused it
)

// A failure is why a command has no reply.
type failure struct {
	kind failureKind
	err  error // an *Error if it comes from libvirt
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// newToken returns a text that no server can guess. It is in the class of each error of this
// package: so a server cannot imitate one.
func newToken() string { return "libvirt-" + rand.Text() }

// message is the failure as an error reply, whose class [stream.Refused] knows.
func (f *failure) message(token string) *message {
	code, text := 0, f.err.Error()
	if e, ok := errors.AsType[*Error](f.err); ok {
		code, text = e.Code, e.Message
	}
	class := strings.Join([]string{token, string(f.kind), strconv.Itoa(code)}, ":")
	if f.kind == refused {
		class = qmp.ClassGenericError
	}
	return newMessage("error", `{"class": `+quoteJSON(class)+`, "desc": `+quoteJSON(text)+`}`)
}

func quoteJSON(s string) string {
	b, _ := jsontext.AppendQuote(nil, s) // an error says that s is not valid UTF-8, which is mended
	return string(b)
}

// Refused returns the error of a command that was answered by [failure.message].
func (s *stream) Refused(e *qmp.Error) error {
	rest, own := strings.CutPrefix(e.Class, s.token+":")
	if !own {
		return nil
	}
	what, code, _ := strings.Cut(rest, ":")
	f := &failure{failureKind(what), errors.New(e.Desc)}
	if n, _ := strconv.Atoi(code); n != 0 {
		f.err = &Error{n, e.Desc}
	}
	return f.error()
}

// error is the failure as the error of a call.
func (f *failure) error() error {
	switch f.kind {
	case unsent:
		return fmt.Errorf("%w: %w", f.err, qmp.ErrNotSent)
	case tooLate:
		return &wrapped{fmt.Errorf("%w: %w", f.err, qmp.ErrNotSent), context.DeadlineExceeded}
	case moved:
		return fmt.Errorf("%w: %w: %w", qmp.ErrClosed, f.err, qmp.ErrNotSent)
	case late:
		return &wrapped{fmt.Errorf("%w: %w", f.err, qmp.ErrAbandoned), context.DeadlineExceeded}
	case noAgent:
		return &wrapped{fmt.Errorf("%w: %w", qmp.ErrNoAgent, f.err), qmp.ErrNotSent}
	case noFiles:
		return &wrapped{qmp.ErrNoFiles, qmp.ErrNotSent}
	}
	return f.err
}

// wrapped is an error that also wraps another error, without adding its text.
type wrapped struct {
	error
	also error
}

func (w *wrapped) Unwrap() []error { return []error{w.error, w.also} }

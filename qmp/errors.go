package qmp

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/qmp/codec"
)

// ErrClosed is wrapped by every error that comes of the connection being closed, by
// either side, beside the cause: [io.EOF] if the server closed it in order, as after
// quit; otherwise what the transport says, such as ECONNRESET of a server that was
// killed, or how the process of [Start] ended.
var ErrClosed = errors.New("connection closed")

// ErrAbandoned is wrapped, beside the context's own error, by the error of a
// call whose context ended after the command was sent. Whether the server ran
// the command is not known.
var ErrAbandoned = errors.New("the command was sent, its reply is abandoned")

// ErrNotSent is wrapped by the error of a call that the server cannot have run: beside
// [ErrClosed] if the connection ended before it was sent, beside the context's own
// error if that did.
var ErrNotSent = errors.New("the command was not sent")

// MayHaveRun reports whether the server may have executed the command of a call that
// ended with err: false for its refusal, an [*Error], and for what wraps [ErrNotSent],
// after which the command can be issued again without being done twice.
func MayHaveRun(err error) bool {
	_, refused := errors.AsType[*Error](err)
	return !refused && !errors.Is(err, ErrNotSent)
}

// unsent is err, of a command that was not sent. It wraps ErrNotSent without saying so
// in its text, where that would say nothing new.
func unsent(err error) error {
	if err == nil {
		return nil
	}
	return &unsentError{err}
}

type unsentError struct{ error }

func (e *unsentError) Unwrap() []error { return []error{e.error, ErrNotSent} }

// errSettingUp is for a call whose reply cannot be read before its caller returns.
var errSettingUp = errors.New("a function of WithSetup must not wait for a command: the connection does not exist yet")

// ErrNoOOB is wrapped by the error of a call with [OutOfBand] on a connection that
// was made without [WithOOB].
var ErrNoOOB = errors.New("out-of-band execution was not negotiated")

// ErrNoFiles is wrapped by the error of a call with [Files] on a connection that
// cannot pass any: only a Unix socket can.
var ErrNoFiles = errors.New("files cannot be passed on this connection: it is not a Unix socket")

// Classes of [Error]. Servers may have others: the set is open.
const (
	ClassGenericError    = "GenericError"
	ClassCommandNotFound = "CommandNotFound"
	ClassDeviceNotFound  = "DeviceNotFound"
	ClassDeviceNotActive = "DeviceNotActive"
	ClassKVMMissingCap   = "KVMMissingCap"
)

// An Error is the server's refusal of a command. Its fields are as the server sent them.
// The text of Error has control characters and line ends escaped, and is otherwise all
// that the server said, for whoever sent the command: the name of an image in it, or a
// quoted argument, may show a password. qapi.Text hides those that it recognises, and so
// does package qmplog.
type Error struct {
	Command string // as it was sent
	Class   string // one of the Class constants, or another
	Desc    string // for people; differs between releases, and may quote secrets of the command
}

func (e *Error) Error() string {
	text, class, desc := "qmp: ", printable.String(e.Class), printable.String(e.Desc)
	if e.Command != "" {
		text += printable.String(e.Command) + ": "
	}
	switch {
	case desc == "":
		return text + "error of class " + class
	case class == ClassGenericError:
		return text + desc
	}
	return text + desc + " (" + class + ")"
}

// ClassOf returns the class of the refusal that err is or wraps, one of the Class constants
// or another; "" if err is not a refusal.
func ClassOf(err error) string {
	if e, refused := errors.AsType[*Error](err); refused {
		return e.Class
	}
	return ""
}

// refusal makes the error of an error reply's error member.
func refusal(command string, member []byte) error {
	e := Error{Command: command}
	var wire struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	}
	if err := decode(context.Background(), member, &wire); err != nil {
		return fmt.Errorf("qmp: %s: an error reply that cannot be read: %.200q", command, member)
	}
	e.Class, e.Desc = wire.Class, wire.Desc
	return &e
}

// closedError is how a connection ended.
type closedError struct {
	cause  error // nil: by Close
	byPeer bool  // the stream ended; it was not ended by us
}

func (e *closedError) Error() string {
	switch {
	case e.cause == nil:
		return ErrClosed.Error()
	case e.cause == io.EOF:
		return ErrClosed.Error() + " by the server"
	case e.cause == io.ErrUnexpectedEOF:
		return ErrClosed.Error() + " by the server in the middle of a message"
	}
	return ErrClosed.Error() + ": " + e.cause.Error()
}

func (e *closedError) Unwrap() []error {
	if e.cause == nil {
		return []error{ErrClosed}
	}
	return []error{ErrClosed, e.cause}
}

// contextError is why ctx ended: its error, and the cause if that is another.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(cause, err) {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// tooLate is the error of a command that was not sent before ctx ended.
func tooLate(ctx context.Context, command string) error {
	return fmt.Errorf("qmp: %s: %w: %w", command, contextError(ctx), ErrNotSent)
}

// jsonError is err, of the JSON library, in words that say where: in the
// arguments of a command, in a reply, in an event.
func jsonError(err error) error {
	var at jsontext.Pointer
	var text string
	semantic, _ := errors.AsType[*json.SemanticError](err)
	syntactic, _ := errors.AsType[*jsontext.SyntacticError](err)
	if semantic != nil {
		at = semantic.JSONPointer
	} else if syntactic != nil {
		at = syntactic.JSONPointer
	}
	switch {
	case syntactic != nil && syntactic.Err != nil:
		text = "not JSON: " + syntactic.Err.Error()
	case semantic == nil:
	case semantic.Err != nil:
		text = semantic.Err.Error()
	case semantic.GoType != nil && semantic.JSONKind != 0:
		text = fmt.Sprintf("%s does not fit the Go type %s", codec.KindName(semantic.JSONKind), semantic.GoType)
	case semantic.GoType != nil:
		text = fmt.Sprintf("the Go type %s has no JSON", semantic.GoType)
	}
	if semantic != nil && 0 < len(semantic.JSONValue) && len(semantic.JSONValue) < 100 {
		text += ": " + string(semantic.JSONValue)
	}
	if text == "" {
		text = err.Error()
	}
	if at != "" {
		text = fmt.Sprintf("member %s: %s", at, text)
	}
	return &textError{printable.String(text), err}
}

// textError is an error put into other words.
type textError struct {
	text string
	err  error
}

func (e *textError) Error() string { return e.text }
func (e *textError) Unwrap() error { return e.err }

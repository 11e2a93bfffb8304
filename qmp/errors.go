package qmp

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/qmp/internal/wire"
)

// ErrClosed is wrapped by every error that is due to the connection being closed, by
// either side, together with the cause: [io.EOF] if the server closed it in order, as after
// quit; otherwise the transport's error, such as ECONNRESET from a server that was
// killed, or how the process of [Start] ended.
var ErrClosed = errors.New("connection closed")

// ErrAbandoned is wrapped, together with the context's own error, by the error of a
// call whose context ended after the command was sent. Whether the server ran
// the command is not known.
var ErrAbandoned = errors.New("the command was sent, its reply is abandoned")

// ErrNotSent is wrapped by the error of a call that the server cannot have run: together
// with [ErrClosed] if the connection ended before it was sent, or with the context's own
// error if the context ended first.
var ErrNotSent = errors.New("the command was not sent")

// MayHaveRun reports whether the server may have executed the command of a call that
// ended with err. It returns false if err is or wraps an [*Error], which is the server's
// refusal, or wraps [ErrNotSent]. Then the command can be issued again, and is not executed
// twice.
func MayHaveRun(err error) bool {
	_, refused := errors.AsType[*Error](err)
	return !refused && !errors.Is(err, ErrNotSent)
}

// unsent returns err, of a command that was not sent, as an error that also wraps
// ErrNotSent. The text stays the same: it already says that nothing was sent.
func unsent(err error) error {
	if err == nil {
		return nil
	}
	return &unsentError{err}
}

type unsentError struct{ error }

func (e *unsentError) Unwrap() []error { return []error{e.error, ErrNotSent} }

// errSettingUp is for a call whose reply cannot be read before its caller returns.
var errSettingUp = errors.New("a function given to WithSetup must not wait for a command: no reply can come before it returns")

// ErrNoOOB is wrapped by the error of a call with [OutOfBand] on a connection that
// was made without [WithOOB].
var ErrNoOOB = errors.New("out-of-band execution was not negotiated")

// ErrNoFiles is wrapped by the error of a call with [Files] on a connection that
// cannot pass any: only a Unix socket can.
var ErrNoFiles = errors.New("files cannot be passed on this connection: it does not use a Unix socket")

// Classes of [Error]. Servers may have others.
const (
	ClassGenericError    = "GenericError"
	ClassCommandNotFound = "CommandNotFound"
	ClassDeviceNotFound  = "DeviceNotFound"
	ClassDeviceNotActive = "DeviceNotActive"
	ClassKVMMissingCap   = "KVMMissingCap"
)

// An Error is the server's refusal of a command. Its fields are as the server sent them.
// The text of Error has control characters and line ends escaped, and is otherwise the
// server's whole text, meant for the sender of the command: the name of an image in it,
// or a quoted argument, may show a password. qapi.Text and package qmplog hide the
// passwords that they recognise.
type Error struct {
	Command string // as it was sent
	Class   string // one of the Class constants, or a class that this package does not know
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
	sent, err := wire.ReadRefusal(member)
	if err != nil {
		return fmt.Errorf("qmp: %s: the server's error cannot be decoded: %.200q", command, member)
	}
	return &Error{command, sent.Class, sent.Desc}
}

// closedError is how a connection ended.
type closedError struct {
	cause  error // nil: by Close
	byPeer bool  // the other side, or the network, ended the stream
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

// contextError returns why ctx ended: its error, and the cause if that is a different one.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(cause, err) {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// tooLate returns the error of a command that was not sent before ctx ended.
func tooLate(ctx context.Context, command string) error {
	return fmt.Errorf("qmp: %s: %w: %w", command, contextError(ctx), ErrNotSent)
}

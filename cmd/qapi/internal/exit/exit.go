// Package exit decides with which code qapi ends, given the error of a command.
package exit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/qmp"
)

// The exit codes. Scripts rely on them; "qapi help" shows the same list.
const (
	OK           = 0
	Failed       = 1   // QEMU refused, does not support it, or the job failed; or a file is invalid
	Usage        = 2   // wrong usage: nothing was sent
	NoConnection = 3   // there is no connection, or the command was not sent
	Lost         = 4   // the connection was lost, and the command may have run
	Timeout      = 124 // the time is over
	Interrupted  = 130
)

// An Error is an error whose exit code was chosen by the code that made it.
type Error struct {
	Code int
	Err  error // nil if the user was already shown what went wrong
}

func (e *Error) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// With returns err with an exit code.
func With(code int, err error) error { return &Error{code, err} }

// Usagef returns an error for wrong usage: nothing was sent.
func Usagef(format string, args ...any) error { return With(Usage, fmt.Errorf(format, args...)) }

// Silent returns an error that only has an exit code: its text was already shown to the user.
func Silent(code int) error { return With(code, nil) }

// Explain returns the text of an error for people.
func Explain(err error) string {
	text := words.Replace(": " + err.Error())
	for _, name := range packages {
		text = strings.ReplaceAll(text, ": "+name+": ", ": ")
	}
	return strings.TrimPrefix(text, ": ")
}

// packages are the names of packages at the beginning of errors, which only help programmers.
var packages = []string{"qapi", "qmp", "qga", "job", "raw", "HMP"}

// words has plain words instead of the texts of package context.
var words = strings.NewReplacer("context deadline exceeded", "the time is over", "context canceled", "it was interrupted")

// Code returns the exit code for the error of a command.
func Code(err error) int {
	if err == nil {
		return OK
	}
	if chosen, ok := errors.AsType[*Error](err); ok {
		return chosen.Code
	}
	refused, isRefusal := errors.AsType[*qmp.Error](err)
	if connect, ok := errors.AsType[*target.ConnectError](err); ok && connect.Context == nil {
		return NoConnection
	}
	_, isMissing := errors.AsType[*target.NotFoundError](err)
	switch {
	case isRefusal && refused != nil:
		return Failed
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	case errors.Is(err, context.Canceled):
		return Interrupted
	case errors.Is(err, qmp.ErrNotSent), isMissing:
		return NoConnection
	case errors.Is(err, qmp.ErrClosed), errors.Is(err, qmp.ErrAbandoned):
		return Lost
	}
	return Failed
}

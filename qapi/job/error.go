package job

import (
	"errors"
	"fmt"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// ErrGone is wrapped by the error for a job that the server does not have, or no longer has:
// how it has ended is not known. A server that was started again has no jobs.
var ErrGone = errors.New("the server has no such job")

// An Error is the end of a job that has failed or was cancelled.
type Error struct {
	Job    string       // its id
	Type   qapi.JobType // the kind of work
	Reason string       // as QEMU said it, for people

	// Cancelled reports that the job was stopped: by a user, at the end of ctx, or by QEMU because
	// another job of its transaction failed. Reason is then usually "Operation canceled".
	Cancelled bool

	// Cause is what ended the wait before the job had ended, usually the error of ctx; nil if
	// nothing did.
	Cause error
}

// Error returns the job's type, its id and QEMU's reason, in which characters that are not printable are escaped.
func (e *Error) Error() string {
	text := name(e.Type, e.Job)
	switch {
	case !e.Cancelled:
		return text + ": " + printable.String(e.Reason)
	case e.Cause != nil:
		return text + " was cancelled: " + e.Cause.Error()
	}
	return text + " was cancelled"
}

// Unwrap returns Cause.
func (e *Error) Unwrap() error { return e.Cause }

// name returns the name of a job in an error text.
func name(kind qapi.JobType, id string) string {
	switch {
	case kind == "":
		return fmt.Sprintf("job: %q", id)
	case id == "":
		return "job: " + string(kind)
	}
	return fmt.Sprintf("job: %s %q", printable.String(string(kind)), id)
}

// cancelled is what QEMU says of jobs that were cancelled.
const cancelled = "Operation canceled"

// refused reports whether err is the server's refusal.
func refused(err error) bool {
	_, ok := errors.AsType[*qmp.Error](err)
	return ok
}

package job

import (
	"errors"
	"fmt"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// ErrGone is wrapped by the error for a job that the server does not have, or does not have
// any more: how it has ended is not known. A server that was started anew has none.
var ErrGone = errors.New("the server has no such job")

// An Error is the end of a job that has failed or was cancelled.
type Error struct {
	Job    string       // its id
	Type   qapi.JobType // what it was to do
	Reason string       // as QEMU said it, for people

	// The job ended because somebody wanted it to: the user, ctx, or QEMU since another job
	// of its transaction failed. Reason is then "Operation canceled", as a rule.
	Cancelled bool

	// Cause is what ended the wait before the job had ended, usually the error of ctx; nil if
	// nothing did.
	Cause error
}

// Error has the job's type and id, and QEMU's reason with what is not printable escaped.
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

// name is a job in an error text.
func name(kind qapi.JobType, id string) string {
	switch {
	case kind == "":
		return fmt.Sprintf("job: %q", id)
	case id == "":
		return "job: " + string(kind)
	}
	return fmt.Sprintf("job: %s %q", printable.String(string(kind)), id)
}

// cancelled is what QEMU says of jobs that were.
const cancelled = "Operation canceled"

// refused reports whether err is the server's refusal.
func refused(err error) bool {
	_, ok := errors.AsType[*qmp.Error](err)
	return ok
}

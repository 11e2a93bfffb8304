package migration

import (
	"errors"
	"fmt"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// An Error is how a migration ended that did not succeed.
type Error struct {
	// Status is failed, cancelled, or postcopy-paused: interrupted, see [Recover].
	Status qapi.MigrationStatus
	// Reason is what QEMU says of it; "" if that is nothing.
	Reason string
	// Destination is what the destination says of it; "" if that is nothing, or not known.
	// It is the better reason if the destination has refused what came.
	Destination string
	// Cancelled reports that somebody has cancelled it, possibly by ending a context.
	Cancelled bool
	// Cause is what has ended it besides: the error of a context, of a function given to
	// [BeforeSwitchover], or QEMU's refusal, an [*qmp.Error]. nil: nothing has.
	Cause error
}

func (e *Error) Error() string {
	text := "migration: " + printable.String(string(e.Status))
	if e.Reason != "" {
		text += ": " + printable.String(e.Reason)
	}
	if e.Destination != "" {
		text += "; the destination: " + printable.String(e.Destination)
	}
	if _, refused := errors.AsType[*qmp.Error](e.Cause); e.Cause != nil && !refused {
		text += fmt.Sprintf(" (%v)", e.Cause)
	}
	return text
}

// Unwrap returns Cause.
func (e *Error) Unwrap() error { return e.Cause }

// failed is the error of a migration that has not succeeded.
func failed(info qapi.MigrationInfo, cause error) *Error {
	e := &Error{Status: status(info), Cause: cause}
	e.Cancelled = e.Status == qapi.MigrationStatusCancelled
	if info.ErrorDesc != nil {
		e.Reason = *info.ErrorDesc
	}
	return e
}

// refused is err, of the command that was to begin a migration, as an [*Error] if it is a refusal.
func refused(err error) error {
	if no, ok := errors.AsType[*qmp.Error](err); ok {
		return &Error{Status: qapi.MigrationStatusFailed, Reason: no.Desc, Cause: err}
	}
	return err
}

// named is err with the name of the package, unless it has that already.
func named(err error) error {
	if _, ok := errors.AsType[*Error](err); err == nil || ok {
		return err
	}
	return fmt.Errorf("migration: %w", err)
}

// status is that of a migration; none if there was none.
func status(info qapi.MigrationInfo) qapi.MigrationStatus {
	if info.Status == nil {
		return qapi.MigrationStatusNone
	}
	return *info.Status
}

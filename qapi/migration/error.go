package migration

import (
	"errors"
	"fmt"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// An Error is the end of a migration that did not succeed.
type Error struct {
	// Status is failed, cancelled, or postcopy-paused, which means interrupted: see [Recover].
	Status qapi.MigrationStatus
	// Reason is the reason that the source gives; "" if it gives none.
	Reason string
	// Destination is the reason that the destination gives; "" if it gives none, or if it was not asked.
	// If the destination has refused what it received, this reason is more exact than the source's.
	Destination string
	// Cancelled reports that the migration was cancelled, for example because a context ended.
	Cancelled bool
	// Cause is the error that made the migration end: that of a context, of a function given to
	// [BeforeSwitchover], or QEMU's refusal, which is a [*qmp.Error]; nil if there was none.
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

// failed returns the error of a migration that has not succeeded.
func failed(info qapi.MigrationInfo, cause error) *Error {
	e := &Error{Status: status(info), Cause: cause}
	e.Cancelled = e.Status == qapi.MigrationStatusCancelled
	if info.ErrorDesc != nil {
		e.Reason = *info.ErrorDesc
	}
	return e
}

// refused returns err, the error of the command that starts a migration, as an [*Error] if it is a refusal.
func refused(err error) error {
	if no, ok := errors.AsType[*qmp.Error](err); ok {
		return &Error{Status: qapi.MigrationStatusFailed, Reason: no.Desc, Cause: err}
	}
	return err
}

// named returns err with the name of the package, unless err has it already.
func named(err error) error {
	if _, ok := errors.AsType[*Error](err); err == nil || ok {
		return err
	}
	return fmt.Errorf("migration: %w", err)
}

// status returns the status of a migration; none if there was no migration.
func status(info qapi.MigrationInfo) qapi.MigrationStatus {
	if info.Status == nil {
		return qapi.MigrationStatusNone
	}
	return *info.Status
}

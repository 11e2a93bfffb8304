package libvirt

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/internal/virrpc"
)

// Codes of [Error], as libvirt numbers them. There are many more.
const (
	CodeInternal          = 1
	CodeNoSupport         = 3
	CodeInvalidArgument   = 8
	CodeReadOnly          = 29
	CodeSystem            = 38
	CodeNoDomain          = 42 // no domain has this name
	CodeAuthFailed        = 45
	CodeOperationInvalid  = 55 // such as: the domain does not run
	CodeOperationTimeout  = 68 // an earlier command for the domain is not finished
	CodeUnsupported       = 74 // such as: the domain has no channel for an agent
	CodeAgentUnresponsive = 86
	CodeAccessDenied      = 88
	CodeAuthUnavailable   = 94 // such as: polkit would have to ask the user
)

// An Error is libvirt's error for a call that failed. If it was QEMU that refused a command, the
// error is a [*qmp.Error] instead.
type Error struct {
	Code    int    // one of the Code constants, or another of libvirt's
	Message string // for people; may be translated
}

func (e *Error) Error() string {
	return fmt.Sprintf("libvirt says: %s (code %d)", printable.String(e.Message), e.Code)
}

func newError(body []byte) error {
	d := virrpc.Decoder{Buf: body}
	v := d.Error()
	if err := d.Err(); err != nil {
		return fmt.Errorf("an error of libvirt cannot be decoded: %w", err)
	}
	return &Error{int(v.Code), v.Message}
}

func codeOf(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return 0
}

// notSent reports whether libvirt's error shows that the command did not reach QEMU.
func notSent(err error) bool {
	switch codeOf(err) {
	case CodeNoSupport, CodeInvalidArgument, CodeReadOnly, CodeNoDomain, CodeAuthFailed, CodeOperationInvalid,
		CodeOperationTimeout, CodeUnsupported, CodeAccessDenied:
		return true
	}
	return false
}

// monitorLost reports whether libvirt's error shows that a QEMU ended while it executed a
// command. A libvirt whose messages are not in English uses other words: then the event of the
// domain's end shows it.
func monitorLost(e *Error) bool {
	return e.Code == CodeInternal && strings.Contains(e.Message, "End of file from qemu monitor") ||
		e.Code == CodeSystem && strings.Contains(e.Message, "Unable to read from monitor")
}

// contextError returns why ctx ended.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(cause, err) {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}

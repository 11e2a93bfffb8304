package exit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"

	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/qmp"
)

func TestExplain(t *testing.T) {
	for in, want := range map[string]string{
		"qapi: HMP: qmp: x: unknown command":        "x: unknown command",
		"qmp: stop: context deadline exceeded":      "stop: the time is over",
		"connect to web: qmp: no such file: qmpish": "connect to web: no such file: qmpish",
	} {
		assert.Equal(t, want, Explain(errors.New(in)), "%q", in)
	}
}

func TestCode(t *testing.T) {
	refused := &qmp.Error{Command: "x", Class: "GenericError", Desc: "no"}
	got, want := map[string]int{}, map[string]int{}
	for _, c := range []struct {
		name string
		err  error
		code int
	}{
		{"nothing", nil, OK},
		{"a refusal", fmt.Errorf("add the disk: %w", refused), Failed},
		{"a file", fs.ErrNotExist, Failed},
		{"usage", fmt.Errorf("call: %w", Usagef("%q is not a number", "x")), Usage},
		{"silent", Silent(Lost), Lost},
		{"not sent", errors.Join(qmp.ErrNotSent, qmp.ErrClosed), NoConnection},
		{"no connection", fmt.Errorf("x: %w", &target.ConnectError{Machine: "web", Err: fs.ErrNotExist}), NoConnection},
		{"time over while it connects", &target.ConnectError{Machine: "web", Err: context.DeadlineExceeded, Context: context.DeadlineExceeded}, Timeout},
		{"an agent that does not answer", &target.ConnectError{Machine: "web", Err: context.DeadlineExceeded}, NoConnection},
		{"lost", fmt.Errorf("quit: %w", qmp.ErrClosed), Lost},
		{"time over before it was sent", errors.Join(qmp.ErrNotSent, context.DeadlineExceeded), Timeout},
		{"time over after it was sent", errors.Join(qmp.ErrAbandoned, context.DeadlineExceeded), Timeout},
		{"interrupted", errors.Join(qmp.ErrAbandoned, context.Canceled), Interrupted},
		{"the choice of a command", With(NoConnection, refused), NoConnection},
	} {
		got[c.name], want[c.name] = Code(c.err), c.code
	}
	assert.Empty(t, cmp.Diff(want, got))
}

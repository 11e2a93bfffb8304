// Package retry continues when a connection was lost and is made again, without doing anything twice.
package retry

import (
	"context"
	"errors"
	"fmt"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/qmp"
)

// Lost reports whether err is the error of a call whose connection was lost and will be made again.
func Lost(c *qmp.Conn, err error) bool {
	return errors.Is(err, qmp.ErrClosed) && c.Err() == nil
}

// Ask calls f, and calls it again if the connection was lost. f must be safe to repeat.
func Ask(ctx context.Context, c *qmp.Conn, f func(context.Context) error) error {
	return poll.Until(ctx, func(ctx context.Context) (bool, error) {
		err := f(ctx)
		if Lost(c, err) {
			return false, nil
		}
		return true, err
	})
}

// Once calls do, which must not take effect twice. If the reply was lost, Once calls done,
// and if that returns false, it calls do a second time. It does not call do a third time: a
// command that ends the server would end it again and again.
func Once(ctx context.Context, c *qmp.Conn, do func(context.Context) error, done func(context.Context) (bool, error)) error {
	var err error
	for range 2 {
		if err = do(ctx); err == nil || !Lost(c, err) || !qmp.MayHaveRun(err) {
			return err
		}
		is := false
		if asking := Ask(ctx, c, func(ctx context.Context) (err error) {
			is, err = done(ctx)
			return err
		}); asking != nil {
			return Unknown(ctx, err, asking)
		}
		if is {
			return nil
		}
	}
	return err
}

// Unknown returns the error for a command that may have run: its reply was lost with err,
// and the query whether it has run failed with asking. The error does not wrap asking,
// which may wrap ErrNotSent or a refusal: callers would apply that to the command.
func Unknown(ctx context.Context, err, asking error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", poll.Error(ctx), err)
	}
	return fmt.Errorf("%w; whether the command was executed is not known: %s", err, asking.Error())
}

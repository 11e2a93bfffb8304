// Package retry goes on after a connection was lost that is made again, without doing anything
// twice.
package retry

import (
	"context"
	"errors"
	"fmt"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/qmp"
)

// Lost reports whether err is of a call whose connection was lost, and is made again.
func Lost(c *qmp.Conn, err error) bool {
	return errors.Is(err, qmp.ErrClosed) && c.Err() == nil
}

// Ask calls f, which may be done more than once: again, if the connection was lost.
func Ask(ctx context.Context, c *qmp.Conn, f func(context.Context) error) error {
	return poll.Until(ctx, func(ctx context.Context) (bool, error) {
		err := f(ctx)
		if Lost(c, err) {
			return false, nil
		}
		return true, err
	})
}

// Once calls do, which must not be done twice. If its reply was lost, it asks whether it is done, and calls do a
// second time if not, but not more often: a command that ends the server would end it again
// and again.
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

// Unknown returns the error for a command that may have run: its reply was lost with err, and to ask
// whether it is done has failed, too. It does not wrap asking, which may say of the question that it
// was not sent or was refused: that must not be read as an answer about the command.
func Unknown(ctx context.Context, err, asking error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", poll.Error(ctx), err)
	}
	return fmt.Errorf("%w; whether it is done is not known: %s", err, asking.Error())
}

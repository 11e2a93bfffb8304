package migration

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// Recover continues a migration whose connection was lost after [Postcopy] had begun: one that ended with
// an [*Error] with the status postcopy-paused. Meanwhile the guest runs until it needs memory that is
// missing. The destination must wait at the address: call [Arrival.Recover] first. In all other respects
// Recover is like [Attach].
//
// If no QEMU waits there, QEMU before 9.1 does not report this, and Recover fails only
// after the time that [Limit] sets. QEMU 5.2 does not survive a second attempt.
func Recover(ctx context.Context, c *qapi.Client, to Address, opts ...Option) (Stats, error) {
	m := newOutgoing(c, newOptions(opts))
	defer m.changes.close()
	err := m.recover(ctx, to)
	return m.stats(), named(err)
}

func (m *outgoing) recover(ctx context.Context, to Address) error {
	if err := m.look(ctx); err != nil {
		return err
	}
	if !m.interrupted() {
		return fmt.Errorf("nothing to recover: the status is %s", status(m.info))
	}
	uri, channels, err := destination(ctx, m.c, "migrate", to)
	if err != nil {
		return err
	}
	known, err := introspect(ctx, m.c)
	if err != nil {
		return err
	}
	shown := known.Supports("query-migrate->status=postcopy-recover-setup")
	err = poll.Until(ctx, func(ctx context.Context) (bool, error) {
		err := m.c.Migrate(ctx, qapi.MigrateArgs{URI: uri, Channels: channels, Resume: new(true)})
		if !lost(m.c, err) {
			return true, err
		}
		if !qmp.MayHaveRun(err) {
			return false, nil
		}
		if err := m.look(ctx); err != nil {
			return false, err
		}
		return !m.interrupted() || !shown, nil
	})
	if err != nil {
		return refused(err)
	}
	if m.wentOn = false; !shown {
		m.resumed = time.Now()
	}
	return m.finish(ctx, m.await(ctx))
}

// Recover tells the destination of a migration that was interrupted after [Postcopy] had begun to wait
// for the source again, and returns the address. Then call the function [Recover] for the source;
// [Arrival.Wait] waits for the end, as before. If the destination has not noticed the
// interruption, Recover tells it.
func (a *Arrival) Recover(ctx context.Context, at Address) (Address, error) {
	to, err := a.recover(ctx, at)
	return to, named(err)
}

func (a *Arrival) recover(ctx context.Context, at Address) (Address, error) {
	uri, err := uriOf(at)
	if err != nil {
		return at, err
	}
	if err := a.paused(ctx); err != nil {
		return at, err
	}
	missed := false
	err = poll.Until(ctx, func(ctx context.Context) (bool, error) {
		err := urgently(a.c, func(c *qapi.Client) error {
			return c.MigrateRecover(ctx, qapi.MigrateRecoverArgs{URI: uri})
		})
		if _, no := errors.AsType[*qmp.Error](err); no && missed {
			return true, nil // it waits already
		}
		missed = missed || lost(a.c, err)
		return !lost(a.c, err), unlessLost(a.c, err)
	})
	if err != nil {
		return at, refused(err)
	}
	info, err := again(ctx, a.c, a.c.QueryMigrate)
	return withPort(at, info.SocketAddress), err
}

// paused waits until the destination knows that the migration is interrupted. If that takes too long, it tells
// the destination.
func (a *Arrival) paused(ctx context.Context) error {
	told := false
	start := time.Now()
	return poll.Until(ctx, func(ctx context.Context) (bool, error) {
		info, err := again(ctx, a.c, a.c.QueryMigrate)
		switch now := status(info); {
		case err != nil:
			return false, err
		case now == qapi.MigrationStatusPostcopyPaused:
			return true, nil
		case final(now):
			return false, fmt.Errorf("nothing to recover: the status of the destination is %s", now)
		case !told && time.Since(start) > a.o.limit/2:
			told = true
			return false, unlessLost(a.c, urgently(a.c, func(c *qapi.Client) error { return c.MigratePause(ctx) }))
		case time.Since(start) > a.o.limit:
			return false, fmt.Errorf("the destination does not notice the interruption: its status is %s", now)
		}
		return false, nil
	})
}

// urgently calls f with out-of-band execution if that was negotiated: a destination may be blocked
// because it waits for memory.
func urgently(c *qapi.Client, f func(*qapi.Client) error) error {
	err := f(c.With(qmp.OutOfBand()))
	if errors.Is(err, qmp.ErrNoOOB) {
		return f(c)
	}
	return err
}

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

// Recover takes up a migration again whose connection was lost after [Postcopy] had begun, which
// is an [*Error] with the status postcopy-paused. Until then the guest stands still where it
// needs memory that is missing. The destination has to wait at the address: [Arrival.Recover]
// comes first. The rest is as for [Attach].
//
// If nobody waits there, QEMU before 9.1 does not say so, which takes [Limit] to find out, and 5.2
// does not survive a second attempt.
func Recover(ctx context.Context, c *qapi.Client, to Address, opts ...Option) (Stats, error) {
	m := newOutgoing(c, newOptions(opts))
	defer m.news.close()
	err := m.recover(ctx, to)
	return m.stats(), named(err)
}

func (m *outgoing) recover(ctx context.Context, to Address) error {
	if err := m.look(ctx); err != nil {
		return err
	}
	if !m.interrupted() {
		return fmt.Errorf("nothing to recover: it is %s", status(m.info))
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

// Recover has the destination of a migration that was interrupted after [Postcopy] had begun wait
// for the source again, and returns where. The source is then told by [Recover];
// [Arrival.Wait] waits for the end, as before. A destination that has not noticed the
// interruption is told of it.
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

// paused waits until the destination knows that the migration is interrupted, and tells it after
// a while.
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
			return false, fmt.Errorf("nothing to recover: at the destination it is %s", now)
		case !told && time.Since(start) > a.o.limit/2:
			told = true
			return false, unlessLost(a.c, urgently(a.c, func(c *qapi.Client) error { return c.MigratePause(ctx) }))
		case time.Since(start) > a.o.limit:
			return false, fmt.Errorf("the destination does not see that it is interrupted: there it is %s", now)
		}
		return false, nil
	})
}

// urgently calls f for out-of-band execution where that was negotiated: a destination may be
// standing still for memory that it waits for.
func urgently(c *qapi.Client, f func(*qapi.Client) error) error {
	err := f(c.With(qmp.OutOfBand()))
	if errors.Is(err, qmp.ErrNoOOB) {
		return f(c)
	}
	return err
}

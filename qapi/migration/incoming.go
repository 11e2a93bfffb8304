package migration

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/internal/undo"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// An Arrival is a machine that waits for one that is migrated to it.
type Arrival struct {
	c       *qapi.Client
	o       options
	at      Address
	back    undo.Stack // of what was set
	stays   bool       // QEMU does when it fails
	asked   bool       // QEMU may be waiting
	arrived bool
}

func newArrival(c *qapi.Client, at Address, opts []Option) *Arrival {
	a := &Arrival{c: c, o: newOptions(opts), at: at}
	a.back.Limit = a.o.limit
	return a
}

// Incoming has a QEMU that was started with -incoming defer wait for a migration, or read it from
// a file. It returns when QEMU listens; [Arrival.Wait] waits for the end. QEMU has no way back
// from here: one that is not to wait any more has to be ended. Options are those of [Run] that
// matter to a destination: capabilities and parameters, which are put back in the end,
// [Postcopy] and [Limit].
//
// When the migration fails QEMU ends by itself, and from 9.1 on it stays and says why.
func Incoming(ctx context.Context, c *qapi.Client, at Address, opts ...Option) (*Arrival, error) {
	a := newArrival(c, at, opts)
	if err := a.listen(ctx); err != nil {
		return nil, named(err)
	}
	return a, nil
}

// Address is where the machine waits: as it was told, with the port that it really has.
func (a *Arrival) Address() Address { return a.at }

func (a *Arrival) listen(ctx context.Context) error {
	err := refused(a.ask(ctx))
	if err == nil {
		var info qapi.MigrationInfo
		if info, err = again(ctx, a.c, a.c.QueryMigrate); err == nil {
			a.at = withPort(a.at, info.SocketAddress)
			return nil
		}
		err = fmt.Errorf("QEMU waits already, but where is not known: %w", err)
	}
	if err = a.back.Undo(ctx, err); !a.asked {
		// One that could not listen says so from then on, and cannot be told again.
		info, problem := again(ctx, a.c, a.c.QueryMigrate)
		a.asked = problem == nil && info.SocketAddress == nil && status(info) != qapi.MigrationStatusNone
	}
	return err
}

// ask has QEMU wait for the migration.
func (a *Arrival) ask(ctx context.Context) error {
	if err := prepare(ctx, a.c, a.o, &a.back); err != nil {
		return err
	}
	uri, channels, err := destination(ctx, a.c, "migrate-incoming", a.at)
	if err != nil {
		return err
	}
	known, err := introspect(ctx, a.c)
	if err != nil {
		return err
	}
	args := qapi.MigrateIncomingArgs{URI: uri, Channels: channels}
	if a.stays = known.Supports("migrate-incoming/exit-on-error"); a.stays {
		args.ExitOnError = new(false)
	}
	return poll.Until(ctx, func(ctx context.Context) (bool, error) {
		if a.asked { // and the answer was lost
			if waits, err := a.waits(ctx); waits || err != nil {
				return waits, err
			}
		}
		err := a.c.MigrateIncoming(ctx, args)
		if no, ok := errors.AsType[*qmp.Error](err); ok && a.asked && strings.Contains(no.Desc, "already been started") {
			return true, nil
		}
		a.asked = a.asked || qmp.MayHaveRun(err)
		return !lost(a.c, err), unlessLost(a.c, err)
	})
}

// waits reports whether QEMU is known to wait. An old one does not say so of what is not a socket.
func (a *Arrival) waits(ctx context.Context) (bool, error) {
	info, err := again(ctx, a.c, a.c.QueryMigrate)
	return info.SocketAddress != nil || status(info) != qapi.MigrationStatusNone, err
}

// Wait waits until the machine has arrived as a whole, and has settled: commands such as cont
// work at once. It returns the machine's state. That is running if it ran at the source, or
// paused if this QEMU was started with -S or was told to stop, and else what it was at the source.
//
// A migration that fails is an [*Error] if QEMU stays, and otherwise the end of its connection.
// One that is interrupted after [Postcopy] is an [*Error] with the status postcopy-paused,
// after which Wait can be called again. When ctx ends, QEMU still waits.
func (a *Arrival) Wait(ctx context.Context) (qapi.RunState, error) {
	news := subscribe(a.c)
	defer news.close()
	state, err := a.wait(ctx, news)
	if err == nil && !a.arrived {
		a.arrived = true
		_ = a.back.Undo(ctx, nil) // the machine is there, whatever else
	}
	return state, named(err)
}

func (a *Arrival) wait(ctx context.Context, news *news) (qapi.RunState, error) {
	for {
		info, err := again(ctx, a.c, a.c.QueryMigrate)
		if errors.Is(err, qmp.ErrClosed) && !a.stays {
			return "", fmt.Errorf("QEMU is gone, as one before 9.1 is after a failure: %w", err)
		}
		if err != nil {
			return "", err
		}
		switch now := status(info); now {
		case qapi.MigrationStatusCompleted:
			if state, err := a.state(ctx); err != nil || state != qapi.RunStateInmigrate {
				return state, err
			}
		case qapi.MigrationStatusFailed, qapi.MigrationStatusPostcopyPaused:
			state, _ := a.state(ctx)
			return state, failed(info, nil)
		case qapi.MigrationStatusNone:
			// Older releases say nothing before it begins.
			if state, err := a.state(ctx); err != nil {
				return "", err
			} else if state != qapi.RunStateInmigrate {
				return state, fmt.Errorf("QEMU does not wait for a machine: it is %s and may have been started anew", state)
			}
		}
		if err := news.wait(ctx); err != nil {
			return "", err
		}
	}
}

func (a *Arrival) state(ctx context.Context) (qapi.RunState, error) {
	now, err := again(ctx, a.c, a.c.QueryStatus)
	return now.Status, err
}

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

// An Arrival is a QEMU that waits for a machine to be migrated to it.
type Arrival struct {
	c       *qapi.Client
	o       options
	at      Address
	back    undo.Stack // of the capabilities and parameters that were set
	stays   bool       // QEMU stays if the migration fails
	asked   bool       // QEMU may be waiting
	arrived bool
}

func newArrival(c *qapi.Client, at Address, opts []Option) *Arrival {
	a := &Arrival{c: c, o: newOptions(opts), at: at}
	a.back.Limit = a.o.limit
	return a
}

// Incoming makes a QEMU that was started with -incoming defer wait for a migration, or read one from a
// file. It returns when QEMU listens; [Arrival.Wait] waits for the end. This cannot be undone: a QEMU that
// should not wait any more must be ended. The options of [Run] that have an effect here are [Postcopy],
// [Limit], and those for capabilities and parameters, which are reset at the end.
//
// If the migration fails, QEMU before 9.1 ends by itself; later releases stay and report why.
func Incoming(ctx context.Context, c *qapi.Client, at Address, opts ...Option) (*Arrival, error) {
	a := newArrival(c, at, opts)
	if err := a.listen(ctx); err != nil {
		return nil, named(err)
	}
	return a, nil
}

// Address returns the address at which QEMU waits: the one given to [Incoming], with the real port.
func (a *Arrival) Address() Address { return a.at }

func (a *Arrival) listen(ctx context.Context) error {
	err := refused(a.ask(ctx))
	if err == nil {
		var info qapi.MigrationInfo
		if info, err = again(ctx, a.c, a.c.QueryMigrate); err == nil {
			a.at = withPort(a.at, info.SocketAddress)
			return nil
		}
		err = fmt.Errorf("QEMU waits already, but its address is not known: %w", err)
	}
	if err = a.back.Undo(ctx, err); !a.asked {
		// A QEMU that could not listen has the status failed from then on, and cannot be told to wait again.
		info, problem := again(ctx, a.c, a.c.QueryMigrate)
		a.asked = problem == nil && info.SocketAddress == nil && status(info) != qapi.MigrationStatusNone
	}
	return err
}

// ask tells QEMU to wait for the migration.
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
		if a.asked { // an earlier attempt may have reached QEMU
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

// waits reports whether QEMU is known to wait. Old releases report this only for sockets.
func (a *Arrival) waits(ctx context.Context) (bool, error) {
	info, err := again(ctx, a.c, a.c.QueryMigrate)
	return info.SocketAddress != nil || status(info) != qapi.MigrationStatusNone, err
}

// Wait waits until the whole machine has arrived and has settled: commands such as cont
// work at once. It returns the machine's state: paused if this QEMU was started with -S or was told to stop, and
// otherwise the state that the machine had at the source, such as running.
//
// If the migration fails and QEMU stays, the error is an [*Error]; if QEMU ends, it is the error of the closed
// connection. If the migration is interrupted after [Postcopy], it is an [*Error] with the status
// postcopy-paused, and Wait can be called again. When ctx ends, QEMU still waits.
func (a *Arrival) Wait(ctx context.Context) (qapi.RunState, error) {
	changes := subscribe(a.c)
	defer changes.close()
	state, err := a.wait(ctx, changes)
	if err == nil && !a.arrived {
		a.arrived = true
		_ = a.back.Undo(ctx, nil) // the machine has arrived, even if resetting fails
	}
	return state, named(err)
}

func (a *Arrival) wait(ctx context.Context, changes *changes) (qapi.RunState, error) {
	for {
		info, err := again(ctx, a.c, a.c.QueryMigrate)
		if errors.Is(err, qmp.ErrClosed) && !a.stays {
			return "", fmt.Errorf("the connection has ended; before 9.1 QEMU ends when a migration fails: %w", err)
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
			// Older releases have no status before the migration begins.
			if state, err := a.expects(ctx); err != nil {
				return state, err
			}
		}
		if err := changes.wait(ctx); err != nil {
			return "", err
		}
	}
}

// expects returns an error if QEMU neither waits for a machine nor receives one.
func (a *Arrival) expects(ctx context.Context) (qapi.RunState, error) {
	state, err := a.state(ctx)
	if err != nil || state == qapi.RunStateInmigrate {
		return state, err
	}
	// The migration may have begun, and may have ended, since its status was asked for.
	if begun, err := a.waits(ctx); begun || err != nil {
		return state, err
	}
	return state, fmt.Errorf("QEMU does not wait for a machine: it is %s and may have been started again", state)
}

func (a *Arrival) state(ctx context.Context) (qapi.RunState, error) {
	now, err := again(ctx, a.c, a.c.QueryStatus)
	return now.Status, err
}

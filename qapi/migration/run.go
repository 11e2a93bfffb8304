package migration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/internal/undo"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// Run migrates the machine of c to an address at which another QEMU waits, or into a file. It returns
// when the migration is over and the source has settled: commands that are refused during a migration,
// such as cont, work at once. The machine of c does not run any more: its state is postmigrate.
//
// If the migration does not succeed, the error is an [*Error] with QEMU's reason. When ctx ends, Run cancels
// the migration and waits for its end. If it is too late to cancel, and the migration completes, Run succeeds.
// If the guest runs at the destination already, after [Postcopy], the migration continues, and the error says so.
// After a failure the source has settled, too, and its guest runs if it did before. Capabilities and parameters
// are reset in any case. QEMU cannot interrupt an attempt to connect to a host that does not answer: then the
// error says that the migration is still cancelling.
func Run(ctx context.Context, c *qapi.Client, to Address, opts ...Option) (Stats, error) {
	m := newOutgoing(c, newOptions(opts))
	defer m.changes.close()
	err := m.run(ctx, to)
	return m.stats(), named(err)
}

// Attach waits, as [Run] does, for a migration that was started already, by this program or another
// one. If it is over, Attach returns how it has ended. Only the options [OnProgress],
// [Leave], [Limit], [Postcopy] and [BeforeSwitchover] have an effect; the capabilities that the last two
// need must be on already.
func Attach(ctx context.Context, c *qapi.Client, opts ...Option) (Stats, error) {
	m := newOutgoing(c, newOptions(opts))
	defer m.changes.close()
	err := m.await(ctx)
	return m.stats(), named(err)
}

// An outgoing is a migration as its source sees it.
type outgoing struct {
	c       *qapi.Client
	o       options
	changes *changes
	meter   meter
	back    undo.Stack // of the capabilities and parameters that were set

	before  qapi.MigrationInfo // an earlier migration
	info    qapi.MigrationInfo
	runs    bool      // the guest ran before, or runs since then
	begun   bool      // the migration may have been started
	asked   bool      // postcopy was asked for
	gone    bool      // the migration has gone on after pre-switchover
	wentOn  bool      // the migration has continued after an interruption
	resumed time.Time // when the migration was told to continue after an interruption; zero if it was not told, or has continued
}

func newOutgoing(c *qapi.Client, o options) *outgoing {
	return &outgoing{c: c, o: o, changes: subscribe(c), back: undo.Stack{Limit: o.limit}}
}

func (m *outgoing) stats() Stats { return statsOf(m.info) }

func (m *outgoing) run(ctx context.Context, to Address) error {
	if err := m.look(ctx); err != nil {
		return err
	}
	if !final(status(m.info)) {
		return fmt.Errorf("there is a migration already: its status is %s", status(m.info))
	}
	m.before, m.info = m.info, qapi.MigrationInfo{}
	if err := m.lookAtState(ctx); err != nil {
		return err
	}
	err := prepare(ctx, m.c, m.o, &m.back)
	if err == nil {
		err = m.begin(ctx, to)
	}
	return m.finish(ctx, err)
}

// finish puts back what was set, unless the migration continues.
func (m *outgoing) finish(ctx context.Context, err error) error {
	switch {
	case m.goesOn(), err != nil && m.c.Conn().Err() != nil:
		return err
	case err == nil && !m.o.capabilities[qapi.MigrationCapabilityBackgroundSnapshot]:
		_ = m.back.Undo(ctx, nil) // the guest has moved, even if the source fails now
		return nil
	}
	return m.back.Undo(ctx, err)
}

// goesOn reports whether the migration has begun and is not over.
func (m *outgoing) goesOn() bool {
	return m.info.Status != nil && !final(*m.info.Status)
}

// begin starts the migration and waits for its end.
func (m *outgoing) begin(ctx context.Context, to Address) error {
	uri, channels, err := destination(ctx, m.c, "migrate", to)
	if err != nil {
		return err
	}
	err = m.start(ctx, qapi.MigrateArgs{URI: uri, Channels: channels})
	switch {
	case err == nil:
		return m.await(ctx)
	case m.begun && m.mayGoOn(ctx): // err may be the error of a query after the command
		return m.stop(ctx, err)
	}
	return refused(err)
}

// mayGoOn reports whether the migration may have been started. It returns true if that is not known.
func (m *outgoing) mayGoOn(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.o.limit)
	defer cancel()
	if m.look(ctx) != nil || m.isNew() {
		return true
	}
	m.info = qapi.MigrationInfo{}
	return false
}

// start issues the command that starts a migration, and issues it again only if it was not
// executed. If the connection was lost and there is a new migration, it is this one.
func (m *outgoing) start(ctx context.Context, args qapi.MigrateArgs) error {
	return poll.Until(ctx, func(ctx context.Context) (bool, error) {
		issued := m.c.Migrate(ctx, args)
		m.begun = m.begun || qmp.MayHaveRun(issued)
		if !lost(m.c, issued) {
			return true, issued
		}
		if !qmp.MayHaveRun(issued) {
			return false, nil
		}
		if err := m.same(ctx); err != nil {
			return false, err
		}
		if err := m.look(ctx); err != nil {
			return false, err
		}
		now := status(m.info)
		if !m.isNew() && now != qapi.MigrationStatusNone {
			return false, fmt.Errorf("it is not known whether the migration was started: the status is %s, as before: %w", now, issued)
		}
		return m.isNew(), nil
	})
}

// isNew reports whether there is another migration than before.
func (m *outgoing) isNew() bool {
	now, before := status(m.info), status(m.before)
	return !final(now) || now != before || qapi.Value(m.info.TotalTime) != qapi.Value(m.before.TotalTime)
}

// same returns an error if the server is not the one whose capabilities were set.
func (m *outgoing) same(ctx context.Context) error {
	all, err := again(ctx, m.c, m.c.QueryMigrateCapabilities)
	if err != nil {
		return err
	}
	for _, have := range all {
		if have.Capability == qapi.MigrationCapabilityEvents && !have.State {
			return errors.New("another QEMU answers than the one that was to migrate")
		}
	}
	return nil
}

// await follows the migration until it is over, or until ctx ends.
func (m *outgoing) await(ctx context.Context) error {
	err := m.follow(ctx)
	switch {
	case err == nil:
		return m.settle(ctx, nil)
	case m.over():
		return err
	}
	return m.stop(ctx, err)
}

func (m *outgoing) over() bool { return m.info.Status != nil && final(*m.info.Status) }

// follow asks until the migration has ended or is interrupted, and does what the migration waits
// for meanwhile.
func (m *outgoing) follow(ctx context.Context) error {
	for {
		if err := m.look(ctx); err != nil {
			return err
		}
		if m.o.progress != nil {
			m.o.progress(m.meter.read(time.Now(), m.info))
		}
		now := status(m.info)
		if now == qapi.MigrationStatusNone {
			return errors.New("QEMU does not have the migration any more: it may have been started again")
		}
		if final(now) || m.interrupted() {
			return nil
		}
		if err := m.attend(ctx, now); err != nil {
			return err
		}
		if err := m.changes.wait(ctx); err != nil {
			return err
		}
	}
}

// interrupted reports whether a migration with postcopy is paused. For a short time, one that was told to continue
// still has this status.
func (m *outgoing) interrupted() bool {
	if status(m.info) != qapi.MigrationStatusPostcopyPaused {
		m.resumed, m.wentOn = time.Time{}, true
		return false
	}
	return time.Since(m.resumed) > m.o.limit
}

// attend does what a migration with a status waits for.
func (m *outgoing) attend(ctx context.Context, now qapi.MigrationStatus) error {
	switch {
	case now == qapi.MigrationStatusActive:
		if err := m.lookAtState(ctx); err != nil {
			return err
		}
		if m.o.postcopy && !m.asked && m.info.RAM != nil && m.info.RAM.DirtySyncCount > m.o.passes {
			return tell(ctx, m.c, func(ctx context.Context) error {
				err := m.c.MigrateStartPostcopy(ctx)
				m.asked = m.asked || qmp.MayHaveRun(err) // from now on it must not be cancelled
				return err
			})
		}
	case now == qapi.MigrationStatusPreSwitchover && m.o.switchover != nil && !m.gone:
		m.gone = true
		return m.switchOver(ctx)
	}
	return nil
}

// switchOver continues a migration that waits before the guest changes sides.
func (m *outgoing) switchOver(ctx context.Context) error {
	if err := m.o.switchover(ctx); err != nil {
		return fmt.Errorf("before the switchover: %w", err) // await stops it
	}
	var missed bool
	err := poll.Until(ctx, func(ctx context.Context) (bool, error) {
		err := m.c.MigrateContinue(ctx, qapi.MigrateContinueArgs{State: qapi.MigrationStatusPreSwitchover})
		missed = missed || lost(m.c, err)
		if _, no := errors.AsType[*qmp.Error](err); no && missed {
			return true, nil // the migration has gone on
		}
		return !lost(m.c, err), unlessLost(m.c, err)
	})
	return err
}

// stop cancels the migration because of cause, and waits until it is over, within the limit.
func (m *outgoing) stop(ctx context.Context, cause error) error {
	switch {
	case m.c.Conn().Err() != nil:
		return fmt.Errorf("%w; whether the migration goes on is not known", cause)
	case ctx.Err() != nil && m.o.leave:
		return fmt.Errorf("%w; the migration goes on", poll.Error(ctx))
	case ctx.Err() != nil:
		cause = poll.Error(ctx)
	}
	u := undo.Stack{Limit: m.o.limit}
	u.Add("the migration, which may go on", m.cancel)
	err := u.Undo(ctx, cause)
	if !m.over() {
		return err
	}
	return m.settle(ctx, cause)
}

// cancel cancels the migration and waits for its end. After postcopy has begun, that
// would be the end of the guest, and is refused.
func (m *outgoing) cancel(ctx context.Context) error {
	for cancelled := false; ; {
		if err := m.look(ctx); err != nil {
			return err
		}
		now := status(m.info)
		switch {
		case final(now):
			return nil
		case m.asked, inPostcopy(now):
			return errors.New("the guest runs at the destination already")
		case !cancelled:
			if err := tell(ctx, m.c, m.c.MigrateCancel); err != nil {
				return err
			}
			cancelled = true
			continue
		}
		if err := m.changes.wait(ctx); err != nil {
			return fmt.Errorf("its status is %s: %w", now, err)
		}
	}
}

// settle waits until the source of a migration that is over has settled, and asks for the figures
// again, since the first ones may be incomplete. If the migration has not succeeded, it returns an error that
// wraps cause. QEMU itself lets the guest run again.
func (m *outgoing) settle(ctx context.Context, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.o.limit)
	defer cancel()
	if m.interrupted() {
		return failed(m.info, cause)
	}
	err := settled(ctx, m.c)
	if status(m.info) != qapi.MigrationStatusCompleted {
		end := failed(m.info, cause)
		if err != nil {
			return fmt.Errorf("%w; the source has not settled: %s", end, err.Error()) // which is not the cause
		}
		return end
	}
	if info, err := again(ctx, m.c, m.c.QueryMigrate); err == nil && status(info) == qapi.MigrationStatusCompleted {
		m.info = info
	}
	return nil // the guest has moved, even if something failed now
}

func (m *outgoing) look(ctx context.Context) error {
	info, err := again(ctx, m.c, m.c.QueryMigrate)
	if err == nil {
		m.info = info
	}
	return err
}

// lookAtState finds out whether the guest runs. The states that it has while it moves are ignored.
func (m *outgoing) lookAtState(ctx context.Context) error {
	now, err := again(ctx, m.c, m.c.QueryStatus)
	if err != nil {
		return err
	}
	if now.Status != qapi.RunStateFinishMigrate && now.Status != qapi.RunStatePostmigrate {
		m.runs = now.Running
	}
	return nil
}

// final reports whether nothing follows a status.
func final(s qapi.MigrationStatus) bool {
	switch s {
	case qapi.MigrationStatusNone, qapi.MigrationStatusCompleted, qapi.MigrationStatusFailed, qapi.MigrationStatusCancelled:
		return true
	}
	return false
}

// inPostcopy reports whether the guest has left the source, but a part of it is not yet at the
// destination.
func inPostcopy(s qapi.MigrationStatus) bool { return strings.HasPrefix(string(s), "postcopy-") }

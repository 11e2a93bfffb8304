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

// Run migrates the machine of c to where another QEMU waits for it, or into a file, and returns
// when it is there and the source has settled: commands that are refused during a migration,
// such as cont, work at once. The machine of c then stands still, in the state postmigrate.
//
// A migration that does not succeed is an [*Error] with QEMU's reason. When ctx ends, it is
// cancelled and awaited, unless it was too late for that, which is a success, or the guest runs at
// the destination already, after [Postcopy]: then the error says that it goes on. After a
// failure the source has settled, too, and its guest runs if it did before. Capabilities and
// parameters are put back in any case. QEMU cannot interrupt an attempt to connect to a host that
// does not answer: then the error says that the migration is still cancelling.
func Run(ctx context.Context, c *qapi.Client, to Address, opts ...Option) (Stats, error) {
	m := newOutgoing(c, newOptions(opts))
	defer m.news.close()
	err := m.run(ctx, to)
	return m.stats(), named(err)
}

// Attach waits for a migration that has been started already, by this program or another, as
// [Run] does. Of one that is over it returns how it has ended. Of the options only [OnProgress],
// [Leave], [Limit], [Postcopy] and [BeforeSwitchover] matter; the capabilities that the latter two
// need must be on already.
func Attach(ctx context.Context, c *qapi.Client, opts ...Option) (Stats, error) {
	m := newOutgoing(c, newOptions(opts))
	defer m.news.close()
	err := m.await(ctx)
	return m.stats(), named(err)
}

// An outgoing is a migration as its source sees it.
type outgoing struct {
	c     *qapi.Client
	o     options
	news  *news
	meter meter
	back  undo.Stack // of what was set

	before  qapi.MigrationInfo // of an earlier one
	info    qapi.MigrationInfo
	runs    bool      // the guest did before, or does since
	begun   bool      // the migration may have been started
	asked   bool      // for postcopy
	gone    bool      // past pre-switchover
	wentOn  bool      // since it was told to after an interruption
	resumed time.Time // when it was told to go on after an interruption; zero: that is visible
}

func newOutgoing(c *qapi.Client, o options) *outgoing {
	return &outgoing{c: c, o: o, news: subscribe(c), back: undo.Stack{Limit: o.limit}}
}

func (m *outgoing) stats() Stats { return statsOf(m.info) }

func (m *outgoing) run(ctx context.Context, to Address) error {
	if err := m.look(ctx); err != nil {
		return err
	}
	if !final(status(m.info)) {
		return fmt.Errorf("there is one already, %s", status(m.info))
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

// finish puts back what was set, unless the migration goes on.
func (m *outgoing) finish(ctx context.Context, err error) error {
	switch {
	case m.goesOn(), err != nil && m.c.Conn().Err() != nil:
		return err
	case err == nil && !m.o.capabilities[qapi.MigrationCapabilityBackgroundSnapshot]:
		_ = m.back.Undo(ctx, nil) // the guest has moved, whatever the source still says
		return nil
	}
	return m.back.Undo(ctx, err)
}

// goesOn reports whether the migration is left as it is, half done.
func (m *outgoing) goesOn() bool {
	return m.info.Status != nil && !final(*m.info.Status)
}

// begin starts the migration and sees it through.
func (m *outgoing) begin(ctx context.Context, to Address) error {
	uri, channels, err := destination(ctx, m.c, "migrate", to)
	if err != nil {
		return err
	}
	err = m.start(ctx, qapi.MigrateArgs{URI: uri, Channels: channels})
	switch {
	case err == nil:
		return m.await(ctx)
	case m.begun && m.mayGoOn(ctx): // err may be of a question that was asked afterwards
		return m.stop(ctx, err)
	}
	return refused(err)
}

// mayGoOn reports whether a migration that may have been started goes on, or is not known not to.
func (m *outgoing) mayGoOn(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.o.limit)
	defer cancel()
	if m.look(ctx) != nil || m.isNew() {
		return true
	}
	m.info = qapi.MigrationInfo{}
	return false
}

// start issues the command that starts a migration, and issues it again only if it cannot have
// run: if its connection was lost, the migration that is there then is this one.
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
			return false, fmt.Errorf("it is not known whether it was started: there is one that is %s, as there was before: %w", now, issued)
		}
		return m.isNew(), nil
	})
}

// isNew reports whether the migration that is there is another one than there was before.
func (m *outgoing) isNew() bool {
	now, before := status(m.info), status(m.before)
	return !final(now) || now != before || qapi.Value(m.info.TotalTime) != qapi.Value(m.before.TotalTime)
}

// same fails if the server is not the one whose capabilities were set.
func (m *outgoing) same(ctx context.Context) error {
	all, err := again(ctx, m.c, m.c.QueryMigrateCapabilities)
	if err != nil {
		return err
	}
	for _, have := range all {
		if have.Capability == qapi.MigrationCapabilityEvents && !have.State {
			return errors.New("the QEMU that was to migrate is not there any more; another one is")
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

// follow asks until the migration has ended or is interrupted, and does meanwhile what it waits
// for.
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
			return errors.New("QEMU does not know of any: it may have been started anew")
		}
		if final(now) || m.interrupted() {
			return nil
		}
		if err := m.attend(ctx, now); err != nil {
			return err
		}
		if err := m.news.wait(ctx); err != nil {
			return err
		}
	}
}

// interrupted reports whether a migration with postcopy is paused. One that was told to go on may
// still look so, but not for long.
func (m *outgoing) interrupted() bool {
	if status(m.info) != qapi.MigrationStatusPostcopyPaused {
		m.resumed, m.wentOn = time.Time{}, true
		return false
	}
	return time.Since(m.resumed) > m.o.limit
}

// attend does what a migration in some status waits for.
func (m *outgoing) attend(ctx context.Context, now qapi.MigrationStatus) error {
	switch {
	case now == qapi.MigrationStatusActive:
		if err := m.lookAtState(ctx); err != nil {
			return err
		}
		if m.o.postcopy && !m.asked && m.info.RAM != nil && m.info.RAM.DirtySyncCount > m.o.passes {
			return tell(ctx, m.c, func(ctx context.Context) error {
				err := m.c.MigrateStartPostcopy(ctx)
				m.asked = m.asked || qmp.MayHaveRun(err) // from here on it must not be cancelled
				return err
			})
		}
	case now == qapi.MigrationStatusPreSwitchover && m.o.switchover != nil && !m.gone:
		m.gone = true
		return m.switchOver(ctx)
	}
	return nil
}

// switchOver lets a migration go on that waits before the guest leaves.
func (m *outgoing) switchOver(ctx context.Context) error {
	if err := m.o.switchover(ctx); err != nil {
		return fmt.Errorf("before the switchover: %w", err) // await stops it
	}
	var missed bool
	err := poll.Until(ctx, func(ctx context.Context) (bool, error) {
		err := m.c.MigrateContinue(ctx, qapi.MigrateContinueArgs{State: qapi.MigrationStatusPreSwitchover})
		missed = missed || lost(m.c, err)
		if _, no := errors.AsType[*qmp.Error](err); no && missed {
			return true, nil // it has gone on
		}
		return !lost(m.c, err), unlessLost(m.c, err)
	})
	return err
}

// stop cancels the migration because of cause, and waits until it is over, within the limit.
func (m *outgoing) stop(ctx context.Context, cause error) error {
	switch {
	case m.c.Conn().Err() != nil:
		return fmt.Errorf("%w; whether it goes on is not known", cause)
	case ctx.Err() != nil && m.o.leave:
		return fmt.Errorf("%w; it goes on", poll.Error(ctx))
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

// cancel gives the migration up and waits for its end. After the beginning of postcopy that
// would be the end of the guest.
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
		if err := m.news.wait(ctx); err != nil {
			return fmt.Errorf("it is %s: %w", now, err)
		}
	}
}

// settle waits until the source of a migration that is over has settled, and has the figures
// anew, since the first ones may be incomplete. One that has not succeeded is an error, which
// wraps cause. QEMU has the guest run again by itself.
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
	return nil // the guest has moved, whatever else
}

func (m *outgoing) look(ctx context.Context) error {
	info, err := again(ctx, m.c, m.c.QueryMigrate)
	if err == nil {
		m.info = info
	}
	return err
}

// lookAtState finds out whether the guest runs. While it moves it does not, which does not count.
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

// inPostcopy reports whether the guest has left the source for good, but is not at the destination
// as a whole.
func inPostcopy(s qapi.MigrationStatus) bool { return strings.HasPrefix(string(s), "postcopy-") }

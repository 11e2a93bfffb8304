package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/internal/progress"
	"github.com/goqapi/goqapi/internal/retry"
	"github.com/goqapi/goqapi/internal/undo"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// typeBackground is what an [Error] has for a background snapshot, which QEMU calls a migration.
const typeBackground qapi.JobType = "background snapshot"

// BackgroundSnapshot saves the state of the machine, memory included, as it is at the start, while
// the guest goes on. It is saved where a migration could go to, such as file:/var/vm.state (QEMU
// 8.2 and later) or "exec:cat > /var/vm.state", and is loaded by a QEMU that is started with -incoming.
// The disks are not in it: the machine has to be paused while both are begun.
//
// QEMU takes it for a migration with the capability background-snapshot, which is set for you and
// then reset. When ctx ends, it is cancelled. The error wraps [errors.ErrUnsupported] on a
// QEMU before 6.0; a host without userfaultfd makes QEMU refuse it.
func BackgroundSnapshot(ctx context.Context, c *qapi.Client, args qapi.MigrateArgs, opts ...Option) (qapi.MigrationInfo, error) {
	b := background{c: c, opts: newOptions(opts), news: qapi.Subscribe[qapi.MigrationEvent](c)}
	defer b.news.Close()
	err := b.save(ctx, args)
	if _, ended := errors.AsType[*Error](err); err != nil && !ended {
		err = fmt.Errorf("job: %s: %w", typeBackground, err)
	}
	return b.info, err
}

type background struct {
	c     *qapi.Client
	opts  options
	news  *qmp.Stream[qapi.MigrationEvent]
	info  qapi.MigrationInfo
	meter progress.Meter
}

// save sets the capabilities, saves and resets them.
func (b *background) save(ctx context.Context, args qapi.MigrateArgs) error {
	wanted := []qapi.MigrationCapability{qapi.MigrationCapabilityBackgroundSnapshot, qapi.MigrationCapabilityEvents}
	var before, during []qapi.MigrationCapabilityStatus
	if err := retry.Ask(ctx, b.c.Conn(), func(ctx context.Context) error {
		all, err := b.c.QueryMigrateCapabilities(ctx)
		before, during = nil, nil
		for _, have := range all {
			for _, capability := range wanted {
				if have.Capability == capability {
					before = append(before, have)
					during = append(during, qapi.MigrationCapabilityStatus{Capability: capability, State: true})
				}
			}
		}
		return err
	}); err != nil {
		return err
	}
	if len(before) != len(wanted) {
		return fmt.Errorf("this QEMU has no such capability: %w", errors.ErrUnsupported)
	}
	set := func(ctx context.Context, list []qapi.MigrationCapabilityStatus) error {
		return retry.Ask(ctx, b.c.Conn(), func(ctx context.Context) error {
			return b.c.MigrateSetCapabilities(ctx, qapi.MigrateSetCapabilitiesArgs{Capabilities: list})
		})
	}
	u := undo.Stack{Limit: b.opts.limit}
	u.Add("the capability background-snapshot", func(ctx context.Context) error {
		return poll.Until(ctx, func(ctx context.Context) (bool, error) { // a migration may be about to end
			err := set(ctx, before)
			if refused(err) && b.look(ctx) == nil && !b.ended() {
				return false, nil
			}
			return true, err
		})
	})
	err := set(ctx, during)
	if refused(err) { // then nothing was set
		return err
	}
	if err == nil {
		err = b.run(ctx, args)
	}
	return u.Undo(ctx, err)
}

// run saves and waits.
func (b *background) run(ctx context.Context, args qapi.MigrateArgs) error {
	u := undo.Stack{Limit: b.opts.limit}
	u.Add("the snapshot, which goes on", func(ctx context.Context) error {
		if err := retry.Ask(ctx, b.c.Conn(), b.c.MigrateCancel); err != nil {
			return err
		}
		return b.wait(ctx)
	})
	if err := b.look(ctx); err != nil {
		return err
	}
	before := b.status()
	err := b.start(ctx, args, before)
	if err != nil && !qmp.MayHaveRun(err) {
		return err
	}
	if err == nil {
		err = b.wait(ctx)
	}
	if err != nil {
		// It may have ended nevertheless; but an end that there was before is not its own.
		if err = u.Undo(ctx, err); !b.ended() || b.status() == before {
			return err
		}
	}
	switch b.status() {
	case qapi.MigrationStatusCompleted:
		return nil
	case qapi.MigrationStatusCancelled:
		return &Error{Type: typeBackground, Reason: cancelled, Cancelled: true, Cause: err}
	case qapi.MigrationStatusFailed:
		return &Error{Type: typeBackground, Reason: cmp.Or(qapi.Value(b.info.ErrorDesc), "it has failed; QEMU does not say why")}
	}
	return ErrGone
}

// start starts the migration. After a lost reply it is known to run if there had been none.
func (b *background) start(ctx context.Context, args qapi.MigrateArgs, before qapi.MigrationStatus) error {
	err := b.c.Migrate(ctx, args)
	if err == nil || !retry.Lost(b.c.Conn(), err) || !qmp.MayHaveRun(err) {
		return err
	}
	if asking := b.look(ctx); asking != nil {
		return retry.Unknown(ctx, err, asking)
	}
	switch {
	case !b.ended(), b.status() != before:
		return nil
	case before == "": // it cannot have run
		return b.c.Migrate(ctx, args)
	}
	return fmt.Errorf("it may be saved, or may not have been started: %w", err)
}

// wait waits until the migration has ended.
func (b *background) wait(ctx context.Context) error {
	any := func(qapi.MigrationEvent) bool { return true }
	return follow(ctx, b.news, any, func(ctx context.Context) (bool, error) {
		if err := b.look(ctx); err != nil {
			return false, err
		}
		if ram := b.info.RAM; b.opts.progress != nil && ram != nil {
			b.opts.progress(Progress(b.meter.Read(time.Now(), ram.Total-ram.Remaining, ram.Total)))
		}
		return b.ended(), nil
	})
}

func (b *background) look(ctx context.Context) error {
	return retry.Ask(ctx, b.c.Conn(), func(ctx context.Context) error {
		info, err := b.c.QueryMigrate(ctx)
		if err == nil {
			b.info = info
		}
		return err
	})
}

// status is how far the migration is; "" if there has been none.
func (b *background) status() qapi.MigrationStatus {
	return qapi.Value(b.info.Status)
}

func (b *background) ended() bool {
	switch b.status() {
	case "", qapi.MigrationStatusNone, qapi.MigrationStatusCompleted, qapi.MigrationStatusFailed, qapi.MigrationStatusCancelled:
		return true
	}
	return false
}

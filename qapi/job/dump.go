package job

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/internal/progress"
	"github.com/goqapi/goqapi/internal/retry"
	"github.com/goqapi/goqapi/internal/undo"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// typeDump is the Type in the [Error] of a dump, which QEMU does not call a job.
const typeDump qapi.JobType = "memory dump"

// Dump writes the guest's memory to a file, as [qapi.Client.DumpGuestMemory] does, and returns when the file
// is written. The error is an [*Error] if the dump has failed. The guest does not run meanwhile. Detach is
// set for you. A dump cannot be cancelled: when ctx ends, Dump still waits for its end, for as long as
// [Limit] says. If the dump continues even then, the error says so.
func Dump(ctx context.Context, c *qapi.Client, args qapi.DumpGuestMemoryArgs, opts ...Option) (qapi.DumpQueryResult, error) {
	d := dump{c: c, opts: newOptions(opts), events: qapi.Subscribe[qapi.DumpCompletedEvent](c)}
	defer d.events.Close()
	err := d.run(ctx, args)
	if _, ended := errors.AsType[*Error](err); err != nil && !ended {
		err = fmt.Errorf("job: %s: %w", typeDump, err)
	}
	return d.how, err
}

type dump struct {
	c      *qapi.Client
	opts   options
	events *qmp.Stream[qapi.DumpCompletedEvent]
	before qapi.DumpStatus // the status before this dump, of an earlier one
	how    qapi.DumpQueryResult
	why    string // why the dump has failed
	meter  progress.Meter
}

// run starts the dump and waits until it has ended and QEMU has cleaned up, also when ctx ends.
func (d *dump) run(ctx context.Context, args qapi.DumpGuestMemoryArgs) error {
	if err := d.look(ctx); err != nil {
		return err
	}
	d.before = d.how.Status
	err := d.start(ctx, args)
	if err != nil && !qmp.MayHaveRun(err) {
		return err
	}
	if err == nil {
		err = d.wait(ctx)
	}
	if err != nil {
		ended := false
		u := undo.Stack{Limit: d.opts.limit}
		u.Add("the dump, which cannot be cancelled", func(ctx context.Context) error {
			err := d.wait(ctx)
			ended = err == nil
			return err
		})
		if err = u.Undo(ctx, err); !ended {
			return err
		}
	}
	u := undo.Stack{Limit: d.opts.limit}
	u.Add("the dump, which is not cleaned up", d.settle)
	return u.Undo(ctx, d.result(ctx, err))
}

// result returns how the dump has ended. cause is what ended the wait early; nil: nothing
// did. result returns cause if the status may still be that of an earlier dump.
func (d *dump) result(ctx context.Context, cause error) error {
	switch {
	case cause != nil && d.how.Status == d.before:
		return cause
	case d.how.Status == qapi.DumpStatusFailed:
		return &Error{Type: typeDump, Reason: d.reason(ctx)}
	}
	return nil
}

// look asks how far the dump is.
func (d *dump) look(ctx context.Context) error {
	return retry.Ask(ctx, d.c.Conn(), func(ctx context.Context) error {
		how, err := d.c.QueryDump(ctx)
		if err == nil {
			d.how = how
		}
		return err
	})
}

// start starts the dump. If the reply is lost, it asks for the status: if the status is
// active or has changed, the dump was started; if it is none, as before, it was not.
func (d *dump) start(ctx context.Context, args qapi.DumpGuestMemoryArgs) error {
	args.Detach = new(true)
	err := d.c.DumpGuestMemory(ctx, args)
	if err == nil || !retry.Lost(d.c.Conn(), err) || !qmp.MayHaveRun(err) {
		return err
	}
	if asking := d.look(ctx); asking != nil {
		return retry.Unknown(ctx, err, asking)
	}
	switch {
	case d.how.Status == qapi.DumpStatusActive, d.how.Status != d.before:
		return nil
	case d.before == qapi.DumpStatusNone: // a dump would have changed the status
		return d.c.DumpGuestMemory(ctx, args)
	}
	return fmt.Errorf("whether the dump was started is not known: %w", err)
}

// wait waits until the dump is written or has failed.
func (d *dump) wait(ctx context.Context) error {
	ended := func(e qapi.DumpCompletedEvent) bool { d.note(e); return true }
	return follow(ctx, d.events, ended, func(ctx context.Context) (bool, error) {
		if err := d.look(ctx); err != nil {
			return false, err
		}
		if show := d.opts.progress; show != nil {
			show(Progress(d.meter.Read(time.Now(), d.how.Completed, d.how.Total)))
		}
		return d.how.Status != qapi.DumpStatusActive, nil
	})
}

func (d *dump) note(e qapi.DumpCompletedEvent) {
	if e.Error != nil {
		d.why = *e.Error
	}
}

// reason returns why the dump has failed. Only the event has the reason, and it comes after the status is set.
func (d *dump) reason(ctx context.Context) string {
	if d.why == "" {
		_ = next(context.WithoutCancel(ctx), d.events, func(e qapi.DumpCompletedEvent) bool { d.note(e); return true }, time.Second)
	}
	if d.why == "" {
		return "it has failed; the event that says why was lost"
	}
	return d.why
}

// settle waits until QEMU has cleaned up after the dump. QEMU sets the status and sends the event before the
// guest runs again; another dump or a migration at that moment fails or ends QEMU. If the guest did not run
// before, QEMU 5.2 does not show when it has cleaned up.
func (d *dump) settle(ctx context.Context) error {
	return retry.Ask(ctx, d.c.Conn(), func(ctx context.Context) error {
		return poll.Until(ctx, func(ctx context.Context) (bool, error) {
			status, err := d.c.QueryStatus(ctx)
			if err != nil || status.Status == qapi.RunStateSaveVM {
				return false, err
			}
			info, err := d.c.QueryMigrate(ctx)
			blocked := slices.ContainsFunc(info.BlockedReasons, func(why string) bool {
				return strings.Contains(why, "dump-guest-memory")
			})
			return !blocked, err
		})
	})
}

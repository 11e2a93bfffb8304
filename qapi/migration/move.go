package migration

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/internal/undo"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// Move migrates the machine of one QEMU to another QEMU, which must have been started with -incoming defer.
// Move tells it to wait at the address. When Move returns, the machine is at the destination, and runs if it ran
// before. The source does not run any more: it is in the state postmigrate, and can be ended.
//
// If Move fails, or ctx ends, the machine stays at the source, and runs if it ran before.
// Move has then ended the QEMU at the destination, which could not wait a second time. (If
// Move fails before it has told that QEMU to wait, the QEMU stays; but a machine that
// arrives there later does not run until somebody continues it.) If a part of this could
// not be done, the error says so. The guest never runs on both sides: at the destination it
// may run only after the source has reported the end of the migration.
//
// After [Postcopy] has begun, the guest runs at the destination, and nothing can be undone. If the
// connection between the two QEMUs is lost then, Move continues the migration at the same address,
// as often as necessary, until ctx ends. If one of the QEMUs is lost, the guest is lost.
//
// Options apply to both sides; [AtSource] and [AtDestination] restrict them.
func Move(ctx context.Context, from, to *qapi.Client, at Address, opts ...Option) (Stats, error) {
	common := newOptions(opts)
	source := append(opts[:len(opts):len(opts)], common.sides[atSource]...)
	if isSocket(at) {
		// With this capability, the source learns of a failure of the destination while the
		// guest can still run at the source.
		source = append([]Option{Enable(qapi.MigrationCapabilityReturnPath)}, source...)
	}
	destination := append(opts[:len(opts):len(opts)], common.sides[atDestination]...)
	m := &move{out: newOutgoing(from, newOptions(source)), in: newArrival(to, at, destination)}
	defer m.out.changes.close()
	err := m.run(ctx)
	return m.out.stats(), named(err)
}

type move struct {
	out   *outgoing
	in    *Arrival
	began bool // the guest may run at the destination, or a part of its memory is there
}

func (m *move) run(ctx context.Context) error {
	if _, file := m.in.at.Transport.(qapi.MigrationAddressFile); file {
		return errors.New("a file does not connect two machines: use Run, and then Incoming")
	}
	if err := m.out.lookAtState(ctx); err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	u := undo.Stack{Limit: m.out.o.limit}
	u.Add("the source, whose machine is stopped", m.resume)
	err := m.receive(ctx)
	if m.in.asked {
		u.Add("the QEMU at the destination", m.end)
	}
	if err != nil {
		return u.Undo(ctx, ofDestination(err))
	}
	if err = m.transfer(ctx); err == nil || m.began || m.left(ctx) {
		return err
	}
	if m.arrivedUnseen(ctx) {
		return fmt.Errorf("%w; the whole machine is at the destination and does not run there; "+
			"whether it runs at the source is not known", err)
	}
	return u.Undo(ctx, m.explained(ctx, err))
}

// left reports whether the migration continues after ctx has ended, because of [Leave].
func (m *move) left(ctx context.Context) bool {
	return m.out.o.leave && ctx.Err() != nil && m.out.begun && !m.out.over()
}

// receive tells the destination to wait. The machine must not run there by itself, except after
// postcopy.
func (m *move) receive(ctx context.Context) error {
	now, err := m.in.state(ctx)
	if err != nil {
		return err
	}
	if now != qapi.RunStateInmigrate {
		return fmt.Errorf("it does not wait for a machine, but is %s", now)
	}
	hold := m.in.c.Stop
	if m.postcopy() {
		hold = m.in.c.Cont
	}
	if err := tell(ctx, m.in.c, hold); err != nil {
		return err
	}
	return m.in.listen(ctx)
}

// ofDestination returns err as an error of the destination.
func ofDestination(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		e.Destination, e.Reason = e.Reason, ""
		return err
	}
	return fmt.Errorf("the destination: %w", err)
}

func (m *move) postcopy() bool {
	return m.out.o.capabilities[qapi.MigrationCapabilityPostcopyRAM]
}

// transfer migrates, and lets the machine run again.
func (m *move) transfer(ctx context.Context) error {
	err := m.out.run(ctx, m.address())
	for interrupted(err) {
		m.began = true
		if err = m.takeUp(ctx, err); err != nil {
			return err
		}
	}
	m.began = m.out.asked || inPostcopy(status(m.out.info)) || err == nil && m.postcopy()
	if err != nil {
		return err
	}
	state, err := m.in.Wait(ctx)
	if err != nil {
		return ofDestination(err)
	}
	if !m.out.runs || state != qapi.RunStatePaused {
		return nil
	}
	err = tell(ctx, m.in.c, func(ctx context.Context) error {
		err := m.in.c.Cont(ctx)
		m.began = m.began || qmp.MayHaveRun(err) // the last attempt may not have been sent, an earlier one may have
		return err
	})
	switch {
	case err == nil:
		return nil
	case m.began:
		return fmt.Errorf("the destination has the machine; whether it runs is not known: %w", err)
	}
	return fmt.Errorf("the destination has the machine, but it does not run: %w", err)
}

// address returns the address that the source connects to.
func (m *move) address() Address { return withHost(m.in.at, m.out.o.host) }

// takeUp continues a migration that was interrupted. It tries again until it succeeds, or
// until that is no longer possible.
func (m *move) takeUp(ctx context.Context, cause error) error {
	var interval poll.Interval
	for {
		if _, err := m.in.recover(ctx, m.in.at); err != nil {
			return fmt.Errorf("%w; the destination: %w", cause, err)
		}
		err := m.out.recover(ctx, m.address())
		if !interrupted(err) || !m.out.wentOn && !m.out.c.Conn().Greeting().Version.AtLeast(7, 2) {
			return err // another attempt would end an old QEMU
		}
		select {
		case <-time.After(interval.Next()):
		case <-ctx.Done():
			return err
		}
	}
}

// interrupted reports whether err is the error of a migration that can be continued.
func interrupted(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == qapi.MigrationStatusPostcopyPaused
}

// arrivedUnseen reports whether the destination has the machine although the source has not said
// how the migration has ended. Then the source may be gone, and the QEMU at the destination must
// not be ended.
func (m *move) arrivedUnseen(ctx context.Context) bool {
	if m.out.over() || !m.out.begun {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.out.o.limit/2)
	defer cancel()
	info, err := again(ctx, m.in.c, m.in.c.QueryMigrate)
	return err == nil && status(info) == qapi.MigrationStatusCompleted
}

// explained returns err with the destination's reason, if it has one.
func (m *move) explained(ctx context.Context, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || !m.in.stays || e.Cancelled {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.out.o.limit/2)
	defer cancel()
	_ = poll.Until(ctx, func(ctx context.Context) (bool, error) {
		info, err := m.in.c.QueryMigrate(ctx)
		if now := status(info); now == qapi.MigrationStatusFailed {
			e.Destination = qapi.Value(info.ErrorDesc)
		} else if now == qapi.MigrationStatusActive {
			return false, err // it will soon report the failure, too
		}
		return true, err
	})
	return err
}

// end ends the QEMU at the destination, which cannot be used again. A QEMU that does not
// stay after a failure has usually ended already. For one that stays, a lost connection
// does not show that QEMU has ended.
func (m *move) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, m.out.o.limit/2)
	defer cancel()
	return poll.Until(ctx, func(ctx context.Context) (bool, error) {
		err := m.in.c.Quit(ctx)
		switch {
		case !errors.Is(err, qmp.ErrClosed):
			return true, err
		case !m.in.stays, qmp.MayHaveRun(err):
			return true, nil
		case m.in.c.Conn().Err() != nil:
			return false, fmt.Errorf("whether it has ended is not known: %w", err)
		}
		return false, nil
	})
}

// resume lets the guest run at the source again, if the migration is over there.
func (m *move) resume(ctx context.Context) error {
	if !m.out.begun || !m.out.over() {
		return nil // nothing has changed, or the error already says that the state of the source is not known
	}
	now, err := again(ctx, m.out.c, m.out.c.QueryStatus)
	if err == nil && m.out.runs && now.Status == qapi.RunStatePostmigrate {
		return tell(ctx, m.out.c, m.out.c.Cont)
	}
	return err
}

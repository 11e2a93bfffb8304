package hotplug

import (
	"context"
	"fmt"

	"github.com/goqapi/goqapi/internal/retry"
	"github.com/goqapi/goqapi/internal/undo"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// page is the granularity of balloons.
const page = 4096

// Balloon uses the machine's balloon to change how much memory the guest has, waits until the guest
// has done so, and returns how much it has then: size rounded up to pages of 4 KiB, or all of the
// machine's memory if size is more. If ctx ends earlier (after 30 s if it has no deadline), the
// guest keeps what it has at that moment; Balloon returns that together with the error. A guest that has
// less memory than it needs ends programs, or crashes.
func Balloon(ctx context.Context, c *qapi.Client, size int64) (int64, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	changes := qapi.SubscribeEvents(c, []qapi.Event{qapi.BalloonChangeEvent{}})
	defer changes.Close()
	set := func(size int64) func(context.Context) error {
		return func(ctx context.Context) error { return c.Balloon(ctx, qapi.BalloonArgs{Value: size}) }
	}
	whole, err := wholeMemory(ctx, c)
	var got int64
	if err == nil {
		want := min(size, whole)
		got, err = reach(ctx, c, changes, set, size, func(ctx context.Context) (int64, bool, error) {
			info, err := ask(ctx, c, c.QueryBalloon)
			return info.Actual, want <= info.Actual && info.Actual < want+page, err
		})
	}
	if err != nil {
		return got, fmt.Errorf("hotplug: balloon to %d bytes (last seen: %d): %w", size, got, err)
	}
	return got, nil
}

// wholeMemory returns how much memory the machine has.
func wholeMemory(ctx context.Context, c *qapi.Client) (int64, error) {
	info, err := ask(ctx, c, c.QueryMemorySizeSummary)
	return int64(info.BaseMemory + qapi.Value(info.PluggedMemory)), err
}

// reach asks the guest for a size and waits until the guest has it. look returns the present size and reports
// whether that is the size wanted. If ctx ends earlier, the guest is asked to keep the present size.
func reach[N int64 | uint64](
	ctx context.Context, c *qapi.Client, events *qmp.Stream[qapi.Event],
	set func(N) func(context.Context) error, size N, look func(context.Context) (N, bool, error),
) (got N, err error) {
	told := false
	if err := retry.Ask(ctx, c.Conn(), func(ctx context.Context) error {
		err := set(size)(ctx)
		told = told || qmp.MayHaveRun(err)
		return err
	}); err != nil {
		if told {
			err = stop(ctx, c, set, look, err)
		}
		return 0, err
	}
	s := state{events: events, matters: func(qapi.Event) bool { return true }}
	err = s.until(ctx, func(ctx context.Context) (done bool, err error) {
		if s.lost { // a server that has been started again does not know the size
			s.lost = false
			if err := retry.Ask(ctx, c.Conn(), set(size)); err != nil {
				return false, err
			}
		}
		var now N
		if now, done, err = look(ctx); err == nil {
			got = now
		}
		return done, err
	})
	if ctx.Err() != nil && err != nil {
		err = stop(ctx, c, set, look, err)
	}
	return got, err
}

// stop asks the guest to keep its present size, because err has ended the wait for another size.
func stop[N int64 | uint64](
	ctx context.Context, c *qapi.Client, set func(N) func(context.Context) error,
	look func(context.Context) (N, bool, error), err error,
) error {
	u := undo.Stack{Limit: stopping}
	u.Add("the size that the guest was told", func(ctx context.Context) error {
		now, _, err := look(ctx)
		if err != nil {
			return err
		}
		return retry.Ask(ctx, c.Conn(), set(now))
	})
	return u.Undo(ctx, err)
}

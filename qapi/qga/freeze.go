package qga

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/goqapi/goqapi/qmp"
)

// ErrStillFrozen is wrapped by the error of [WithFrozen] when it is not known that the
// guest was thawed: every process in it that writes hangs, or soon will. What is left
// to do is to connect to the agent anew and to call [Client.GuestFsfreezeThaw].
var ErrStillFrozen = errors.New("the guest's file systems may still be frozen")

// Thawing goes on when everything else has been given up.
const (
	thawTime      = time.Minute            // in all
	thawAttempt   = 15 * time.Second       // until the agent is asked again
	thawPause     = 100 * time.Millisecond // before another attempt; it doubles with each
	lastThawPause = 2 * time.Second
	thawRefusals  = 3 // of an agent whose file systems stay frozen
)

// WithFrozen freezes the guest's file systems, those at the mount points or, if
// that is nil, all that can be frozen, and calls f with how many they are. Then it
// thaws them, also when f fails or panics, and when ctx has ended meanwhile, for which
// it takes up to a minute. It returns when the guest is thawed, or with
// [ErrStillFrozen].
//
// An agent that is silent, as in a machine that is paused, has the command to thaw in
// front of it all the same, and executes it when it goes on.
//
// An error means that what f did, such as to take a snapshot, is not to be relied
// on: f's own, or that file systems were thawed while it ran, by somebody else
// or, in Windows, by themselves after some ten seconds. f is not called if the agent
// refuses to freeze, as it does when they are frozen already; then nothing is thawed.
// Nor is it called if no file system, or fewer than named, could be frozen: agents
// pass over a mount point that does not exist, and over file systems that cannot be
// frozen.
func WithFrozen(ctx context.Context, c *Client, mountpoints []string, f func(ctx context.Context, frozen int) error) (err error) {
	if mountpoints != nil && len(mountpoints) == 0 {
		return errors.New("qga: freeze: the list of mount points is empty; nil stands for all file systems")
	}
	frozen, err := freeze(ctx, c, mountpoints)
	if err != nil && !qmp.MayHaveRun(err) {
		return fmt.Errorf("qga: freeze: %w", err)
	}
	defer func() { err = errors.Join(err, thaw(ctx, c, frozen)) }()
	if err == nil {
		err = checkFrozen(frozen, mountpoints)
	}
	if err != nil {
		return fmt.Errorf("qga: freeze: %w", err)
	}
	return f(ctx, int(frozen))
}

func freeze(ctx context.Context, c *Client, mountpoints []string) (int64, error) {
	if mountpoints == nil {
		return c.GuestFsfreezeFreeze(ctx)
	}
	return c.GuestFsfreezeFreezeList(ctx, GuestFsfreezeFreezeListArgs{Mountpoints: mountpoints})
}

// checkFrozen returns an error unless an agent froze what was asked for.
func checkFrozen(frozen int64, mountpoints []string) error {
	named := len(slices.Compact(slices.Sorted(slices.Values(mountpoints))))
	switch {
	case frozen < 0 || frozen > math.MaxInt32:
		return fmt.Errorf("the agent says that it froze %d file systems", frozen)
	case frozen < int64(named):
		return fmt.Errorf("the agent froze %d of the %d file systems that are named", frozen, named)
	case frozen == 0:
		return errors.New("the agent froze 0 file systems")
	}
	return nil
}

// thaw thaws, although ctx may have ended, and though the agent may be away for a
// while. It is an error, too, if fewer file systems were frozen until then.
func thaw(ctx context.Context, c *Client, frozen int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), thawTime)
	defer cancel()
	refusals := 0
	again := false // an earlier attempt may have thawed: the count says nothing
	for pause := thawPause; ; pause = min(2*pause, lastThawPause) {
		thawed, err := thawNow(ctx, c)
		switch {
		case err == nil && !again && thawed < frozen:
			return fmt.Errorf("qga: thaw: only %d of %d file systems were still frozen", thawed, frozen)
		case err == nil:
			return nil
		case errors.Is(err, qmp.ErrClosed), errors.Is(err, context.DeadlineExceeded): // or no agent
			again = again || qmp.MayHaveRun(err)
		case isThawed(ctx, c):
			return fmt.Errorf("qga: thaw: the file systems are thawed, but since when is not known: %w", err)
		default:
			refusals++
		}
		if refusals == thawRefusals || !sleep(ctx, c, pause) {
			return fmt.Errorf("qga: thaw: %w: %w", ErrStillFrozen, err)
		}
	}
}

// thawNow has the agent thaw. To thaw twice does no harm. The command goes to an agent
// that is silent, too: one whose machine is paused executes it when that goes on.
func thawNow(ctx context.Context, c *Client) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, thawAttempt)
	defer cancel()
	return c.With(qmp.WithoutSync()).GuestFsfreezeThaw(ctx)
}

// isThawed asks the agent for the state that its file systems are in. That of Windows
// refuses to thaw what has thawed by itself, and cleans up.
func isThawed(ctx context.Context, c *Client) bool {
	ctx, cancel := context.WithTimeout(ctx, thawAttempt)
	defer cancel()
	status, err := c.GuestFsfreezeStatus(ctx)
	return err == nil && status == GuestFsfreezeStatusThawed
}

// sleep reports whether it slept, without the connection or ctx having ended.
func sleep(ctx context.Context, c *Client, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.Conn().Done():
	case <-ctx.Done():
	}
	return false
}

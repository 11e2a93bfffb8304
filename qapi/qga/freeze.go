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

// ErrStillFrozen is wrapped by the error of [WithFrozen] when the guest may not have been
// thawed: then every process in it that writes hangs, or soon will. Connect to the agent
// again and call [Client.GuestFsfreezeThaw].
var ErrStillFrozen = errors.New("the guest's file systems may still be frozen")

// Limits of thawing, which continues after ctx has ended.
const (
	thawTime      = time.Minute            // for all attempts
	thawAttempt   = 15 * time.Second       // until the agent is asked again
	thawPause     = 100 * time.Millisecond // before another attempt; it doubles with each
	lastThawPause = 2 * time.Second
	thawRefusals  = 3 // after so many refusals, while the file systems stay frozen, thawing has failed
)

// WithFrozen freezes the guest's file systems at the mount points or, if mountpoints
// is nil, all that can be frozen, and calls f with their number. Then it
// thaws them, also when f fails or panics, or ctx has ended meanwhile. Thawing
// takes up to a minute. WithFrozen returns when the guest is thawed, or with
// [ErrStillFrozen].
//
// The command to thaw is sent even to an agent that does not answer, for example in a
// paused machine; the agent executes it when it runs again.
//
// After an error do not rely on what f did, such as taking a snapshot: f itself failed, or
// file systems were thawed while it ran, by another program or, in Windows, by themselves
// after some ten seconds. f is not called if the agent refuses to freeze, as it does when
// file systems are frozen already; then nothing is thawed. f is also not called if no file
// system, or fewer than the named ones, could be frozen: agents ignore mount points that do
// not exist, and file systems that cannot be frozen.
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

// checkFrozen returns an error unless an agent froze all file systems that were named.
func checkFrozen(frozen int64, mountpoints []string) error {
	named := len(slices.Compact(slices.Sorted(slices.Values(mountpoints))))
	switch {
	case frozen < 0 || frozen > math.MaxInt32:
		return fmt.Errorf("the agent says that it froze %d file systems", frozen)
	case frozen < int64(named):
		return fmt.Errorf("the agent froze only %d of the %d file systems that were named", frozen, named)
	case frozen == 0:
		return errors.New("the agent froze no file system")
	}
	return nil
}

// thaw thaws, even if ctx has ended, and even if the agent does not answer for a
// while. It also returns an error if fewer file systems were still frozen.
func thaw(ctx context.Context, c *Client, frozen int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), thawTime)
	defer cancel()
	refusals := 0
	again := false // an earlier attempt may have thawed file systems: then the number thawed now means nothing
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
			return fmt.Errorf("qga: thaw: the file systems are thawed, but it is not known since when: %w", err)
		default:
			refusals++
		}
		if refusals == thawRefusals || !sleep(ctx, c, pause) {
			return fmt.Errorf("qga: thaw: %w: %w", ErrStillFrozen, err)
		}
	}
}

// thawNow sends the command to thaw. Thawing twice does no harm. The command is sent even
// to an agent that does not answer: in a paused machine it executes it when the machine
// runs again.
func thawNow(ctx context.Context, c *Client) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, thawAttempt)
	defer cancel()
	return c.With(qmp.WithoutSync()).GuestFsfreezeThaw(ctx)
}

// isThawed asks the agent for the state of its file systems. In Windows, the agent refuses
// to thaw file systems that have thawed by themselves, but then cleans up.
func isThawed(ctx context.Context, c *Client) bool {
	ctx, cancel := context.WithTimeout(ctx, thawAttempt)
	defer cancel()
	status, err := c.GuestFsfreezeStatus(ctx)
	return err == nil && status == GuestFsfreezeStatusThawed
}

// sleep reports whether it slept for the whole time; false if the connection or ctx ended.
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

package qga

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goqapi/goqapi/qmp"
)

// ErrStillFrozen is wrapped by the error of [WithFrozen] when the guest could not be
// thawed: every process in it that writes hangs, or soon will. What is left to do
// is to connect to the agent anew and to call [Client.GuestFsfreezeThaw].
var ErrStillFrozen = errors.New("the guest's file systems may still be frozen")

// Thawing goes on when everything else has been given up.
const (
	thawTime    = time.Minute      // in all
	thawAttempt = 15 * time.Second // until the agent is asked again
	thawPause   = 100 * time.Millisecond
)

// WithFrozen freezes the guest's file systems, those at the mount points or, if
// that is nil, all, and calls f with how many they are. Then it thaws them: when f
// fails or panics, too, and when ctx has ended meanwhile, for which it takes up to
// a minute. It returns when the guest is thawed, or with [ErrStillFrozen].
//
// An error means that what f did, such as to take a snapshot, is not to be relied
// on: f's own, or that the file systems were thawed while it ran, by somebody else
// or, in Windows, by themselves after some ten seconds. If the agent refuses to
// freeze, as it does when they are frozen already, f is not called and nothing is
// thawed.
func WithFrozen(ctx context.Context, c *Client, mountpoints []string, f func(ctx context.Context, frozen int) error) (err error) {
	frozen, err := freeze(ctx, c, mountpoints)
	if err != nil {
		err = fmt.Errorf("qga: freeze: %w", err)
		if mayBeDone(err) {
			_, thawErr := thaw(ctx, c)
			err = errors.Join(err, thawErr)
		}
		return err
	}
	defer func() {
		thawed, thawErr := thaw(ctx, c)
		if thawErr == nil && thawed == 0 && frozen > 0 {
			thawErr = errors.New("qga: thaw: the file systems were not frozen any more")
		}
		err = errors.Join(err, thawErr)
	}()
	return f(ctx, int(frozen))
}

func freeze(ctx context.Context, c *Client, mountpoints []string) (int64, error) {
	if mountpoints == nil {
		return c.GuestFsfreezeFreeze(ctx)
	}
	return c.GuestFsfreezeFreezeList(ctx, GuestFsfreezeFreezeListArgs{Mountpoints: mountpoints})
}

// mayBeDone reports whether a command may have been executed in spite of an error.
func mayBeDone(err error) bool {
	_, refused := errors.AsType[*qmp.Error](err)
	switch {
	case errors.Is(err, qmp.ErrAbandoned):
		return true
	case refused, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false // it was not sent
	}
	return true
}

// thaw thaws, although ctx may have ended, and though the agent may be away for a
// while. To thaw twice does no harm, but then the count, which is -1, is not known.
func thaw(ctx context.Context, c *Client) (thawed int64, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), thawTime)
	defer cancel()
	for again := false; ; again = true {
		attempt, cancel := context.WithTimeout(ctx, thawAttempt)
		thawed, err = c.GuestFsfreezeThaw(attempt)
		cancel()
		switch {
		case err == nil && again:
			return -1, nil
		case err == nil:
			return thawed, nil
		case ctx.Err() != nil || !comesBack(ctx, c, err):
			return -1, fmt.Errorf("qga: thaw: %w: %w", ErrStillFrozen, err)
		}
	}
}

// comesBack reports whether another attempt may do better than the one that ended
// with err. For a connection that is made again it waits a little.
func comesBack(ctx context.Context, c *Client, err error) bool {
	if !errors.Is(err, qmp.ErrClosed) {
		return errors.Is(err, context.DeadlineExceeded) // of the attempt, or no agent
	}
	pause := time.NewTimer(thawPause)
	defer pause.Stop()
	select {
	case <-pause.C:
		return true
	case <-c.Conn().Done():
	case <-ctx.Done():
	}
	return false
}

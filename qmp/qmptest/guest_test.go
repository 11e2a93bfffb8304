package qmptest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// withAgent runs f in a bubble of synthetic time with a client of a fake agent.
func withAgent(t *testing.T, f func(t *testing.T, c *qga.Client, srv *qmptest.Server), opts ...qmptest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := qmptest.StartAgent(t, opts...)
		conn, err := srv.Dial(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		f(t, qga.NewClient(conn), srv)
	})
}

func requireState(t *testing.T, c *qga.Client, want qga.GuestFsfreezeStatus) {
	t.Helper()
	state, err := c.GuestFsfreezeStatus(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, state)
}

func TestGuestFreezes(t *testing.T) {
	withAgent(t, func(t *testing.T, c *qga.Client, _ *qmptest.Server) {
		requireState(t, c, qga.GuestFsfreezeStatusThawed)
		frozen, err := c.GuestFsfreezeFreeze(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 2, frozen)
		requireState(t, c, qga.GuestFsfreezeStatusFrozen)
		refused := new(qmp.Error)
		_, err = c.GuestFsfreezeFreeze(t.Context())
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, qmp.ClassCommandNotFound, refused.Class)
		time.Sleep(time.Hour)
		thawed, err := c.GuestFsfreezeThaw(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 2, thawed)
		thawed, err = c.GuestFsfreezeThaw(t.Context())
		require.NoError(t, err)
		assert.Zero(t, thawed)

		frozen, err = c.GuestFsfreezeFreezeList(t.Context(), qga.GuestFsfreezeFreezeListArgs{Mountpoints: []string{"/home", "/none"}})
		require.NoError(t, err)
		assert.EqualValues(t, 1, frozen)
		_, err = c.GuestFsfreezeThaw(t.Context())
		require.NoError(t, err)
		frozen, err = c.GuestFsfreezeFreezeList(t.Context(), qga.GuestFsfreezeFreezeListArgs{Mountpoints: []string{"/none"}})
		require.NoError(t, err)
		assert.Zero(t, frozen)
		requireState(t, c, qga.GuestFsfreezeStatusThawed)
	}, qmptest.FileSystems("/", "/home"))
}

func TestWindowsGuest(t *testing.T) {
	withAgent(t, func(t *testing.T, c *qga.Client, _ *qmptest.Server) {
		for _, wait := range []time.Duration{9 * time.Second, 10 * time.Second} {
			_, err := c.GuestFsfreezeFreeze(t.Context())
			require.NoError(t, err)
			time.Sleep(wait)
			requireState(t, c, qga.GuestFsfreezeStatusFrozen)
			_, err = c.GuestFsfreezeThaw(t.Context())
			if wait < 10*time.Second {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, "couldn't hold writes")
			}
			requireState(t, c, qga.GuestFsfreezeStatusThawed)
		}
	}, qmptest.WindowsGuest())
}

func TestPauseGuest(t *testing.T) {
	withAgent(t, func(t *testing.T, c *qga.Client, srv *qmptest.Server) {
		resume := srv.PauseGuest()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.GuestFsfreezeFreeze(ctx)
		require.ErrorIs(t, err, qmp.ErrAbandoned)
		c.Close()
		resume()
		conn, err := srv.Dial(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		requireState(t, qga.NewClient(conn), qga.GuestFsfreezeStatusFrozen) // although its client had left
		srv.PauseGuest()                                                    // the server ends all the same
	})
}

func TestStopAgent(t *testing.T) {
	withAgent(t, func(t *testing.T, c *qga.Client, srv *qmptest.Server) {
		lost := func(when string) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := c.Conn().Execute(ctx, "guest-fsfreeze-freeze", nil, nil)
			require.ErrorIs(t, err, qmp.ErrAbandoned, when)
		}
		srv.PauseGuest()
		lost("written before it was stopped")
		start := srv.StopAgent()
		start()
		requireState(t, c, qga.GuestFsfreezeStatusThawed)
		start = srv.StopAgent()
		lost("written while it was")
		start()
		requireState(t, c, qga.GuestFsfreezeStatusThawed)
	})
}

// TestQEMUAgentFrozen compares the fake agent with a real one while file systems are frozen.
func TestQEMUAgentFrozen(t *testing.T) {
	qemutest.EachAgent(t, func(t *testing.T, a qemutest.Agent) {
		real, err := qga.Dial(t.Context(), "unix:"+a.StartFrozen(t))
		require.NoError(t, err)
		defer real.Close()
		var opts []qmptest.Option
		if a.Release != "" {
			opts = append(opts, qmptest.Release(a.Release))
		}
		srv := qmptest.StartAgent(t, opts...)
		conn, err := srv.Dial(t.Context())
		require.NoError(t, err)
		fake := qga.NewClient(conn)
		defer fake.Close()
		_, err = fake.GuestFsfreezeFreeze(t.Context())
		require.NoError(t, err)
		enabled := func(c *qga.Client) map[string]bool {
			info, err := c.GuestInfo(t.Context())
			require.NoError(t, err)
			is := map[string]bool{}
			for _, command := range info.SupportedCommands {
				is[command.Name] = command.Enabled
			}
			return is
		}
		assert.Equal(t, enabled(real), enabled(fake))
		for _, c := range []*qga.Client{real, fake} {
			_, err := c.GuestGetTime(t.Context())
			refused := new(qmp.Error)
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, qmp.ClassCommandNotFound, refused.Class)
			assert.Contains(t, refused.Desc, "has been disabled")
		}
	})
}

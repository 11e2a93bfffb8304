package qga_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// TestPower has all ends of a command that is not answered when it succeeds.
func TestPower(t *testing.T) {
	down := func(ctx context.Context, c *qga.Client) error { return qga.Shutdown(ctx, c, qga.ShutdownReboot) }
	asleep := func(ctx context.Context, c *qga.Client) error { return qga.Suspend(ctx, c, qga.SuspendRAM) }
	for name, test := range map[string]struct {
		do      func(ctx context.Context, c *qga.Client) error
		prepare func(srv *qmptest.Server)
		takes   time.Duration
		want    string // the error
	}{
		"the agent still answers":                     {down, func(srv *qmptest.Server) { srv.Reply("guest-shutdown") }, 100 * time.Millisecond, ""},
		"the agent of a sleeping guest still answers": {asleep, func(srv *qmptest.Server) { srv.Reply("guest-suspend-ram") }, 100 * time.Millisecond, ""},
		"the machine ends": {down, func(srv *qmptest.Server) {
			srv.Handle("guest-shutdown", func(context.Context, *qmptest.Request) (any, error) {
				srv.PauseGuest()
				time.AfterFunc(3*time.Second, srv.Cut)
				return nil, nil
			})
		}, 3 * time.Second, ""},
		"the agent ends": {down, func(srv *qmptest.Server) {
			srv.Handle("guest-shutdown", func(context.Context, *qmptest.Request) (any, error) {
				srv.StopAgent()
				return nil, nil
			})
		}, 10 * time.Second, ""},
		"the machine sleeps": {asleep, func(srv *qmptest.Server) {
			srv.Handle("guest-suspend-ram", func(context.Context, *qmptest.Request) (any, error) {
				srv.PauseGuest()
				return nil, nil
			})
		}, 10 * time.Second, ""},
		"it is refused": {down, func(srv *qmptest.Server) {
			srv.Fail("guest-shutdown", qmp.ClassGenericError, "inhibited")
		}, 0, "qga: shut down: qmp: guest-shutdown: inhibited"},
		"it is refused late": {asleep, func(srv *qmptest.Server) {
			srv.Fault("guest-suspend-ram", qmptest.Delay(4*time.Second))
			srv.Fail("guest-suspend-ram", qmp.ClassGenericError, "no suspend mode is supported")
		}, 4 * time.Second, "qga: suspend: qmp: guest-suspend-ram: no suspend mode is supported"},
		"no agent runs": {down, func(srv *qmptest.Server) { srv.PauseGuest() }, 20 * time.Second,
			"qga: shut down: qmp: guest-ping: context deadline exceeded: the command was sent, its reply is abandoned"},
	} {
		t.Run(name, func(t *testing.T) {
			withGuest(t, func(t *testing.T, c *qga.Client, srv *qmptest.Server) {
				test.prepare(srv)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				begin := time.Now()
				err := test.do(ctx, c)
				if test.want == "" {
					require.NoError(t, err)
				} else {
					require.EqualError(t, err, test.want)
				}
				assert.Equal(t, test.takes, time.Since(begin))
			})
		})
	}
}

// TestPowerContext ends the context before it is known whether the guest refuses.
func TestPowerContext(t *testing.T) {
	withGuest(t, func(t *testing.T, c *qga.Client, srv *qmptest.Server) {
		srv.Reply("guest-shutdown")
		srv.Fault("guest-shutdown", qmptest.Delay(8*time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := qga.Shutdown(ctx, c, qga.ShutdownHalt)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.True(t, qmp.MayHaveRun(err))
	})
	withGuest(t, func(t *testing.T, c *qga.Client, srv *qmptest.Server) {
		srv.Reply("guest-shutdown")
		time.AfterFunc(time.Millisecond, func() { c.Close() })
		require.ErrorIs(t, qga.Shutdown(t.Context(), c, qga.ShutdownHalt), qmp.ErrClosed, "we closed it")
	})
}

func TestPowerModes(t *testing.T) {
	withGuest(t, func(t *testing.T, c *qga.Client, srv *qmptest.Server) {
		for _, command := range []string{"guest-shutdown", "guest-suspend-disk", "guest-suspend-ram", "guest-suspend-hybrid"} {
			srv.Reply(command)
		}
		for _, mode := range []qga.ShutdownMode{qga.ShutdownPowerdown, qga.ShutdownHalt, qga.ShutdownReboot} {
			require.NoError(t, qga.Shutdown(t.Context(), c, mode))
		}
		for _, mode := range []qga.SuspendMode{qga.SuspendDisk, qga.SuspendRAM, qga.SuspendHybrid} {
			require.NoError(t, qga.Suspend(t.Context(), c, mode))
		}
		require.EqualError(t, qga.Suspend(t.Context(), c, "tape"), `qga: suspend: unknown mode "tape"`)
		var got []string
		for _, call := range srv.Calls() {
			if call.Command != "guest-ping" {
				got = append(got, call.Command+string(call.Arguments))
			}
		}
		assert.Equal(t, []string{
			`guest-shutdown{"mode":"powerdown"}`, `guest-shutdown{"mode":"halt"}`, `guest-shutdown{"mode":"reboot"}`,
			"guest-suspend-disk", "guest-suspend-ram", "guest-suspend-hybrid",
		}, got)
	})
}

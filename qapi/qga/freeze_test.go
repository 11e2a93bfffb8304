package qga_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

const (
	freezeAll = "guest-fsfreeze-freeze"
	thaw      = "guest-fsfreeze-thaw"
	status    = "guest-fsfreeze-status"
)

// freezer returns the answers of an agent with two file systems.
func freezer() map[string]answer {
	return map[string]answer{
		freezeAll:                    reply(2),
		"guest-fsfreeze-freeze-list": reply(1),
		thaw:                         reply(2),
	}
}

func ok(context.Context, int) error { return nil }

func TestWithFrozen(t *testing.T) {
	withFake(t, freezer(), func(t *testing.T, c *qga.Client, a *fakeAgent) {
		count := 0
		err := qga.WithFrozen(t.Context(), c, nil, func(_ context.Context, frozen int) error {
			count = frozen
			assert.Equal(t, []string{freezeAll}, a.commands(), "not thawed yet")
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, 2, count)
		assert.Equal(t, []string{freezeAll, thaw}, a.commands())
		require.NoError(t, qga.WithFrozen(t.Context(), c, []string{"/"}, ok))
		assert.Equal(t, `guest-fsfreeze-freeze-list{"mountpoints":["/"]}`, a.commands()[2])
	})
}

// TestFrozenThaws checks that the guest is thawed whatever f does.
func TestFrozenThaws(t *testing.T) {
	thawed := func(t *testing.T, a *fakeAgent) {
		t.Helper()
		assert.Equal(t, []string{freezeAll, thaw}, a.commands())
	}
	t.Run("it fails", func(t *testing.T) {
		withFake(t, freezer(), func(t *testing.T, c *qga.Client, a *fakeAgent) {
			failed := errors.New("no snapshot")
			err := qga.WithFrozen(t.Context(), c, nil, func(context.Context, int) error { return failed })
			require.ErrorIs(t, err, failed)
			thawed(t, a)
		})
	})
	t.Run("it panics", func(t *testing.T) {
		withFake(t, freezer(), func(t *testing.T, c *qga.Client, a *fakeAgent) {
			assert.PanicsWithValue(t, "oh", func() {
				_ = qga.WithFrozen(t.Context(), c, nil, func(context.Context, int) error { panic("oh") })
			})
			thawed(t, a)
		})
	})
	t.Run("ctx ends", func(t *testing.T) {
		withFake(t, freezer(), func(t *testing.T, c *qga.Client, a *fakeAgent) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := qga.WithFrozen(ctx, c, nil, func(ctx context.Context, _ int) error {
				<-ctx.Done()
				return ctx.Err()
			})
			require.ErrorIs(t, err, context.DeadlineExceeded)
			thawed(t, a)
		})
	})
	t.Run("freezing takes too long", func(t *testing.T) {
		answers := freezer()
		answers[freezeAll] = func(json.RawMessage) any {
			time.Sleep(8 * time.Second)
			return 2
		}
		withFake(t, answers, func(t *testing.T, c *qga.Client, a *fakeAgent) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := qga.WithFrozen(ctx, c, nil, func(context.Context, int) error { panic("called") })
			require.ErrorIs(t, err, qmp.ErrAbandoned)
			thawed(t, a)
		})
	})
}

// TestFrozenAgentAway has an agent that does not answer for a while when it is
// asked to thaw.
func TestFrozenAgentAway(t *testing.T) {
	answers := freezer()
	answers[thaw] = inTurn(silence{}, silence{}, 0)
	withFake(t, answers, func(t *testing.T, c *qga.Client, a *fakeAgent) {
		require.NoError(t, qga.WithFrozen(t.Context(), c, nil, ok), "what the first attempts did is not known")
		assert.Equal(t, []string{freezeAll, thaw, thaw, thaw}, a.commands())
	})
	answers[thaw] = reply(silence{})
	withFake(t, answers, func(t *testing.T, c *qga.Client, a *fakeAgent) {
		begin := time.Now()
		err := qga.WithFrozen(t.Context(), c, nil, ok)
		require.ErrorIs(t, err, qga.ErrStillFrozen)
		assert.Equal(t, time.Minute, time.Since(begin))
	})
}

// A dialer that connects to a fake agent, any number of times.
type toFake struct{ a *fakeAgent }

func (d toFake) DialContext(context.Context, string, string) (net.Conn, error) {
	return d.a.Pipe(), nil
}

// TestFrozenReconnect loses the connection at the command to thaw, and connects again.
func TestFrozenReconnect(t *testing.T) {
	answers := freezer()
	withFake(t, answers, func(t *testing.T, _ *qga.Client, a *fakeAgent) {
		thaws := 0
		a.Handle(thaw, func(context.Context, *qmptest.Request) (any, error) {
			if thaws++; thaws <= 2 {
				a.Cut()
				return nil, qmptest.ErrNoReply
			}
			return 2, nil
		})
		for name, cfg := range map[string]qmp.Reconnect{"patient": {}, "fail fast": {FailFast: true}} {
			thaws = 0
			c, err := qga.Dial(t.Context(), "unix:agent", qmp.WithDialer(toFake{a}), qmp.WithReconnect(cfg))
			require.NoError(t, err, name)
			require.NoError(t, qga.WithFrozen(t.Context(), c, nil, ok), name)
			assert.Equal(t, 3, thaws, name)
			c.Close()
		}
	})
	withFake(t, freezer(), func(t *testing.T, c *qga.Client, a *fakeAgent) {
		a.Handle(thaw, func(context.Context, *qmptest.Request) (any, error) {
			a.Cut()
			return nil, qmptest.ErrNoReply
		})
		require.ErrorIs(t, qga.WithFrozen(t.Context(), c, nil, ok), qga.ErrStillFrozen, "not made again")
	})
}

func TestFrozenFails(t *testing.T) {
	t.Run("it is refused", func(t *testing.T) {
		answers := freezer()
		answers[freezeAll] = reply(refusal(qmp.ClassGenericError))
		withFake(t, answers, func(t *testing.T, c *qga.Client, a *fakeAgent) {
			err := qga.WithFrozen(t.Context(), c, nil, func(context.Context, int) error { panic("called") })
			require.EqualError(t, err, "qga: freeze: qmp: guest-fsfreeze-freeze: no")
			assert.Equal(t, []string{freezeAll}, a.commands(), "somebody else may have frozen")
		})
	})
	t.Run("it is never sent", func(t *testing.T) {
		withFake(t, freezer(), func(t *testing.T, c *qga.Client, a *fakeAgent) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			require.ErrorIs(t, qga.WithFrozen(ctx, c, nil, ok), context.Canceled)
			assert.Empty(t, a.commands())
		})
	})
	t.Run("the reply makes no sense", func(t *testing.T) {
		answers := freezer()
		answers[freezeAll] = reply("two")
		withFake(t, answers, func(t *testing.T, c *qga.Client, a *fakeAgent) {
			require.ErrorContains(t, qga.WithFrozen(t.Context(), c, nil, ok), "a number is expected")
			assert.Equal(t, []string{freezeAll, thaw}, a.commands())
		})
	})
	for _, left := range []int{0, 1, -1} {
		t.Run(fmt.Sprintf("somebody else thaws all but %d", left), func(t *testing.T) {
			answers := freezer()
			answers[thaw] = reply(left)
			withFake(t, answers, func(t *testing.T, c *qga.Client, _ *fakeAgent) {
				err := qga.WithFrozen(t.Context(), c, nil, ok)
				require.EqualError(t, err, fmt.Sprintf("qga: thaw: only %d of 2 file systems were still frozen", left))
			})
		})
	}
	t.Run("thawing is refused", func(t *testing.T) {
		answers := freezer()
		answers[thaw] = reply(refusal(qmp.ClassGenericError))
		answers[status] = reply("frozen")
		withFake(t, answers, func(t *testing.T, c *qga.Client, a *fakeAgent) {
			err := qga.WithFrozen(t.Context(), c, nil, ok)
			require.ErrorIs(t, err, qga.ErrStillFrozen)
			require.ErrorAs(t, err, new(*qmp.Error))
			assert.Equal(t, []string{freezeAll, thaw, status, thaw, status, thaw, status}, a.commands())
		})
	})
	t.Run("thawing is refused, and nothing is said of the state", func(t *testing.T) {
		answers := freezer()
		answers[thaw] = reply(refusal(qmp.ClassGenericError))
		answers[status] = reply(refusal(qmp.ClassCommandNotFound))
		withFake(t, answers, func(t *testing.T, c *qga.Client, _ *fakeAgent) {
			require.ErrorIs(t, qga.WithFrozen(t.Context(), c, nil, ok), qga.ErrStillFrozen)
		})
	})
	t.Run("thawing is refused twice", func(t *testing.T) {
		answers := freezer()
		answers[thaw] = inTurn(refusal(qmp.ClassGenericError), "nonsense", 2)
		answers[status] = inTurn("frozen", "a state that is not known")
		withFake(t, answers, func(t *testing.T, c *qga.Client, a *fakeAgent) {
			require.NoError(t, qga.WithFrozen(t.Context(), c, nil, ok))
			assert.Equal(t, []string{freezeAll, thaw, status, thaw, status, thaw}, a.commands())
		})
	})
	t.Run("the connection is cut", func(t *testing.T) {
		withFake(t, freezer(), func(t *testing.T, c *qga.Client, a *fakeAgent) {
			err := qga.WithFrozen(t.Context(), c, nil, func(context.Context, int) error { a.Cut(); return nil })
			require.ErrorIs(t, err, qga.ErrStillFrozen)
			require.ErrorIs(t, err, qmp.ErrClosed)
		})
	})
}

// TestFrozenTooFew checks that f is not called when fewer file systems were frozen than asked for.
func TestFrozenTooFew(t *testing.T) {
	for _, test := range []struct {
		mountpoints []string
		frozen      int64
		want        string
	}{
		{nil, 0, "qga: freeze: the agent froze no file system"},
		{nil, -1, "qga: freeze: the agent says that it froze -1 file systems"},
		{nil, 1 << 32, "qga: freeze: the agent says that it froze 4294967296 file systems"},
		{[]string{"/", "/home"}, 1, "qga: freeze: the agent froze only 1 of the 2 file systems that were named"},
		{[]string{"/home", "/", "/home"}, 1, "qga: freeze: the agent froze only 1 of the 2 file systems that were named"},
		{[]string{"/home"}, 0, "qga: freeze: the agent froze only 0 of the 1 file systems that were named"},
		{[]string{"/", "/"}, 1, ""},
	} {
		answers := map[string]answer{
			freezeAll: reply(test.frozen), "guest-fsfreeze-freeze-list": reply(test.frozen), thaw: reply(max(test.frozen, 0)),
		}
		withFake(t, answers, func(t *testing.T, c *qga.Client, a *fakeAgent) {
			err := qga.WithFrozen(t.Context(), c, test.mountpoints, func(context.Context, int) error {
				assert.Empty(t, test.want, "it is called")
				return nil
			})
			if test.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, test.want)
			}
			assert.Equal(t, 1, a.Count(thaw))
		})
	}
	withGuest(t, func(t *testing.T, c *qga.Client, srv *qmptest.Server) {
		require.ErrorContains(t, qga.WithFrozen(t.Context(), c, []string{}, ok), "the list of mount points is empty")
		assert.Empty(t, srv.Calls())
		require.ErrorContains(t, qga.WithFrozen(t.Context(), c, []string{"/", "/nowhere"}, ok), "1 of the 2")
		require.NoError(t, qga.WithFrozen(t.Context(), c, []string{"/"}, ok))
	})
}

// TestFrozenNotSent has a command to freeze that no agent receives: there is nothing to thaw.
func TestFrozenNotSent(t *testing.T) {
	t.Run("the agent is silent", func(t *testing.T) {
		withGuest(t, func(t *testing.T, c *qga.Client, srv *qmptest.Server) {
			resume := srv.PauseGuest()
			defer resume()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			require.ErrorIs(t, c.GuestPing(ctx), qmp.ErrAbandoned)
			ctx, cancel = context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			begin := time.Now()
			err := qga.WithFrozen(ctx, c, nil, ok)
			require.ErrorIs(t, err, qmp.ErrNotSent)
			require.NotErrorIs(t, err, qga.ErrStillFrozen)
			assert.Equal(t, time.Second, time.Since(begin))
			assert.Zero(t, srv.Count(freezeAll)+srv.Count(thaw))
		})
	})
	t.Run("no agent answers", func(t *testing.T) {
		withGuest(t, func(t *testing.T, c *qga.Client, srv *qmptest.Server) {
			defer srv.PauseGuest()()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			require.ErrorIs(t, c.GuestPing(ctx), qmp.ErrAbandoned)
			begin := time.Now()
			err := qga.WithFrozen(t.Context(), c, nil, ok)
			require.ErrorIs(t, err, qmp.ErrNoAgent)
			require.NotErrorIs(t, err, qga.ErrStillFrozen)
			assert.Equal(t, 10*time.Second, time.Since(begin))
			assert.Zero(t, srv.Count(freezeAll)+srv.Count(thaw))
		})
	})
	t.Run("there is no connection", func(t *testing.T) {
		withFake(t, freezer(), func(t *testing.T, _ *qga.Client, a *fakeAgent) {
			c, err := qga.Dial(t.Context(), "unix:agent", qmp.WithDialer(&once{toFake{a}, false}),
				qmp.WithReconnect(qmp.Reconnect{FailFast: true}))
			require.NoError(t, err)
			defer c.Close()
			a.Cut()
			synctest.Wait()
			begin := time.Now()
			err = qga.WithFrozen(t.Context(), c, nil, ok)
			require.ErrorIs(t, err, qmp.ErrNotSent)
			require.NotErrorIs(t, err, qga.ErrStillFrozen)
			assert.Zero(t, time.Since(begin))
		})
	})
}

// A dialer that connects only once.
type once struct {
	toFake
	used bool
}

func (d *once) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.used {
		return nil, errors.New("nobody listens")
	}
	d.used = true
	return d.toFake.DialContext(ctx, network, addr)
}

// TestFrozenWindows has a freeze that ends by itself.
func TestFrozenWindows(t *testing.T) {
	withGuest(t, func(t *testing.T, c *qga.Client, srv *qmptest.Server) {
		err := qga.WithFrozen(t.Context(), c, nil, func(context.Context, int) error {
			time.Sleep(9 * time.Second)
			return nil
		})
		require.NoError(t, err)
		err = qga.WithFrozen(t.Context(), c, nil, func(context.Context, int) error {
			time.Sleep(11 * time.Second)
			return nil
		})
		require.NotErrorIs(t, err, qga.ErrStillFrozen)
		refused := new(qmp.Error)
		require.ErrorAs(t, err, &refused)
		assert.Contains(t, refused.Desc, "couldn't hold writes")
		assert.ErrorContains(t, err, "qga: thaw: the file systems are thawed, but it is not known since when: qmp: guest-fsfreeze-thaw: ")
		assert.Equal(t, 2, srv.Count(thaw))
	}, qmptest.WindowsGuest())
}

// TestFrozenPaused pauses the machine while its file systems are frozen: they are
// thawed when it runs again.
func TestFrozenPaused(t *testing.T) {
	withGuest(t, func(t *testing.T, c *qga.Client, srv *qmptest.Server) {
		var resume func()
		begin := time.Now()
		err := qga.WithFrozen(t.Context(), c, nil, func(context.Context, int) error {
			resume = srv.PauseGuest()
			return nil
		})
		require.ErrorIs(t, err, qga.ErrStillFrozen)
		assert.Equal(t, time.Minute, time.Since(begin))
		resume()
		state, err := c.GuestFsfreezeStatus(t.Context())
		require.NoError(t, err)
		assert.Equal(t, qga.GuestFsfreezeStatusThawed, state)
	})
}

// TestFrozenPausedBefore pauses the machine before its file systems are frozen: when it
// runs again, they are frozen and thawed.
func TestFrozenPausedBefore(t *testing.T) {
	withGuest(t, func(t *testing.T, c *qga.Client, srv *qmptest.Server) {
		resume := srv.PauseGuest()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := qga.WithFrozen(ctx, c, nil, ok)
		require.ErrorIs(t, err, qmp.ErrAbandoned)
		require.ErrorIs(t, err, qga.ErrStillFrozen)
		resume()
		state, err := c.GuestFsfreezeStatus(t.Context())
		require.NoError(t, err)
		assert.Equal(t, qga.GuestFsfreezeStatusThawed, state)
		assert.Equal(t, 1, srv.Count(freezeAll))
		assert.Positive(t, srv.Count(thaw))
	})
}

// TestFrozenRestart has an agent that does not run for a while when it should thaw: the
// commands that are sent meanwhile are lost.
func TestFrozenRestart(t *testing.T) {
	withGuest(t, func(t *testing.T, c *qga.Client, srv *qmptest.Server) {
		begin := time.Now()
		err := qga.WithFrozen(t.Context(), c, nil, func(context.Context, int) error {
			time.AfterFunc(20*time.Second, srv.StopAgent())
			return nil
		})
		require.NoError(t, err, "how many the first attempt thawed is not known")
		assert.Less(t, time.Since(begin), time.Minute)
		state, err := c.GuestFsfreezeStatus(t.Context())
		require.NoError(t, err)
		assert.Equal(t, qga.GuestFsfreezeStatusThawed, state)
	})
}

package qga_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"testing"
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
)

// freezer are the answers of an agent with two file systems.
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

// TestFrozenThaws holds that the guest is thawed whatever f does.
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

// A dialer that leads to a fake agent, however often.
type toFake struct{ a *fakeAgent }

func (d toFake) DialContext(context.Context, string, string) (net.Conn, error) {
	return d.a.Pipe(), nil
}

// TestFrozenReconnect loses the connection when it is to thaw, which is made again.
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
	t.Run("somebody else thaws", func(t *testing.T) {
		answers := freezer()
		answers[thaw] = reply(0)
		withFake(t, answers, func(t *testing.T, c *qga.Client, _ *fakeAgent) {
			err := qga.WithFrozen(t.Context(), c, nil, ok)
			require.EqualError(t, err, "qga: thaw: the file systems were not frozen any more")
		})
	})
	t.Run("thawing is refused", func(t *testing.T) {
		answers := freezer()
		answers[thaw] = reply(refusal(qmp.ClassGenericError))
		withFake(t, answers, func(t *testing.T, c *qga.Client, _ *fakeAgent) {
			require.ErrorIs(t, qga.WithFrozen(t.Context(), c, nil, ok), qga.ErrStillFrozen)
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

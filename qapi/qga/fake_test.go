package qga_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// A fakeAgent answers commands as a test wants, even as no real agent would.
type fakeAgent struct{ *qmptest.Server }

// An answer makes the reply to a command: a value, an *qmp.Error, or silence.
type answer func(args json.RawMessage) any

// silence is for a command that is not answered.
type silence struct{}

// reply returns an answer that is always the same.
func reply(v any) answer { return func(json.RawMessage) any { return v } }

// inTurn returns an answer that gives one reply after the other, the last one again and again.
func inTurn(replies ...any) answer {
	return func(json.RawMessage) any {
		v := replies[0]
		if len(replies) > 1 {
			replies = replies[1:]
		}
		return v
	}
}

func refusal(class string) *qmp.Error { return &qmp.Error{Class: class, Desc: "no"} }

// withFake runs f in a bubble of synthetic time with a client of a fake agent.
func withFake(t *testing.T, answers map[string]answer, f func(t *testing.T, c *qga.Client, a *fakeAgent)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := &fakeAgent{qmptest.StartAgent(t, qmptest.Unchecked())}
		for command, answer := range answers {
			a.Handle(command, func(_ context.Context, req *qmptest.Request) (any, error) {
				switch v := answer(req.Arguments).(type) {
				case silence:
					return nil, qmptest.ErrNoReply
				case *qmp.Error:
					return nil, v
				default:
					return v, nil
				}
			})
		}
		conn, err := a.Dial(t.Context(), qmp.WithEventError(func(err error) { assert.NoError(t, err) }))
		require.NoError(t, err)
		defer conn.Close()
		f(t, qga.NewClient(conn), a)
	})
}

// commands returns the commands that the agent was given, with their arguments.
func (a *fakeAgent) commands() []string {
	var all []string
	for _, call := range a.Calls() {
		all = append(all, call.Command+string(call.Arguments))
	}
	return all
}

// withGuest runs f in a bubble of synthetic time with a client of a fake agent that
// plays its guest's file systems as well.
func withGuest(t *testing.T, f func(t *testing.T, c *qga.Client, srv *qmptest.Server), opts ...qmptest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := qmptest.StartAgent(t, opts...)
		conn, err := srv.Dial(t.Context(), qmp.WithEventError(func(err error) { assert.NoError(t, err) }))
		require.NoError(t, err)
		defer conn.Close()
		f(t, qga.NewClient(conn), srv)
	})
}

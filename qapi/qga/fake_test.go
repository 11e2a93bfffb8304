package qga_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
)

// A fakeAgent answers commands as a test tells it to. It executes one at a time,
// in order, as agents do.
type fakeAgent struct {
	conn    net.Conn
	answers map[string]answer

	mu  sync.Mutex
	log []string // the commands, with their arguments
}

// An answer makes the reply to a command: a value, an *qmp.Error, or silence.
type answer func(args json.RawMessage) any

// silence is for a command that is not answered.
type silence struct{}

// reply is the answer that is always the same.
func reply(v any) answer { return func(json.RawMessage) any { return v } }

// in turn gives one reply after the other, the last one again and again.
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
		ours, theirs := net.Pipe()
		a := &fakeAgent{conn: theirs, answers: answers}
		var served sync.WaitGroup
		served.Go(func() { a.serve(t) })
		conn, err := qmp.NewAgentConn(t.Context(), ours, qmp.WithEventError(func(err error) { t.Error(err) }))
		require.NoError(t, err)
		defer served.Wait()
		defer conn.Close()
		f(t, qga.NewClient(conn), a)
	})
}

// unmarked reads a stream without the marks of synchronisations.
type unmarked struct{ io.Reader }

func (u unmarked) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	return copy(p, slices.DeleteFunc(p[:n], func(c byte) bool { return c == 0xFF })), err
}

func (a *fakeAgent) serve(t *testing.T) {
	in := json.NewDecoder(unmarked{a.conn})
	for {
		var request struct {
			Execute   string
			Arguments json.RawMessage
			ID        json.RawMessage
		}
		if err := in.Decode(&request); err != nil {
			a.conn.Close()
			return
		}
		message := map[string]any{}
		if request.ID != nil {
			message["id"] = request.ID
		}
		mark := ""
		if request.Execute == "guest-sync-delimited" {
			var args struct{ ID int64 }
			assert.NoError(t, json.Unmarshal(request.Arguments, &args))
			message["return"], mark = args.ID, "\xff"
		} else {
			a.mu.Lock()
			a.log = append(a.log, request.Execute+string(request.Arguments))
			a.mu.Unlock()
			answer := a.answers[request.Execute]
			if answer == nil {
				answer = reply(refusal(qmp.ClassCommandNotFound))
			}
			switch v := answer(request.Arguments).(type) {
			case silence:
				continue
			case *qmp.Error:
				message["error"] = map[string]string{"class": v.Class, "desc": v.Desc}
			default:
				message["return"] = v
			}
		}
		text, err := json.Marshal(message)
		assert.NoError(t, err)
		fmt.Fprintf(a.conn, "%s%s\n", mark, text) // who has gone needs no answer
	}
}

// commands are those that the agent was given.
func (a *fakeAgent) commands() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.log)
}

package qmp

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
)

type traceKey struct{}

// Each call is reported once, in the goroutine that made it, however it ends.
func TestTrace(t *testing.T) {
	var reported []string
	trace := Trace{
		Call: func(ctx context.Context, command string) func(CallInfo) {
			if ctx.Value(traceKey{}) != nil {
				command += " of " + ctx.Value(traceKey{}).(string)
			}
			return func(c CallInfo) {
				text := fmt.Sprintf("%s: id %d, waited %v, took %v, %d and %d bytes, %s, %s",
					command, c.ID, c.Sent.Sub(c.Start), c.End.Sub(c.Start), c.RequestSize, c.ReplySize, c.Request, c.Reply)
				if c.OutOfBand {
					text += ", oob"
				}
				if c.Sent.IsZero() {
					text = command + ": not sent"
				}
				if c.Err != nil {
					text += ", " + c.Err.Error()
				}
				reported = append(reported, text)
			}
		},
		Connected: func(g Greeting) { reported = append(reported, "connected to "+g.Version.String()) },
		Closed:    func(err error) { reported = append(reported, "closed: "+err.Error()) },
		Payloads:  true,
	}
	calls := 0
	counting := Trace{Call: func(context.Context, string) func(CallInfo) { calls++; return nil }}
	expect := func(t *testing.T, lines ...string) {
		t.Helper()
		unique := regexp.MustCompile(`\b[0-9]{16,}\b`)
		assert.Equal(t, strings.Join(lines, "\n"), unique.ReplaceAllString(strings.Join(reported, "\n"), "#"), "reported")
		reported = nil
	}
	bubble(t, func(t *testing.T, p pair) {
		expect(t,
			`qmp_capabilities: id #, waited 0s, took 0s, 83 and 2 bytes, {"execute":"qmp_capabilities","arguments":{"enable":["oob"]},"id":#}, {}`,
			"connected to 11.1.3 (test)")
		var n int
		ctx := context.WithValue(t.Context(), traceKey{}, "me")
		done := async(func() error { return p.Execute(ctx, "query-n", nil, &n) })
		r := p.peer.next()
		time.Sleep(time.Second)
		p.peer.answer(r, "5")
		assert.NoError(t, returned(t, "query-n", done))
		expect(t, `query-n of me: id 1, waited 0s, took 1s, 28 and 1 bytes, {"execute":"query-n","id":1}, 5`)

		oob := async(func() error { return p.With(OutOfBand()).Execute(t.Context(), "yank", nil, nil) })
		p.peer.send("{\"id\": %s, \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\n", p.peer.next().ID)
		assert.Error(t, returned(t, "yank", oob))
		expect(t, `yank: id 1, waited 0s, took 0s, 26 and 39 bytes, {"exec-oob":"yank","id":1}, {"class": "GenericError", "desc": "no"}, oob, qmp: yank: no`)

		assert.Error(t, p.Execute(t.Context(), "bad", func() {}, nil), "a function is not an argument")
		expect(t, "bad: not sent, qmp: bad: arguments: the Go type func() cannot be encoded or decoded as JSON")

		p.Go(t.Context(), "bad", 5, nil, func(error) {})
		assert.NoError(t, p.WaitIdle(t.Context()))
		expect(t, "bad: not sent, qmp: bad: arguments: int is not a JSON object, but 5")

		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done = async(func() error { return p.Execute(short, "slow", nil, nil) })
		r = p.peer.next()
		assert.ErrorIs(t, returned(t, "slow", done), ErrAbandoned)
		p.peer.answer(r, "{}")
		expect(t, `slow: id 1, waited 0s, took 1s, 25 and 0 bytes, {"execute":"slow","id":1}, , `+
			"qmp: slow: context deadline exceeded: the command was sent, its reply is abandoned")

		message := async(func() error { _, err := p.RoundTrip(t.Context(), []byte(`{"execute":"x"}`)); return err })
		p.peer.answer(p.peer.next(), "{}")
		assert.NoError(t, returned(t, "message", message))
		expect(t, `: id 0, waited 0s, took 0s, 15 and 14 bytes, {"execute":"x"}, {"return": {}}`)

		p.Go(t.Context(), "query-n", nil, &n, func(error) { reported = append(reported, "the callback") })
		p.peer.answer(p.peer.next(), "6")
		assert.NoError(t, p.WaitIdle(t.Context()))
		expect(t, `query-n: id 1, waited 0s, took 0s, 28 and 1 bytes, {"execute":"query-n","id":1}, 6`, "the callback")

		p.peer.rw.Close()
		synctest.Wait()
		expect(t, "closed: qmp: connection closed by the server")
		assert.Equal(t, 8, calls, "calls that the second trace got")
	}, WithTrace(trace), WithTrace(counting), WithOOB())
}

// A call is reported when it is sent, so that one without a reply is seen, too.
func TestTraceSent(t *testing.T) {
	var mu sync.Mutex
	var reported []string
	report := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		reported = append(reported, fmt.Sprintf(format, args...))
	}
	expect := func(t *testing.T, lines ...string) {
		t.Helper()
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		unique := regexp.MustCompile(`\b[0-9]{16,}\b`)
		assert.Equal(t, strings.Join(lines, "\n"), unique.ReplaceAllString(strings.Join(reported, "\n"), "#"), "reported")
		reported = nil
	}
	trace := func() Trace {
		return Trace{
			Call: func(_ context.Context, command string) func(CallInfo) {
				if command == "secret" {
					return nil
				}
				return func(c CallInfo) { report("%s has ended", c.Command) }
			},
			Sent: func(ctx context.Context, c CallInfo) {
				report("%s is sent with id %d by %v after %v: %s, %d bytes", c.Command, c.ID, ctx.Value(traceKey{}), c.Sent.Sub(c.Start), c.Request, c.RequestSize)
			},
			Payloads: true,
		}
	}
	simple := Trace{Sent: func(_ context.Context, c CallInfo) {
		if c.Command == "b" {
			panic("at the disco")
		}
	}}
	panics := 0
	bubble(t, func(t *testing.T, p pair) {
		expect(t, `qmp_capabilities is sent with id # by <nil> after 0s: {"execute":"qmp_capabilities","id":#}, 52 bytes`, "qmp_capabilities has ended")
		ctx := context.WithValue(t.Context(), traceKey{}, "me")
		p.Go(ctx, "a", nil, nil, func(error) { report("callback of a") })
		p.Go(t.Context(), "b", nil, nil, func(error) {})
		p.Go(t.Context(), "secret", nil, nil, func(error) {})
		synctest.Wait() // Sent is called on a goroutine of its own
		assert.Error(t, p.Execute(t.Context(), "bad", 5, nil))
		requests := []request{p.peer.next(), p.peer.next(), p.peer.next()}
		expect(t,
			`a is sent with id 0 by me after 0s: {"execute":"a"}, 15 bytes`,
			"bad has ended", // before b, which is sent when a has been read
			`b is sent with id 1 by <nil> after 0s: {"execute":"b","id":1}, 22 bytes`)
		for _, r := range requests {
			p.peer.answer(r, "{}")
		}
		expect(t, "a has ended", "callback of a", "b has ended")
		assert.Equal(t, 1, panics, "panics")
	}, WithTraceFunc(trace), WithTraceFunc(nil), WithTrace(simple), WithWorkers(1), WithPanicHandler(func(any, []byte) { panics++ }))
}

// Many calls at once are reported in the order of the wire, each before its end.
func TestTraceSentOrder(t *testing.T) {
	const calls = 200
	var mu sync.Mutex
	var order []string
	ended := map[string]bool{}
	trace := Trace{
		Call: func(context.Context, string) func(CallInfo) {
			return func(c CallInfo) {
				mu.Lock()
				defer mu.Unlock()
				ended[c.Command] = true
			}
		},
		Sent: func(_ context.Context, c CallInfo) {
			mu.Lock()
			defer mu.Unlock()
			assert.False(t, ended[c.Command], "%s had ended", c.Command)
			order = append(order, c.Command)
		},
	}
	bubble(t, func(t *testing.T, p pair) {
		for i := range calls {
			go func() { _ = p.Execute(t.Context(), fmt.Sprint("c", i), nil, nil) }()
		}
		var want []string
		for range calls {
			r := p.peer.next()
			want = append(want, r.Execute)
			p.peer.answer(r, "{}")
		}
		assert.NoError(t, p.WaitIdle(t.Context()))
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		assert.Empty(t, cmp.Diff(want, order[1:]), "sent (-), reported (+)")
		assert.Len(t, ended, calls+1)
	}, WithTrace(trace))
}

package qmp

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type traceKey struct{}

// Each call is told of once, in the goroutine that made it, whichever way it ends.
func TestTrace(t *testing.T) {
	var told []string
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
				told = append(told, text)
			}
		},
		Connected: func(g Greeting) { told = append(told, "connected to "+g.Version.String()) },
		Closed:    func(err error) { told = append(told, "closed: "+err.Error()) },
		Payloads:  true,
	}
	calls := 0
	counting := Trace{Call: func(context.Context, string) func(CallInfo) { calls++; return nil }}
	expect := func(t *testing.T, lines ...string) {
		t.Helper()
		unique := regexp.MustCompile(`\b[0-9]{16,}\b`)
		if got, want := unique.ReplaceAllString(strings.Join(told, "\n"), "#"), strings.Join(lines, "\n"); got != want {
			t.Errorf("told:\n%s\nwant:\n%s", got, want)
		}
		told = nil
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
		if err := returned(t, "query-n", done); err != nil {
			t.Error(err)
		}
		expect(t, `query-n of me: id 1, waited 0s, took 1s, 28 and 1 bytes, {"execute":"query-n","id":1}, 5`)

		oob := async(func() error { return p.With(OutOfBand()).Execute(t.Context(), "yank", nil, nil) })
		p.peer.send("{\"id\": %s, \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\n", p.peer.next().ID)
		if err := returned(t, "yank", oob); err == nil {
			t.Error("no error")
		}
		expect(t, `yank: id 1, waited 0s, took 0s, 26 and 39 bytes, {"exec-oob":"yank","id":1}, {"class": "GenericError", "desc": "no"}, oob, qmp: yank: no`)

		if err := p.Execute(t.Context(), "bad", func() {}, nil); err == nil {
			t.Error("a function is no argument")
		}
		expect(t, "bad: not sent, qmp: bad: arguments: the Go type func() has no JSON")

		p.Go(t.Context(), "bad", 5, nil, func(error) {})
		if err := p.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		expect(t, "bad: not sent, qmp: bad: arguments: int is not a JSON object, but 5")

		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done = async(func() error { return p.Execute(short, "slow", nil, nil) })
		r = p.peer.next()
		if err := returned(t, "slow", done); !errors.Is(err, ErrAbandoned) {
			t.Error(err)
		}
		p.peer.answer(r, "{}")
		expect(t, `slow: id 1, waited 0s, took 1s, 25 and 0 bytes, {"execute":"slow","id":1}, , `+
			"qmp: slow: context deadline exceeded: the command was sent, its reply is abandoned")

		message := async(func() error { _, err := p.RoundTrip(t.Context(), []byte(`{"execute":"x"}`)); return err })
		p.peer.answer(p.peer.next(), "{}")
		if err := returned(t, "message", message); err != nil {
			t.Error(err)
		}
		expect(t, `: id 0, waited 0s, took 0s, 15 and 14 bytes, {"execute":"x"}, {"return": {}}`)

		p.Go(t.Context(), "query-n", nil, &n, func(error) { told = append(told, "the callback") })
		p.peer.answer(p.peer.next(), "6")
		if err := p.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		expect(t, `query-n: id 1, waited 0s, took 0s, 28 and 1 bytes, {"execute":"query-n","id":1}, 6`, "the callback")

		p.peer.rw.Close()
		synctest.Wait()
		expect(t, "closed: qmp: connection closed by the server")
		if calls != 8 {
			t.Errorf("the second trace was told of %d calls", calls)
		}
	}, WithTrace(trace), WithTrace(counting), WithOOB())
}

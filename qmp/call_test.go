package qmp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

type status struct {
	Status  string `json:"status"`
	Running bool   `json:"running"`
}

func TestExecute(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		var got status
		done := async(func() error { return p.Execute(t.Context(), "query-status", nil, &got) })
		p.peer.answer(p.peer.expect(`{"execute":"query-status"}`), `{"status": "running", "running": true, "new": [1]}`)
		if err := returned(t, "Execute", done); err != nil {
			t.Fatal(err)
		}
		if want := (status{"running", true}); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
		var raw json.RawMessage
		done = async(func() error { return p.Execute(t.Context(), "x", nil, &raw) })
		p.peer.answer(p.peer.next(), `{"a":  18446744073709551615}`)
		if err := returned(t, "Execute", done); err != nil || string(raw) != `{"a":  18446744073709551615}` {
			t.Errorf("raw: %s, %v", raw, err)
		}
	})
}

func TestRequestText(t *testing.T) {
	type args struct {
		Device string `json:"device,omitzero"`
		Force  *bool  `json:"force,omitzero"`
	}
	tests := []struct {
		command string
		args    any
		want    string
	}{
		{"eject", nil, `{"execute":"eject"}`},
		{"eject", args{}, `{"execute":"eject"}`},
		{"eject", (*args)(nil), `{"execute":"eject"}`},
		{"eject", map[string]any{}, `{"execute":"eject"}`},
		{"eject", args{"cd\"é<\u2028", new(true)}, `{"execute":"eject","arguments":{"device":"cd\"é<` + "\u2028" + `","force":true}}`},
		{"eject", json.RawMessage(` { "a" : 1.50 } `), `{"execute":"eject","arguments":{"a":1.50}}`},
		{"eject", jsontext.Value(`{"b": 9007199254740993}`), `{"execute":"eject","arguments":{"b":9007199254740993}}`},
		{"eject", map[string]any{"b": 1, "a": 2}, `{"execute":"eject","arguments":{"a":2,"b":1}}`},
		{`a"b`, nil, `{"execute":"a\"b"}`},
	}
	bubble(t, func(t *testing.T, p pair) {
		for _, test := range tests {
			done := async(func() error { return p.Execute(t.Context(), test.command, test.args, nil) })
			p.peer.answer(p.peer.expect(test.want), "{}")
			if err := returned(t, "Execute", done); err != nil {
				t.Error(err)
			}
		}
	})
}

// What cannot be encoded is an error that says where, and nothing is sent.
func TestBadArguments(t *testing.T) {
	type inner struct {
		F func() `json:"f"`
	}
	nest := strings.Repeat(`{"a":`, 1024) + "1" + strings.Repeat("}", 1024)
	tests := []struct {
		command string
		args    any
		want    string
	}{
		{"x", map[string]any{"m": inner{}}, "qmp: x: arguments: member /m/f: the Go type func() cannot be encoded or decoded as JSON"},
		{"x", map[string]any{"m": "\xff"}, "qmp: x: arguments: member /m: not JSON: invalid UTF-8"},
		{"x", []int{1}, "qmp: x: arguments: []int is not a JSON object, but [1]"},
		{"x", "text", `qmp: x: arguments: string is not a JSON object, but "text"`},
		{"x", json.RawMessage("{"), "qmp: x: arguments: not JSON: unexpected EOF"},
		{"x", json.RawMessage(nest), "qmp: x: the arguments nest deeper than QEMU's limit of 1024 levels"},
		{"\xff", nil, `qmp: command name "\xff": jsontext: invalid UTF-8`},
	}
	bubble(t, func(t *testing.T, p pair) {
		for _, test := range tests {
			err := p.Execute(t.Context(), test.command, test.args, nil)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		}
		for _, message := range []string{"", "[]", "{", `{"a":1}{}`, "{\"a\":\"\xff\"}", "'x'", `{"a":` + nest + "}"} {
			if _, err := p.RoundTrip(t.Context(), []byte(message)); err == nil {
				t.Errorf("message %.30q is sent", message)
			}
		}
		done := async(func() error { return p.Execute(t.Context(), "next", nil, nil) })
		p.peer.answer(p.peer.expect(`{"execute":"next"}`), "{}")
		if err := returned(t, "next", done); err != nil {
			t.Error(err)
		}
	})
}

func TestBadReplies(t *testing.T) {
	type blocks []struct {
		Inserted struct {
			Size int64 `json:"size"`
		} `json:"inserted"`
	}
	tests := []struct {
		reply  string
		result any
		want   string
	}{
		{`[{"inserted": {"size": "big"}}]`, new(blocks), "qmp: x: reply: member /0/inserted/size: a string does not fit the Go type int64"},
		{`[{"inserted": {"size": 1.5}}]`, new(blocks), "qmp: x: reply: member /0/inserted/size: invalid syntax: 1.5"},
		{`[{"inserted": {"size": inf}}]`, new(blocks), "qmp: x: reply: member /0/inserted/size: not JSON: invalid character 'i' at start of value"},
		{`[nan]`, new(json.RawMessage), "qmp: x: reply: member /0: not JSON: invalid character 'a' in literal null (expecting 'u')"},
	}
	bubble(t, func(t *testing.T, p pair) {
		for _, test := range tests {
			done := async(func() error { return p.Execute(t.Context(), "x", nil, test.result) })
			p.peer.answer(p.peer.next(), test.reply)
			if err := returned(t, "Execute", done); err == nil || err.Error() != test.want {
				t.Errorf("reply %s:\ngot  %v\nwant %s", test.reply, err, test.want)
			}
		}
	})
}

func TestServerError(t *testing.T) {
	tests := []struct {
		member string
		want   Error
		text   string
	}{
		{`{"class": "GenericError", "desc": "No disk"}`, Error{"x", ClassGenericError, "No disk"}, "qmp: x: No disk"},
		{`{"class": "DeviceNotFound", "desc": "No cd"}`, Error{"x", ClassDeviceNotFound, "No cd"}, "qmp: x: No cd (DeviceNotFound)"},
		{`{"class": "NewClass", "desc": "", "more": 1}`, Error{"x", "NewClass", ""}, "qmp: x: error of class NewClass"},
		{`{}`, Error{"x", "", ""}, "qmp: x: error of class "},
	}
	bubble(t, func(t *testing.T, p pair) {
		for _, test := range tests {
			done := async(func() error { return p.Execute(t.Context(), "x", nil, nil) })
			p.peer.refuse(p.peer.next(), test.member)
			err := returned(t, "Execute", done)
			e, ok := errors.AsType[*Error](err)
			if !ok || *e != test.want || err.Error() != test.text {
				t.Errorf("%s: got %v", test.member, err)
			}
		}
		done := async(func() error { return p.Execute(t.Context(), "x", nil, nil) })
		p.peer.refuse(p.peer.next(), "7")
		if err := returned(t, "Execute", done); err == nil || err.Error() != "qmp: x: the server's error cannot be decoded: \"7\"" {
			t.Errorf("got %v", err)
		}
	})
}

// A command has no number when nothing else is in flight, otherwise the smallest
// free one. Its reply finds it, in whatever order replies come.
func TestNumbers(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		ctx := t.Context()
		results := make([]int, 5)
		call := func(i int) <-chan error {
			done := async(func() error {
				return p.Execute(ctx, fmt.Sprintf("c%d", i), nil, &results[i])
			})
			synctest.Wait()
			return done
		}
		c0 := call(0)
		r0 := p.peer.expect(`{"execute":"c0"}`)
		c1 := call(1)
		r1 := p.peer.expect(`{"execute":"c1","id":1}`)
		c2 := call(2)
		r2 := p.peer.expect(`{"execute":"c2","id":2}`)
		p.peer.answer(r1, "11")
		if err := returned(t, "c1", c1); err != nil {
			t.Error(err)
		}
		c3 := call(3)
		r3 := p.peer.expect(`{"execute":"c3","id":1}`)
		p.peer.answer(r2, "12")
		p.peer.answer(r0, "10")
		p.peer.answer(r3, "13")
		for i, c := range []<-chan error{c0, c2, c3} {
			if err := returned(t, "call", c); err != nil {
				t.Error(i, err)
			}
		}
		c4 := call(4)
		p.peer.answer(p.peer.expect(`{"execute":"c4"}`), "14")
		if err := returned(t, "c4", c4); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]int{10, 11, 12, 13, 14}, results); diff != "" {
			t.Error(diff)
		}
	})
}

func TestNumbersTable(t *testing.T) {
	n := numbers{base: 1 << 52}
	calls := make([]call, 300)
	for i := range calls {
		n.add(&calls[i], 7, false)
	}
	for i := range calls {
		want := int64(i + 1)
		if want >= 7 {
			want++
		}
		if calls[i].number != want || n.get(want) != &calls[i] {
			t.Fatalf("call %d has number %d, want %d", i, calls[i].number, want)
		}
	}
	n.remove(&calls[198])
	n.remove(&calls[2])
	var first, second, last, unique call
	n.add(&first, 0, false)
	n.add(&unique, 0, true)
	n.add(&second, 200, false)
	n.add(&last, 0, false)
	want := []int64{3, 1<<52 + 7, 302, 200}
	got := []int64{first.number, unique.number, second.number, last.number}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n.get(7) != nil || n.get(1<<52+3) != nil || n.get(1<<52+7) != &unique {
		t.Error("two numbers with the same index are confused")
	}
	for _, number := range []int64{0, -1, 303, 1 << 60, 1 << 52} {
		if n.get(number) != nil {
			t.Errorf("there is a call with number %d", number)
		}
	}
	for _, id := range []string{"", "0", "01", "+1", "-1", "1.0", "1e0", `"1"`, "99999999999999999999", "null"} {
		if got := ownNumber([]byte(id)); got != 0 {
			t.Errorf("id %s is our number %d", id, got)
		}
	}
}

// The peer does not read: the write blocks, and nothing else does.
func TestBlockedWrite(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		ctx1, cancel1 := context.WithCancel(t.Context())
		ctx2, cancel2 := context.WithCancel(t.Context())
		first := async(func() error { return p.Execute(ctx1, "first", nil, nil) })
		synctest.Wait()
		second := async(func() error { return p.Execute(ctx2, "second", nil, nil) })
		pending(t, "first", first)
		pending(t, "second", second)

		cancel2()
		err := returned(t, "second", second)
		wantErr(t, err, context.Canceled, "qmp: second: context canceled: the command was not sent: the server does not read what was sent before it")
		if errors.Is(err, ErrAbandoned) {
			t.Error("the error of a call that was not sent wraps ErrAbandoned")
		}
		cancel1()
		err = returned(t, "first", first)
		wantErr(t, err, ErrAbandoned, "qmp: first: context canceled: the command was sent, its reply is abandoned")
		wantErr(t, err, context.Canceled, err.Error())

		third := async(func() error { return p.Execute(t.Context(), "third", nil, nil) })
		synctest.Wait()
		r1 := p.peer.expect(`{"execute":"first"}`) // whole
		r3 := p.peer.expect(`{"execute":"third","id":1}`)
		p.peer.answer(r1, "{}")
		pending(t, "third", third)
		p.peer.answer(r3, "{}")
		if err := returned(t, "third", third); err != nil {
			t.Error(err)
		}
	})
}

// Late replies are dropped, whether they have a number or not.
func TestAbandoned(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		short := func(command string) request {
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("out of patience"))
			defer cancel()
			done := async(func() error { return p.Execute(ctx, command, nil, nil) })
			r := p.peer.next()
			err := returned(t, command, done)
			wantErr(t, err, context.DeadlineExceeded, "qmp: "+command+
				": context deadline exceeded: out of patience: the command was sent, its reply is abandoned")
			wantErr(t, err, ErrAbandoned, err.Error())
			return r
		}
		a := short("a")
		b := short("b")
		if string(b.ID) != "1" {
			t.Errorf("b has id %s, want 1", b.ID)
		}
		var got int
		c := async(func() error { return p.Execute(t.Context(), "c", nil, &got) })
		r := p.peer.expect(`{"execute":"c","id":2}`)
		p.peer.answer(a, "1")
		p.peer.answer(b, "2")
		pending(t, "c", c)
		p.peer.answer(r, "3")
		if late := p.LateReplies(); late != 2 {
			t.Errorf("%d late replies", late)
		}
		if err := returned(t, "c", c); err != nil || got != 3 {
			t.Errorf("got %d, %v", got, err)
		}
		d := async(func() error { return p.Execute(t.Context(), "d", nil, nil) })
		p.peer.answer(p.peer.expect(`{"execute":"d"}`), "{}")
		if err := returned(t, "d", d); err != nil {
			t.Error(err)
		}
	})
}

func TestTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		start := time.Now()
		done := async(func() error { return p.With(Timeout(3*time.Second)).Execute(t.Context(), "slow", nil, nil) })
		r := p.peer.next()
		err := returned(t, "slow", done)
		wantErr(t, err, context.DeadlineExceeded, "qmp: slow: context deadline exceeded: no reply within 3s: the command was sent, its reply is abandoned")
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("it took %v", took)
		}
		p.peer.answer(r, "{}")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err = p.Execute(ctx, "never", nil, nil)
		wantErr(t, err, context.Canceled, "qmp: never: context canceled: the command was not sent")
	})
}

// A hasty context has not ended the first time that it is asked, and ends right after that.
type hasty struct {
	context.Context
	asked atomic.Bool
}

func (c *hasty) Err() error {
	if !c.asked.Swap(true) {
		return nil
	}
	return context.Canceled
}

func (c *hasty) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

// A context may end while a call is being made.
func TestGoWithHastyContext(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		for range 100 {
			p.Go(&hasty{Context: t.Context()}, "a", nil, nil, func(err error) {
				if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
		if err := p.WaitIdle(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestGo(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		var got int
		var inner error
		done := make(chan error, 1)
		p.Go(t.Context(), "a", nil, &got, func(err error) {
			inner = p.Execute(t.Context(), "b", nil, nil) // from a callback
			done <- err
		})
		wait := async(func() error { return p.WaitIdle(t.Context()) })
		p.peer.answer(p.peer.expect(`{"execute":"a"}`), "7")
		r := p.peer.expect(`{"execute":"b"}`)
		pending(t, "Wait", wait) // the callback still runs
		p.peer.answer(r, "{}")
		if err := returned(t, "callback", done); err != nil || inner != nil || got != 7 {
			t.Errorf("got %d, %v, %v", got, err, inner)
		}
		if err := returned(t, "Wait", wait); err != nil {
			t.Error(err)
		}

		ctx, cancel := context.WithCancel(t.Context())
		p.Go(ctx, "c", nil, nil, func(err error) { done <- err })
		r = p.peer.next()
		cancel()
		err := returned(t, "callback", done)
		wantErr(t, err, ErrAbandoned, "qmp: c: context canceled: the command was sent, its reply is abandoned")
		p.peer.answer(r, "{}")

		p.Go(ctx, "d", nil, nil, func(err error) { done <- err })
		err = returned(t, "callback", done)
		wantErr(t, err, context.Canceled, "qmp: d: context canceled: the command was not sent")

		p.Go(t.Context(), "e", 5, nil, func(err error) { done <- err })
		if err := returned(t, "callback", done); err == nil {
			t.Error("arguments that are not an object are sent")
		}

		p.With(Timeout(time.Second)).Go(t.Context(), "f", nil, nil, func(err error) { done <- err })
		p.peer.answer(p.peer.next(), "{}")
		if err := returned(t, "callback", done); err != nil {
			t.Error(err)
		}

		p.Go(t.Context(), "g", nil, nil, func(err error) { done <- err })
		p.peer.next()
		p.Close()
		err = returned(t, "callback", done)
		wantErr(t, err, ErrClosed, "qmp: g: connection closed")
		if err := p.WaitIdle(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestWait(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		if err := p.WaitIdle(t.Context()); err != nil {
			t.Error(err)
		}
		call := async(func() error { return p.Execute(t.Context(), "a", nil, nil) })
		r := p.peer.next()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantErr(t, p.WaitIdle(ctx), context.DeadlineExceeded, "qmp: waiting for calls to end: context deadline exceeded")
		w1 := async(func() error { return p.WaitIdle(t.Context()) })
		w2 := async(func() error { return p.WaitIdle(t.Context()) })
		pending(t, "Wait", w1)
		p.peer.answer(r, "{}")
		for _, done := range []<-chan error{call, w1, w2} {
			if err := returned(t, "Wait", done); err != nil {
				t.Error(err)
			}
		}
	})
}

// The end of the connection reaches every call, with its cause.
func TestEnd(t *testing.T) {
	tests := []struct {
		name  string
		end   func(p pair)
		cause error
		text  string
	}{
		{"close by the server", func(p pair) { p.peer.rw.Close() }, io.EOF, "connection closed by the server"},
		{"in mid-message", func(p pair) { p.peer.send(`{"return": {"a"`); p.peer.rw.Close() },
			io.ErrUnexpectedEOF, "connection closed by the server in the middle of a message"},
		{"close by us", func(p pair) { p.Close(); p.Close() }, ErrClosed, "connection closed"},
		{"a second greeting", func(p pair) { p.peer.send(greetingText) }, ErrClosed,
			"connection closed: the server greets again: it was restarted"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, p pair) {
				if err := p.Err(); err != nil {
					t.Errorf("before the end: %v", err)
				}
				var calls []<-chan error
				for range 3 {
					calls = append(calls, async(func() error { return p.Execute(t.Context(), "x", nil, nil) }))
					p.peer.next()
				}
				calls = append(calls, async(func() error { return p.Execute(t.Context(), "x", nil, nil) })) // in the write
				synctest.Wait()
				calls = append(calls, async(func() error { return p.Execute(t.Context(), "x", nil, nil) })) // queued
				synctest.Wait()
				test.end(p)
				const unsent = ": the command was not sent"
				for i, done := range calls {
					text := "qmp: x: " + test.text
					if i == len(calls)-1 {
						text += unsent
					}
					err := returned(t, "call", done)
					wantErr(t, err, ErrClosed, text)
					wantErr(t, err, test.cause, text)
					if errors.Is(err, ErrNotSent) != strings.HasSuffix(text, unsent) {
						t.Errorf("%v: ErrNotSent is %v", err, errors.Is(err, ErrNotSent))
					}
				}
				<-p.Done()
				wantErr(t, p.Err(), test.cause, "qmp: "+test.text)
				wantErr(t, p.Err(), ErrClosed, p.Err().Error())
				wantErr(t, p.Execute(t.Context(), "y", nil, nil), ErrNotSent, "qmp: y: "+test.text+unsent)
				_, err := p.RoundTrip(t.Context(), []byte("{}"))
				wantErr(t, err, ErrNotSent, "qmp: message: "+test.text+unsent)
				if err := p.WaitIdle(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestNoReply(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		call := func(ctx context.Context) (<-chan error, request) {
			done := async(func() error { return p.ExecuteNoReply(ctx, "guest-shutdown", nil) })
			return done, p.peer.next()
		}
		done, r := call(t.Context())
		if r.text != `{"execute":"guest-shutdown","id":1}` {
			t.Errorf("got request %s", r.text) // an answer that never comes must not hold up the others
		}
		p.peer.send("{\"id\": 1, \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\n")
		if err := returned(t, "refused", done); err == nil || err.Error() != "qmp: guest-shutdown: no" {
			t.Errorf("refused: %v", err)
		}
		done, r = call(t.Context())
		p.peer.answer(r, "{}")
		if err := returned(t, "answered", done); err != nil {
			t.Errorf("answered: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done, _ = call(ctx)
		err := returned(t, "silent", done)
		wantErr(t, err, context.DeadlineExceeded, "qmp: guest-shutdown: context deadline exceeded: the command was sent, its reply is abandoned")

		message := async(func() error { _, err := p.RoundTrip(t.Context(), []byte(`{"execute":"a"}`)); return err })
		p.peer.answer(p.peer.expect(`{"execute":"a"}`), "{}")
		if err := returned(t, "message", message); err != nil {
			t.Error(err)
		}

		done, _ = call(t.Context())
		p.peer.rw.Close()
		if err := returned(t, "gone", done); err != nil {
			t.Errorf("gone: %v", err)
		}
		wantErr(t, p.ExecuteNoReply(t.Context(), "x", nil), ErrClosed,
			"qmp: x: connection closed by the server: the command was not sent")
	})
	bubble(t, func(t *testing.T, p pair) {
		done := async(func() error { return p.ExecuteNoReply(t.Context(), "x", nil) })
		p.peer.next()
		p.Close()
		wantErr(t, returned(t, "closed by us", done), ErrClosed, "qmp: x: connection closed")
	})
}

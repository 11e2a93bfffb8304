package qmp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
		require.NoError(t, returned(t, "Execute", done))
		assert.Equal(t, status{"running", true}, got)
		var raw json.RawMessage
		done = async(func() error { return p.Execute(t.Context(), "x", nil, &raw) })
		p.peer.answer(p.peer.next(), `{"a":  18446744073709551615}`)
		assert.NoError(t, returned(t, "Execute", done), "raw")
		assert.Equal(t, `{"a":  18446744073709551615}`, string(raw))
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
			assert.NoError(t, returned(t, "Execute", done))
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
			assert.Regexp(t, "^"+regexp.QuoteMeta(test.want), err)
		}
		for _, message := range []string{"", "[]", "{", `{"a":1}{}`, "{\"a\":\"\xff\"}", "'x'", `{"a":` + nest + "}"} {
			_, err := p.RoundTrip(t.Context(), []byte(message))
			assert.Error(t, err, "message %.30q is sent", message)
		}
		done := async(func() error { return p.Execute(t.Context(), "next", nil, nil) })
		p.peer.answer(p.peer.expect(`{"execute":"next"}`), "{}")
		assert.NoError(t, returned(t, "next", done))
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
			assert.EqualError(t, returned(t, "Execute", done), test.want, "reply %s", test.reply)
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
			var e *Error
			if assert.ErrorAs(t, err, &e, test.member) {
				assert.Equal(t, test.want, *e, test.member)
			}
			assert.EqualError(t, err, test.text, test.member)
		}
		done := async(func() error { return p.Execute(t.Context(), "x", nil, nil) })
		p.peer.refuse(p.peer.next(), "7")
		assert.EqualError(t, returned(t, "Execute", done), "qmp: x: the server's error cannot be decoded: \"7\"")
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
		assert.NoError(t, returned(t, "c1", c1))
		c3 := call(3)
		r3 := p.peer.expect(`{"execute":"c3","id":1}`)
		p.peer.answer(r2, "12")
		p.peer.answer(r0, "10")
		p.peer.answer(r3, "13")
		for i, c := range []<-chan error{c0, c2, c3} {
			assert.NoError(t, returned(t, "call", c), "call %d of c0, c2, c3", i)
		}
		c4 := call(4)
		p.peer.answer(p.peer.expect(`{"execute":"c4"}`), "14")
		assert.NoError(t, returned(t, "c4", c4))
		assert.Empty(t, cmp.Diff([]int{10, 11, 12, 13, 14}, results))
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
		require.Equal(t, want, calls[i].number, "call %d", i)
		require.Same(t, &calls[i], n.get(want), "call %d", i)
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
	assert.Empty(t, cmp.Diff(want, got))
	const same = "two numbers with the same index are confused"
	assert.Nil(t, n.get(7), same)
	assert.Nil(t, n.get(1<<52+3), same)
	assert.Same(t, &unique, n.get(1<<52+7), same)
	for _, number := range []int64{0, -1, 303, 1 << 60, 1 << 52} {
		assert.Nil(t, n.get(number), "there is a call with number %d", number)
	}
	for _, id := range []string{"", "0", "01", "+1", "-1", "1.0", "1e0", `"1"`, "99999999999999999999", "null"} {
		assert.Zero(t, ownNumber([]byte(id)), "id %s", id)
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
		assert.NotErrorIs(t, err, ErrAbandoned, "the error of a call that was not sent wraps ErrAbandoned")
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
		assert.NoError(t, returned(t, "third", third))
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
		assert.Equal(t, "1", string(b.ID), "the id of b")
		var got int
		c := async(func() error { return p.Execute(t.Context(), "c", nil, &got) })
		r := p.peer.expect(`{"execute":"c","id":2}`)
		p.peer.answer(a, "1")
		p.peer.answer(b, "2")
		pending(t, "c", c)
		p.peer.answer(r, "3")
		assert.Equal(t, 2, p.LateReplies())
		assert.NoError(t, returned(t, "c", c))
		assert.Equal(t, 3, got)
		d := async(func() error { return p.Execute(t.Context(), "d", nil, nil) })
		p.peer.answer(p.peer.expect(`{"execute":"d"}`), "{}")
		assert.NoError(t, returned(t, "d", d))
	})
}

func TestTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		start := time.Now()
		done := async(func() error { return p.With(Timeout(3*time.Second)).Execute(t.Context(), "slow", nil, nil) })
		r := p.peer.next()
		err := returned(t, "slow", done)
		wantErr(t, err, context.DeadlineExceeded, "qmp: slow: context deadline exceeded: no reply within 3s: the command was sent, its reply is abandoned")
		assert.Equal(t, 3*time.Second, time.Since(start))
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
				assert.ErrorIs(t, err, context.Canceled)
			})
		}
		assert.NoError(t, p.WaitIdle(t.Context()))
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
		assert.NoError(t, returned(t, "callback", done))
		assert.NoError(t, inner)
		assert.Equal(t, 7, got)
		assert.NoError(t, returned(t, "Wait", wait))

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
		assert.Error(t, returned(t, "callback", done), "arguments that are not an object are sent")

		p.With(Timeout(time.Second)).Go(t.Context(), "f", nil, nil, func(err error) { done <- err })
		p.peer.answer(p.peer.next(), "{}")
		assert.NoError(t, returned(t, "callback", done))

		p.Go(t.Context(), "g", nil, nil, func(err error) { done <- err })
		p.peer.next()
		p.Close()
		err = returned(t, "callback", done)
		wantErr(t, err, ErrClosed, "qmp: g: connection closed")
		assert.NoError(t, p.WaitIdle(t.Context()))
	})
}

func TestWait(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		assert.NoError(t, p.WaitIdle(t.Context()))
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
			assert.NoError(t, returned(t, "Wait", done))
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
				assert.NoError(t, p.Err(), "before the end")
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
					assert.Equal(t, strings.HasSuffix(text, unsent), errors.Is(err, ErrNotSent), "whether it is ErrNotSent: %v", err)
				}
				<-p.Done()
				wantErr(t, p.Err(), test.cause, "qmp: "+test.text)
				wantErr(t, p.Err(), ErrClosed, p.Err().Error())
				wantErr(t, p.Execute(t.Context(), "y", nil, nil), ErrNotSent, "qmp: y: "+test.text+unsent)
				_, err := p.RoundTrip(t.Context(), []byte("{}"))
				wantErr(t, err, ErrNotSent, "qmp: message: "+test.text+unsent)
				assert.NoError(t, p.WaitIdle(t.Context()))
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
		assert.Equal(t, `{"execute":"guest-shutdown","id":1}`, r.text) // an answer that never comes must not hold up the others
		p.peer.send("{\"id\": 1, \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\n")
		assert.EqualError(t, returned(t, "refused", done), "qmp: guest-shutdown: no", "refused")
		done, r = call(t.Context())
		p.peer.answer(r, "{}")
		assert.NoError(t, returned(t, "answered", done), "answered")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done, _ = call(ctx)
		err := returned(t, "silent", done)
		wantErr(t, err, context.DeadlineExceeded, "qmp: guest-shutdown: context deadline exceeded: the command was sent, its reply is abandoned")

		message := async(func() error { _, err := p.RoundTrip(t.Context(), []byte(`{"execute":"a"}`)); return err })
		p.peer.answer(p.peer.expect(`{"execute":"a"}`), "{}")
		assert.NoError(t, returned(t, "message", message))

		done, _ = call(t.Context())
		p.peer.rw.Close()
		assert.NoError(t, returned(t, "gone", done), "gone")
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

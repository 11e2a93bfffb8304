package qmp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
)

// A reply that fits no command in flight is given to no call. It ends the
// connection, since every later reply could be for another call.
func TestReplyThatFitsNoCommand(t *testing.T) {
	for _, test := range []struct {
		reply  string
		flight int // commands with the server
	}{
		{`{"return": {}}`, 0},
		{`{"return": {}, "id": 7}`, 0},
		{`{"id": "x", "return": {}}`, 0},
		{`{"error": {"class": "GenericError", "desc": "?"}}`, 0},
		{`{"return": {}, "id": 7}`, 1},                                   // a has no id
		{`{"return": {}, "x": {"id": 1}, "id": 9}`, 1},                   // found by the line's end
		{`{"return": {}, "id": 1, "x": {}}`, 1},                          // not seen by it
		{`{"return": [], "id": 1, "x": []}`, 1},                          //
		{`{"return": {}, "id": 9}`, 3},                                   //
		{`{"return": {}, "id": 9, "x": {}}`, 3},                          //
		{`{"return": {}, "id": {"n": 1}}`, 3},                            //
		{`{"error": {"class": "GenericError", "desc": ""}, "id": 3}`, 3}, //
	} {
		t.Run(test.reply, func(t *testing.T) {
			bubble(t, func(t *testing.T, p pair) {
				var calls []<-chan error
				for i := range test.flight {
					calls = append(calls, async(func() error { return p.Execute(t.Context(), string(rune('a'+i)), nil, nil) }))
					p.peer.next()
				}
				p.peer.send("%s\r\n", test.reply)
				<-p.Done()
				if err := p.Err(); !strings.Contains(err.Error(), "the server's replies do not fit the commands") {
					t.Errorf("the connection ended with %v", err)
				}
				for _, call := range calls {
					if err := returned(t, "call", call); !MayHaveRun(err) || !strings.Contains(err.Error(), "do not fit the commands") {
						t.Errorf("call: %v", err)
					}
				}
			})
		})
	}
	bubble(t, func(t *testing.T, p pair) { // only numbers are with the server
		calls, requests := three(t, p)
		p.peer.answer(requests[0], "{}")
		returned(t, "a", calls[0])
		p.peer.send("{\"return\": {}}\r\n")
		for _, call := range calls[1:] {
			if err := returned(t, "call", call); !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), "none of the 2 in flight") {
				t.Errorf("call: %v", err)
			}
		}
	})
}

// If the server sends one reply too many, a command without a number takes it as its reply, and each
// later one gets the reply to the command before it. The next command with a number detects this.
func TestStrayReply(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		go func() {
			for i := 0; ; i++ {
				text, err := p.peer.dec.ReadValue()
				if err != nil {
					return
				}
				var r request
				_ = json.Unmarshal(text, &r)
				stray := ""
				if i == 10 {
					stray = "{\"return\": \"stray\"}\r\n"
				}
				id := ""
				if r.ID != nil {
					id = fmt.Sprintf(`, "id": %s`, r.ID)
				}
				fmt.Fprintf(p.peer.rw, "%s{\"return\": %q%s}\r\n", stray, r.Execute, id)
			}
		}()
		right, wrong := 0, 0
		for i := range 1000 {
			time.Sleep(time.Millisecond) // a stray reply that comes while nothing is in flight is noticed at once
			var got string
			err := p.Execute(t.Context(), fmt.Sprint("c", i), nil, &got)
			switch {
			case err != nil && !errors.Is(err, ErrClosed):
				t.Error(err)
			case err == nil && got == fmt.Sprint("c", i):
				right++
			case err == nil:
				wrong++
			}
		}
		if right != 10 || wrong > 1 {
			t.Errorf("%d calls got their own reply, %d that of another call", right, wrong)
		}
		if err := p.Err(); err == nil || !strings.Contains(err.Error(), "do not fit the commands") {
			t.Errorf("the connection ended with %v", err)
		}
	})
	bubble(t, func(t *testing.T, p pair) { // each reply comes after the next command is sent
		wrong := 0
		var replies []string
		for i := range 1000 {
			var got string
			done := async(func() error { return p.Execute(t.Context(), fmt.Sprint("c", i), nil, &got) })
			synctest.Wait()
			if p.Err() != nil {
				break
			}
			r := p.peer.next()
			if i == 0 {
				replies = append(replies, "{\"return\": \"stray\"}\r\n")
			}
			if r.ID == nil {
				replies = append(replies, fmt.Sprintf("{\"return\": %q}\r\n", r.Execute))
			} else {
				replies = append(replies, fmt.Sprintf("{\"return\": %q, \"id\": %s}\r\n", r.Execute, r.ID))
			}
			p.peer.send("%s", replies[0])
			replies = replies[1:]
			if err := returned(t, "call", done); err == nil && got != r.Execute {
				wrong++
			}
		}
		if wrong != maxUnnumbered {
			t.Errorf("%d calls got the reply of another call", wrong)
		}
		if err := p.Err(); err == nil || !strings.Contains(err.Error(), "do not fit the commands") {
			t.Errorf("the connection ended with %v", err)
		}
	})
}

// A reply that the server still sends to an earlier client is not given to any call.
func TestLeftover(t *testing.T) {
	for _, leftover := range []string{
		`{"return": {"n": 1}}`, `{"return": {}, "id": 1}`, `{"return": [{}], "id": "libvirt-1"}`,
		`{"error": {"class": "GenericError", "desc": "no"}}`, `{"id": 1, "error": {"class": "GenericError", "desc": "no"}}`,
		`{"return": {}, "x": {}}`, `{"x": 1, "return": {}}`,
	} {
		t.Run(leftover, func(t *testing.T) {
			log := new(errorLog)
			shake(t, func(t *testing.T, p *peer) {
				p.send("%s%s\r\n", greetingText, leftover)
				p.answer(p.expect(`{"execute":"qmp_capabilities","id":#}`), "{}")
				p.answer(p.expect(`{"execute":"a"}`), `"a"`)
			}, func(t *testing.T, c *Conn, err error) {
				if err != nil {
					t.Fatal(err)
				}
				var got string
				if err := c.Execute(t.Context(), "a", nil, &got); err != nil || got != "a" {
					t.Errorf("got %q, %v", got, err)
				}
				synctest.Wait()
				want := fmt.Sprintf("reply of %d bytes with", len(leftover))
				if errs := log.take(); len(errs) != 1 || !strings.Contains(errs[0].Error(), want) || !strings.HasSuffix(errs[0].Error(), " belongs to an earlier client of this server") {
					t.Errorf("reported: %v", errs)
				}
			}, WithEventError(log.add))
			// Without a negotiation, the answer to the first command puts the session in step.
			shake(t, func(t *testing.T, p *peer) {
				r := p.expect(`{"execute":"a","id":#}`)
				r2 := p.expect(`{"execute":"b","id":#}`)
				p.send("%s\r\n", leftover)
				p.answer(r, `"a"`)
				p.answer(r2, `"b"`)
				if strings.HasPrefix(leftover, `{"error"`) { // without an id it may be of the first command
					p.answer(p.expect(`{"execute":"query-version","id":#}`), "{}")
					p.answer(p.next(), `"c"`) // without a number only if the probe's answer was first
					return
				}
				p.answer(p.expect(`{"execute":"c"}`), `"c"`)
			}, func(t *testing.T, c *Conn, err error) {
				if err != nil {
					t.Fatal(err)
				}
				execute := func(command string) <-chan error {
					return async(func() error {
						var got string
						err := c.Execute(t.Context(), command, nil, &got)
						if err == nil && got != command {
							err = fmt.Errorf("%s got the reply of %s", command, got)
						}
						return err
					})
				}
				a := execute("a")
				synctest.Wait()
				for _, done := range []<-chan error{execute("b"), a} {
					if err := returned(t, "call", done); err != nil {
						t.Error(err)
					}
				}
				if err := returned(t, "c", execute("c")); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if errs := log.take(); len(errs) != 1 || !strings.Contains(errs[0].Error(), "earlier client") {
					t.Errorf("reported: %v", errs)
				}
			}, WithEventError(log.add), WithoutHandshake())
		})
	}
	t.Run("before a whole message", func(t *testing.T) {
		shake(t, func(t *testing.T, p *peer) {
			r := p.expect(`{"execute":"query-version","id":#}`)
			p.send("{\"return\": \"old\"}\r\n")
			p.answer(r, "{}")
			p.answer(p.expect(`{"execute":"x"}`), `"new"`)
		}, func(t *testing.T, c *Conn, err error) {
			if err != nil {
				t.Fatal(err)
			}
			answer, err := c.RoundTrip(t.Context(), []byte(`{"execute":"x"}`))
			if err != nil || string(answer) != `{"return": "new"}` {
				t.Errorf("got %s, %v", answer, err)
			}
		}, WithoutHandshake())
	})
}

// Servers may add members to their replies, anywhere.
func TestExtraMembers(t *testing.T) {
	for _, reply := range []string{
		`{"return": "c0", "id": 1, "x": 1}`,
		`{"return": "c0", "x": 1, "id": 1}`,
		`{"return": "c0", "x": "y", "id": 1}`,
		`{"x": {"id": 7, "return": 2}, "return": "c0", "id": 1}`,
		`{"return": "c0", "id": 1, "x": {"a": [1, 2], "id": 2}}`,
		`{"return": "c0", "id": 1, "x": "}"}`,
		`{"return": "c0", "id": 1, "x": ", \"id\": 2"}`,
		`{"return":"c0","id":1,"x":[]}`,
		`{"id": 1, "return": "c0", "x": null}`,
	} {
		for name, before := range map[string]bool{"with a number": true, "without": false} {
			bubble(t, func(t *testing.T, p pair) {
				var first <-chan error
				var r request
				if before {
					first = async(func() error { return p.Execute(t.Context(), "before", nil, nil) })
					r = p.peer.next()
				}
				var got string
				done := async(func() error { return p.Execute(t.Context(), "c0", nil, &got) })
				p.peer.next()
				text := reply
				if !before {
					text = strings.Replace(strings.Replace(text, `, "id": 1`, "", 1), `"id": 1, `, "", 1)
					text = strings.Replace(text, `,"id":1`, "", 1)
				}
				p.peer.send("%s\r\n", text)
				if err := returned(t, "c0", done); err != nil || got != "c0" {
					t.Errorf("%s: %s: got %q, %v", name, text, got, err)
				}
				if before {
					p.peer.answer(r, "{}")
					if err := returned(t, "before", first); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

package qmp

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
				assert.ErrorContains(t, p.Err(), "the server's replies do not fit the commands", "how the connection ended")
				for _, call := range calls {
					err := returned(t, "call", call)
					assert.True(t, MayHaveRun(err), "call: %v", err)
					assert.ErrorContains(t, err, "do not fit the commands", "call")
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
			err := returned(t, "call", call)
			assert.ErrorIs(t, err, ErrClosed, "call")
			assert.ErrorContains(t, err, "none of the 2 in flight", "call")
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
			case err != nil:
				assert.ErrorIs(t, err, ErrClosed)
			case got == fmt.Sprint("c", i):
				right++
			default:
				wrong++
			}
		}
		assert.Equal(t, 10, right, "calls that got their own reply")
		assert.LessOrEqual(t, wrong, 1, "calls that got the reply of another call")
		assert.ErrorContains(t, p.Err(), "do not fit the commands", "how the connection ended")
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
		assert.Equal(t, maxUnnumbered, wrong, "calls that got the reply of another call")
		assert.ErrorContains(t, p.Err(), "do not fit the commands", "how the connection ended")
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
				require.NoError(t, err)
				var got string
				assert.NoError(t, c.Execute(t.Context(), "a", nil, &got))
				assert.Equal(t, "a", got)
				synctest.Wait()
				if errs := log.take(); assert.Len(t, errs, 1, "reported") {
					assert.ErrorContains(t, errs[0], fmt.Sprintf("reply of %d bytes with", len(leftover)))
					assert.Regexp(t, " belongs to an earlier client of this server$", errs[0])
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
				require.NoError(t, err)
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
					assert.NoError(t, returned(t, "call", done))
				}
				assert.NoError(t, returned(t, "c", execute("c")))
				synctest.Wait()
				if errs := log.take(); assert.Len(t, errs, 1, "reported") {
					assert.ErrorContains(t, errs[0], "earlier client")
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
			require.NoError(t, err)
			answer, err := c.RoundTrip(t.Context(), []byte(`{"execute":"x"}`))
			assert.NoError(t, err)
			assert.Equal(t, `{"return": "new"}`, string(answer))
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
				assert.NoError(t, returned(t, "c0", done), "%s: %s", name, text)
				assert.Equal(t, "c0", got, "%s: %s", name, text)
				if before {
					p.peer.answer(r, "{}")
					assert.NoError(t, returned(t, "before", first))
				}
			})
		}
	}
}

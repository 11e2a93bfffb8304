package qmp

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// refuseProbe answers a probe as a server does that has negotiated.
func (p *peer) refuseProbe() {
	p.t.Helper()
	r := p.next()
	assert.Equal(p.t, "qmp_capabilities", r.Execute, "got request %s, want a probe", r.text)
	assert.NotNil(p.t, r.ID, "got request %s, want a probe", r.text)
	p.send("{\"id\": %s, \"error\": {\"class\": \"CommandNotFound\", \"desc\": \"already complete\"}}\r\n", r.ID)
}

// three issues commands a, b, c; a has no id, b and c have 1 and 2.
func three(t *testing.T, p pair) (calls [3]<-chan error, requests [3]request) {
	for i := range calls {
		calls[i] = async(func() error { return p.Execute(t.Context(), string(rune('a'+i)), nil, nil) })
		requests[i] = p.peer.next()
	}
	return calls, requests
}

const cannotParse = "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}\r\n"

// An error without an id belongs to the one command without an id.
func TestErrorWithoutID(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		calls, requests := three(t, p)
		p.peer.send(cannotParse)
		assert.EqualError(t, returned(t, "a", calls[0]), "qmp: a: JSON parse error")
		for i := 1; i < 3; i++ {
			p.peer.answer(requests[i], "{}")
			assert.NoError(t, returned(t, "call", calls[i]), "call %d", i)
		}
	})
}

// If several commands are in flight, an error without an id belongs to the one that gets no
// reply of its own; this is known after the reply to a later command, since servers answer in order.
func TestErrorWithoutIDAmongSeveral(t *testing.T) {
	for lost := 1; lost < 3; lost++ {
		bubble(t, func(t *testing.T, p pair) {
			calls, requests := three(t, p)
			p.peer.answer(requests[0], "{}")
			returned(t, "a", calls[0])
			if lost == 2 {
				p.peer.answer(requests[1], "{}")
				returned(t, "b", calls[1])
			}
			p.peer.send("%s", strings.Repeat(cannotParse, 3)) // QEMU may give several for one command
			pending(t, "the last", calls[2])
			if lost == 1 {
				p.peer.answer(requests[2], "{}")
				assert.NoError(t, returned(t, "c", calls[2]))
			}
			p.peer.refuseProbe()
			err := returned(t, "the call without a reply", calls[lost])
			want := fmt.Sprintf("qmp: %s: JSON parse error", []string{"a", "b", "c"}[lost])
			assert.EqualError(t, err, want)
			// The next has a number, so that a late error cannot be its own.
			done := async(func() error { return p.Execute(t.Context(), "next", nil, nil) })
			p.peer.answer(p.peer.next(), "{}")
			assert.NoError(t, returned(t, "next", done))
		})
	}
}

// Bytes that cannot be read may have been a reply: the call does not hang.
func TestLostReply(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		calls, requests := three(t, p)
		p.peer.answer(requests[0], "{}")
		p.peer.send("{\"return\": {\"x\", \"id\": 1}\r\n") // a comma for a colon
		p.peer.answer(requests[2], "{}")
		for _, i := range []int{0, 2} {
			assert.NoError(t, returned(t, "call", calls[i]), "call %d", i)
		}
		assert.Regexp(t, "^qmp: b: the reply is lost: 26 bytes", returned(t, "b", calls[1]))
		p.peer.refuseProbe()
		synctest.Wait()
		assert.Len(t, p.log.take(), 1, "reports")
	})
	bubble(t, func(t *testing.T, p pair) { // the end of a line is lost, and another reply is in what came
		calls, requests := three(t, p)
		p.peer.answer(requests[0], "{}")
		p.peer.send("{\"return\": {}, \"id\": 1}  {\"return\": {}, \"id\": 2}\r\n")
		assert.Regexp(t, "^qmp: c: reply: not JSON", returned(t, "c", calls[2]))
		p.peer.refuseProbe()
		assert.Regexp(t, "^qmp: b: the reply is lost: qmp: c: reply: not JSON", returned(t, "b", calls[1]))
		returned(t, "a", calls[0])
	})
	bubble(t, func(t *testing.T, p pair) {
		calls, requests := three(t, p)
		p.peer.answer(requests[0], "{}")
		p.peer.send("{\"id\": 1, \"return\": {\"x\"}}\r\nmore\r\n")
		go func() { // one, or another for the second stretch
			for text, err := p.peer.dec.ReadValue(); err == nil; text, err = p.peer.dec.ReadValue() {
				_, id, _ := strings.Cut(string(text), `"id":`)
				fmt.Fprintf(p.peer.rw, "{\"return\": {}, \"id\": %s\r\n", id)
			}
		}()
		returned(t, "a", calls[0])
		for _, i := range []int{1, 2} { // c, too, has been overtaken by the probe
			assert.ErrorContains(t, returned(t, "call", calls[i]), "the reply is lost: ", "call %d", i)
		}
		synctest.Wait()
		assert.Len(t, p.log.take(), 2, "reports")
	})
}

// What is neither an answer nor an event is reported and dropped.
func TestNoMessage(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		for _, text := range []string{`{"hello": 1}`, `{}`} {
			p.peer.send("%s\r\n", text)
			synctest.Wait()
			want := fmt.Sprintf("qmp: a message from the server that is neither an answer nor an event: %q", text)
			if errs := p.log.take(); assert.Len(t, errs, 1, text) {
				assert.EqualError(t, errs[0], want)
			}
		}
		done := async(func() error { return p.Execute(t.Context(), "a", nil, nil) })
		r := p.peer.expect(`{"execute":"a","id":1}`) // to be sure
		p.peer.send("{\"hello\": 1}\r\n")
		pending(t, "a", done)
		p.peer.answer(r, "{}")
		assert.NoError(t, returned(t, "a", done))
		p.peer.refuseProbe()
		synctest.Wait()
		assert.Len(t, p.log.take(), 1, "reports")
	})
}

// No call is in flight with a whole message, which gets the next message that is not an event.
func TestRoundTrip(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		before := async(func() error { return p.Execute(t.Context(), "before", nil, nil) })
		r0 := p.peer.next()
		var got []byte
		const text = "{ \"execute\" : \"x\",\n \"id\":[1] }\n"
		raw := async(func() (err error) { got, err = p.RoundTrip(t.Context(), []byte(text)); return })
		synctest.Wait()
		after := async(func() error { return p.Execute(t.Context(), "after", nil, nil) })
		pending(t, "raw", raw)
		p.peer.answer(r0, "{}")
		assert.NoError(t, returned(t, "before", before))
		assert.Equal(t, strings.TrimSpace(text), p.peer.next().text)
		synctest.Wait()
		p.peer.event("STOP", "")
		pending(t, "raw", raw)
		pending(t, "after", after)
		const answer = `{"return": {"n": inf}, "id": [1]}`
		p.peer.send("%s\r\n", answer)
		assert.NoError(t, returned(t, "raw", raw))
		assert.Equal(t, answer, string(got))
		p.peer.answer(p.peer.expect(`{"execute":"after"}`), "{}")
		assert.NoError(t, returned(t, "after", after))
		for _, answer := range []string{`{"error": {"class": "GenericError", "desc": "no"}}`, `{"other": 1}`,
			`{"return": "` + strings.Repeat("x", 100_000) + `"}`} {
			raw := async(func() (err error) { got, err = p.RoundTrip(t.Context(), []byte("{}")); return })
			p.peer.next()
			p.peer.send("%s\r\n", answer)
			assert.NoError(t, returned(t, "raw", raw))
			assert.Equal(t, answer, string(got))
		}
	})
}

// An abandoned message's answer is recognised, whatever its id.
func TestRoundTripAbandoned(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		ctx, cancel := context.WithCancel(t.Context())
		raw := async(func() error { _, err := p.RoundTrip(ctx, []byte(`{"execute":"x","id":1e0}`)); return err })
		p.peer.next()
		cancel()
		err := returned(t, "raw", raw)
		wantErr(t, err, ErrAbandoned, "qmp: message: context canceled: the command was sent, its reply is abandoned")

		a := async(func() error { return p.Execute(t.Context(), "a", nil, nil) })
		ra := p.peer.expect(`{"execute":"a","id":2}`) // 1 is taken
		b := async(func() error { return p.Execute(t.Context(), "b", nil, nil) })
		rb := p.peer.expect(`{"execute":"b","id":3}`)
		second := async(func() error { _, err := p.RoundTrip(t.Context(), []byte(`{"id":2}`)); return err })
		p.peer.send("{\"id\": 1, \"error\": {\"class\": \"GenericError\", \"desc\": \"late\"}}\r\n")
		pending(t, "a", a)
		p.peer.answer(ra, "{}")
		p.peer.answer(rb, "{}")
		for _, done := range []<-chan error{a, b} {
			assert.NoError(t, returned(t, "call", done))
		}
		p.peer.expect(`{"id":2}`)
		p.peer.send("{\"return\": {}, \"id\": 2}\r\n")
		assert.NoError(t, returned(t, "second", second))
	})
	bubble(t, func(t *testing.T, p pair) { // given up while it waits for its turn
		a := async(func() error { return p.Execute(t.Context(), "a", nil, nil) })
		ra := p.peer.next()
		ctx, cancel := context.WithCancel(t.Context())
		raw := async(func() error { _, err := p.RoundTrip(ctx, []byte(`{}`)); return err })
		synctest.Wait()
		b := async(func() error { return p.Execute(t.Context(), "b", nil, nil) })
		synctest.Wait()
		cancel()
		err := returned(t, "raw", raw)
		assert.ErrorIs(t, err, context.Canceled)
		assert.NotErrorIs(t, err, ErrAbandoned)
		p.peer.answer(p.peer.expect(`{"execute":"b","id":1}`), "{}")
		p.peer.answer(ra, "{}")
		for _, done := range []<-chan error{a, b} {
			assert.NoError(t, returned(t, "call", done))
		}
	})
}

// After several errors for one whole message the next command gets none of them.
func TestErrorBurst(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		raw := async(func() error { _, err := p.RoundTrip(t.Context(), []byte(`{"x":1}`)); return err })
		p.peer.next()
		p.peer.send(cannotParse)
		assert.NoError(t, returned(t, "raw", raw))
		done := async(func() error { return p.Execute(t.Context(), "a", nil, nil) })
		r := p.peer.expect(`{"execute":"a","id":1}`)
		p.peer.send(cannotParse + cannotParse)
		pending(t, "a", done)
		p.peer.answer(r, "{}")
		assert.NoError(t, returned(t, "a", done))
		p.peer.refuseProbe()
		synctest.Wait()
		done = async(func() error { return p.Execute(t.Context(), "b", nil, nil) })
		p.peer.answer(p.peer.next(), "{}") // with a number, if the last error came after the probe was sent
		assert.NoError(t, returned(t, "b", done))
	})
}

// A probe that is itself lost is not waited for: another is sent, and whole messages
// pass.
func TestProbeIsLost(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		for range 2 {
			a := async(func() error { return p.Execute(t.Context(), "a", nil, nil) })
			p.peer.next()
			p.peer.send("garbage\r\n") // instead of its reply
			r := p.peer.next()
			assert.Equal(t, "qmp_capabilities", r.Execute, "got %s, want a probe", r.text)
			b := async(func() error { return p.Execute(t.Context(), "b", nil, nil) })
			later := p.peer.next()
			p.peer.send("garbage\r\n") // instead of the probe's reply
			p.peer.answer(later, "{}")
			p.peer.refuseProbe() // another
			assert.ErrorContains(t, returned(t, "a", a), "the reply is lost")
			assert.NoError(t, returned(t, "b", b))
		}
		whole := async(func() error { _, err := p.RoundTrip(t.Context(), []byte(`{"execute":"x"}`)); return err })
		p.peer.next()
		p.peer.send("{\"return\": {}}\r\n")
		assert.NoError(t, returned(t, "x", whole), "a whole message")
		synctest.Wait()
		p.log.take()
	})
}

// QEMU up to 10.0 answers a command that it cannot parse with many errors. The errors after
// the first are not given to the next command, and do not end the connection.
func TestErrorBurstOfCommand(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		a := async(func() error { return p.Execute(t.Context(), "a", nil, nil) })
		p.peer.expect(`{"execute":"a"}`)
		p.peer.send(cannotParse)
		assert.EqualError(t, returned(t, "a", a), "qmp: a: JSON parse error")
		p.peer.send(cannotParse)
		b := async(func() error { return p.Execute(t.Context(), "b", nil, nil) })
		r := p.peer.expect(`{"execute":"b","id":1}`)
		p.peer.send(cannotParse)
		p.peer.answer(r, "{}")
		assert.NoError(t, returned(t, "b", b))
		p.peer.refuseProbe()
		synctest.Wait()
		p.log.take()
	})
}

// A whole message waits for a probe whose reply is lost, but not forever.
func TestProbeIsLostBeforeWholeMessage(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		a := async(func() error { return p.Execute(t.Context(), "a", nil, nil) })
		ra := p.peer.next()
		p.peer.send("garbage\r\n")
		p.peer.next() // the probe
		p.peer.answer(ra, "{}")
		assert.NoError(t, returned(t, "a", a))
		whole := async(func() error { _, err := p.RoundTrip(t.Context(), []byte(`{"execute":"x"}`)); return err })
		synctest.Wait()
		p.peer.send("garbage\r\n") // instead of the probe's reply
		p.peer.refuseProbe()       // another
		p.peer.answer(p.peer.expect(`{"execute":"x"}`), "{}")
		assert.NoError(t, returned(t, "x", whole))
		synctest.Wait()
		p.log.take()
	})
}

// The server may be unable to parse the first command of a session that did not negotiate: then
// the error has no id, and is still given to this command.
func TestFirstCommandCannotBeParsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		log := new(errorLog)
		c, err := NewConn(t.Context(), ours, WithoutHandshake(), WithEventError(log.add))
		require.NoError(t, err)
		defer c.Close()
		p := newPeer(t, theirs)
		defer theirs.Close()
		a := async(func() error { return c.Execute(t.Context(), "a", nil, nil) })
		p.expect(`{"execute":"a","id":#}`)
		p.send(cannotParse)
		p.answer(p.expect(`{"execute":"query-version","id":#}`), "{}")
		assert.EqualError(t, returned(t, "a", a), "qmp: a: JSON parse error")
		synctest.Wait()
	})
}

// A client that sends only whole messages also notices that there was one reply too many.
func TestStrayReplyOfWholeMessages(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		var right, wrong atomic.Int32
		for i := range 200 {
			p.GoRoundTrip(t.Context(), fmt.Appendf(nil, `{"execute":"c%d"}`, i), func(answer []byte, err error) {
				switch {
				case err != nil:
				case string(answer) == fmt.Sprintf(`{"return": "c%d"}`, i):
					right.Add(1)
				default:
					wrong.Add(1)
				}
			})
		}
		go func() {
			for i := 0; ; i++ {
				text, err := p.peer.dec.ReadValue()
				if err != nil {
					return
				}
				if strings.Contains(string(text), "qmp_capabilities") {
					_, id, _ := strings.Cut(string(text), `"id":`)
					fmt.Fprintf(p.peer.rw, "{\"return\": {}, \"id\": %s\r\n", id)
					continue
				}
				name := strings.Split(string(text), `"`)[3]
				if i == 10 {
					fmt.Fprint(p.peer.rw, "{\"return\": \"stray\"}\r\n")
					time.Sleep(time.Second)
				}
				fmt.Fprintf(p.peer.rw, "{\"return\": %q}\r\n", name)
			}
		}()
		synctest.Wait()
		assert.NoError(t, p.WaitIdle(t.Context()))
		assert.LessOrEqual(t, wrong.Load(), int32(maxUnnumbered), "%d are right", right.Load())
		assert.ErrorContains(t, p.Err(), "do not fit the commands")
	})
}

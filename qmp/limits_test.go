package qmp

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestWindow has more callers than commands may be in flight. Those that wait and whose
// context ends are never sent, and a server that never answers costs bounded memory.
func TestWindow(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		ctx, cancel := context.WithCancel(t.Context())
		var calls []<-chan error
		for i := range 10 * maxInFlight {
			calls = append(calls, async(func() error { return p.Execute(ctx, fmt.Sprint("c", i), nil, nil) }))
			synctest.Wait()
		}
		var sent []request
		for range maxInFlight {
			sent = append(sent, p.peer.next())
		}
		synctest.Wait() // until the last one counts as written
		cancel()
		for i, call := range calls {
			err := returned(t, "call", call)
			assert.ErrorIs(t, err, map[bool]error{true: ErrAbandoned, false: ErrNotSent}[i < maxInFlight], "call %d", i)
			if i == maxInFlight {
				wantErr(t, err, ErrNotSent,
					"qmp: c32: context canceled: the command was not sent: the server has not answered the 32 commands sent before it")
			}
		}
		for range 100 { // abandoned commands are still in flight
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			require.ErrorIs(t, p.Execute(ctx, "late", nil, nil), ErrNotSent)
			cancel()
		}
		next := async(func() error { return p.Execute(t.Context(), "next", nil, nil) })
		pending(t, "next", next)
		p.peer.answer(sent[0], "{}")
		p.peer.answer(p.peer.next(), "{}")
		require.NoError(t, returned(t, "next", next))
		for _, r := range sent[1:] {
			p.peer.answer(r, "{}")
		}
		synctest.Wait()
		assert.Equal(t, maxInFlight, p.LateReplies())
		assert.LessOrEqual(t, len(p.session.flight.numbers.calls), maxInFlight+maxProbes)
	})
}

// TestWindowAfterStall has a server that stalls for 10 s and then takes 10 ms for each
// command that it was sent, with 18 callers who give up after 300 ms.
func TestWindowAfterStall(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		requests := make(chan request, 1000)
		go func() {
			for {
				var r request
				text, err := p.peer.dec.ReadValue()
				if err != nil {
					return
				}
				_, id, ok := strings.Cut(string(text), `"id":`)
				if r.text = "}"; ok {
					r.text = `, "id": ` + id
				}
				requests <- r
			}
		}()
		go func() {
			time.Sleep(10 * time.Second)
			for {
				select {
				case r := <-requests:
					time.Sleep(10 * time.Millisecond)
					fmt.Fprintf(p.peer.rw, "{\"return\": {}%s\r\n", r.text)
				case <-ctx.Done():
					return
				}
			}
		}()
		recovered := make(chan time.Duration, 18)
		for range 18 {
			go func() {
				for ctx.Err() == nil {
					short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
					err := p.Execute(short, "query-status", nil, nil)
					cancel()
					if err == nil {
						recovered <- time.Since(begin) - 10*time.Second
						return
					}
				}
			}()
		}
		for range 18 {
			select {
			case d := <-recovered:
				assert.Less(t, d, 2*time.Second)
			case <-time.After(20 * time.Second):
				t.Fatal("no call of a caller succeeds")
			}
		}
	})
}

// TestEventMemory has twenty subscriptions that nobody reads: the events are stored once,
// and take as much memory as is allowed for all; a reader who keeps up loses nothing.
func TestEventMemory(t *testing.T) {
	const size, limit = 64 << 10, 4 << 20
	bubble(t, func(t *testing.T, p pair) {
		var unread []*Subscription
		for range 20 {
			unread = append(unread, p.Subscribe(nil))
		}
		one := p.Subscribe([]string{"E"})
		reader := p.Subscribe([]string{"E"})
		data := `"` + strings.Repeat("x", size) + `"`
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range 300 { // 19 MiB
			p.peer.event("E", data)
			e, err := reader.Next(t.Context())
			require.NoError(t, err)
			require.Len(t, e.Data, len(data))
		}
		synctest.Wait()
		runtime.GC()
		runtime.ReadMemStats(&after)
		assert.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(2*limit))
		for _, s := range append(unread, one) {
			_, err := s.Next(t.Context())
			var overflow *OverflowError
			require.ErrorAs(t, err, &overflow)
			assert.Greater(t, overflow.Lost, 200)
			for range 300 - overflow.Lost {
				_, err := s.Next(t.Context())
				require.NoError(t, err)
			}
			s.Close()
		}
		one.Close()
		reader.Close()
		r := &p.core.events
		assert.Zero(t, r.used.Load(), "no events are left")
	}, WithMaxMessage(limit))
}

// TestLargeGreeting has a server whose greeting is larger than one can be: it is not
// decoded. What the server owes to an earlier client, and sends before, may be that large.
func TestLargeGreeting(t *testing.T) {
	shake(t, func(t *testing.T, p *peer) {
		go io.WriteString(p.rw, `{"QMP": {"capabilities": [`+strings.Repeat("{},", 1<<20)+"{}]}}")
	}, wantFailure(ErrClosed, "qmp: handshake: connection closed: the greeting is larger than the limit of 65536 bytes"))
	shake(t, func(t *testing.T, p *peer) {
		p.send("the end of one\"}]}\r\n{\"return\": [%s{}]}\r\n", strings.Repeat("{}, ", 1<<18))
		p.handshake()
	}, func(t *testing.T, c *Conn, err error) { require.NoError(t, err) })
}

// TestHostileText has a server whose text would move the cursor and forge a line of a log.
func TestHostileText(t *testing.T) {
	const evil = `\u001b[2J\n2026 root: all is well\u202e\u0000`
	const harmless = `\x1b[2J\n2026 root: all is well\u202e\x00`
	bubble(t, func(t *testing.T, p pair) {
		for _, reply := range []string{
			`"error": {"class": "` + evil + `", "desc": "` + evil + `"}`,
			`"error": "` + evil + `"`,
			`"return": {"` + evil + `": 1}`,
		} {
			done := async(func() error { return p.Execute(t.Context(), "x", nil, &map[string]string{}) })
			if r := p.peer.next(); r.ID != nil {
				reply += `, "id": ` + string(r.ID)
			}
			p.peer.send("{%s}\r\n", reply)
			err := returned(t, "x", done)
			require.Error(t, err)
			assert.Equal(t, -1, strings.IndexFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x202e }), "%q", err.Error())
			if strings.Contains(reply, "class") {
				require.EqualError(t, err, "qmp: x: "+harmless+" ("+harmless+")")
				assert.Equal(t, "\x1b[2J\n2026 root: all is well\u202e\x00", err.(*Error).Desc, "the field is not changed")
			}
		}
		p.peer.send("%s\r\n\x1b[2J\r\n", `{"`+evil+`": 1}`)
		synctest.Wait()
		errs := p.log.take()
		require.Len(t, errs, 2)
		for _, err := range errs {
			assert.NotContains(t, err.Error(), "\x1b")
		}
	})
}

// TestGreetAndDrop has a server that greets, negotiates and closes the connection: it is dialled at
// growing intervals, as if it did not answer.
func TestGreetAndDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials, lasts atomic.Int64
		connect := func(context.Context) (io.ReadWriteCloser, error) {
			ours, theirs := net.Pipe()
			dials.Add(1)
			go func() {
				newPeer(t, theirs).handshake()
				time.Sleep(time.Duration(lasts.Load()))
				theirs.Close()
			}()
			return ours, nil
		}
		c, err := DialFunc(t.Context(), connect, WithReconnect(Reconnect{MinDelay: 100 * time.Millisecond, MaxDelay: 10 * time.Second}))
		require.NoError(t, err)
		defer c.Close()
		time.Sleep(100 * time.Second)
		assert.Less(t, dials.Load(), int64(30))

		lasts.Store(int64(time.Minute)) // it recovers
		time.Sleep(2 * time.Minute)
		before := dials.Load()
		time.Sleep(10 * time.Minute)
		assert.InDelta(t, 10, dials.Load()-before, 1.1)
		c.Close()
		time.Sleep(time.Hour)
	})
}

// TestSetupMustNotWait has functions of WithSetup that issue commands.
func TestSetupMustNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inSetup, sent error
		later := make(chan error, 1)
		setup := WithSetup(func(c *Conn) {
			inSetup = c.Execute(t.Context(), "query-status", nil, nil)
			_, sent = c.RoundTrip(t.Context(), []byte(`{}`))
			c.Go(t.Context(), "stop", nil, nil, func(err error) { later <- err })
		})
		for name, opts := range map[string][]Option{"once": {setup}, "again and again": {setup, WithReconnect(Reconnect{})}} {
			connect := func(context.Context) (io.ReadWriteCloser, error) {
				ours, theirs := net.Pipe()
				go func() {
					p := newPeer(t, theirs)
					p.handshake()
					p.answer(p.expect(`{"execute":"stop"}`), "{}")
				}()
				return ours, nil
			}
			c, err := DialFunc(t.Context(), connect, opts...)
			require.NoError(t, err, name)
			require.EqualError(t, inSetup, "qmp: query-status: a function given to WithSetup must not wait for a command: no reply can come before it returns")
			require.ErrorIs(t, inSetup, ErrNotSent)
			require.ErrorIs(t, sent, ErrNotSent)
			require.NoError(t, <-later)
			c.Close()
		}
	})
}

// TestMayHaveRun has the errors of calls that were refused, that were not sent, and others.
func TestMayHaveRun(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		ctx, cancel := context.WithCancel(t.Context())
		abandoned := async(func() error { return p.Execute(ctx, "a", nil, nil) })
		p.peer.next()
		cancel()
		assert.True(t, MayHaveRun(returned(t, "a", abandoned)))
		assert.False(t, MayHaveRun(p.Execute(ctx, "b", nil, nil)))
		assert.False(t, MayHaveRun(p.Execute(t.Context(), "b", 5, nil)), "arguments that cannot be encoded")
		_, err := p.RoundTrip(t.Context(), []byte("7"))
		assert.False(t, MayHaveRun(err), "a message that is not an object")
		assert.False(t, MayHaveRun(p.With(OutOfBand()).Execute(t.Context(), "b", nil, nil)))
		assert.False(t, MayHaveRun(&Error{}))
		assert.True(t, MayHaveRun(nil))
		p.Close()
		assert.False(t, MayHaveRun(p.Execute(t.Context(), "b", nil, nil)))
	})
}

// TestNoReplyOfOurOwnEnd has a connection that this side ends while a command waits that would
// succeed if the server ended the connection.
func TestNoReplyOfOurOwnEnd(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		done := async(func() error { return p.ExecuteNoReply(t.Context(), "guest-shutdown", nil) })
		p.peer.next()
		go io.WriteString(p.peer.rw, `{"event": "`+strings.Repeat("x", 2000))
		err := returned(t, "guest-shutdown", done)
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorContains(t, err, "larger than the limit")
	}, WithMaxMessage(1000))
}

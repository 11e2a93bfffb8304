package qmp

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAgentAbandoned(t *testing.T) {
	agentBubble(t, func(t *testing.T, p pair) {
		ctx, cancel := context.WithCancel(t.Context())
		_, abandoned := p.ask(ctx, "guest-fsfreeze-freeze")
		p.peer.expect(`{"execute":"guest-fsfreeze-freeze"}`)
		cancel()
		require.ErrorIs(t, returned(t, "the call", abandoned), ErrAbandoned)

		first, done1 := p.ask(t.Context(), "guest-ping")
		number := p.peer.sync() // and nothing else
		second, done2 := p.ask(t.Context(), "guest-ping")
		time.Sleep(agentLimit - time.Second)
		p.peer.send("{\"return\": \"late\"}\n")
		p.peer.synced("1" + number) // an earlier one
		again := p.peer.sync()
		p.peer.synced(number) // what it says to the mark of the next comes after this
		pending(t, "the first call", done1)
		p.peer.synced(again)
		p.peer.answer(p.peer.expect(`{"execute":"guest-ping"}`), `"first"`) // no id is needed any more
		p.peer.answer(p.peer.expect(`{"execute":"guest-ping","id":1}`), `"second"`)
		require.NoError(t, returned(t, "the first call", done1))
		require.NoError(t, returned(t, "the second call", done2))
		assert.Equal(t, []string{"first", "second"}, []string{*first, *second})
	})
}

// TestAgentSlow has an agent that is slow to answer one call while another is abandoned: the first
// call has no time limit.
func TestAgentSlow(t *testing.T) {
	agentBubble(t, func(t *testing.T, p pair) {
		slow, slowDone := p.ask(t.Context(), "guest-fstrim")
		r := p.peer.expect(`{"execute":"guest-fstrim"}`)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, abandoned := p.ask(ctx, "guest-info")
		p.peer.expect(`{"execute":"guest-info","id":1}`)
		require.ErrorIs(t, returned(t, "the call", abandoned), ErrAbandoned)
		_, next := p.ask(t.Context(), "guest-ping")
		time.Sleep(10 * agentLimit)
		pending(t, "the slow call", slowDone)
		pending(t, "the next call", next)

		p.peer.answer(r, `"trimmed"`)
		p.peer.synced(p.peer.sync())
		p.peer.answer(p.peer.expect(`{"execute":"guest-ping"}`), `""`)
		require.NoError(t, returned(t, "the slow call", slowDone))
		require.NoError(t, returned(t, "the next call", next))
		assert.Equal(t, "trimmed", *slow)
	})
}

// TestAgentWithoutSync writes a command to an agent that is silent, and gets its reply when the
// agent goes on.
func TestAgentWithoutSync(t *testing.T) {
	agentBubble(t, func(t *testing.T, p pair) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, frozen := p.ask(ctx, "guest-fsfreeze-freeze")
		p.peer.next()
		require.ErrorIs(t, returned(t, "the freeze", frozen), ErrAbandoned)

		var thawed int
		thaw := async(func() error {
			return p.With(WithoutSync()).Execute(t.Context(), "guest-fsfreeze-thaw", nil, &thawed)
		})
		_, later := p.ask(t.Context(), "guest-ping")
		number := p.peer.sync()
		r := p.peer.expect(`{"execute":"guest-fsfreeze-thaw","id":#}`)
		pending(t, "the thaw", thaw)
		time.Sleep(agentLimit + time.Second) // nobody is there for guest-ping
		require.ErrorIs(t, returned(t, "the ping", later), ErrNoAgent)
		pending(t, "the thaw", thaw)

		p.peer.sync()                    // another, which could not be written before
		p.peer.send("{\"return\": 3}\n") // to the freeze
		p.peer.synced(number)
		p.peer.answer(r, "3")
		require.NoError(t, returned(t, "the thaw", thaw))
		assert.Equal(t, 3, thawed)
	})
	agentBubble(t, func(t *testing.T, p pair) { // together with a slow command
		_, slow := p.ask(t.Context(), "guest-fstrim")
		r := p.peer.next()
		ctx, cancel := context.WithCancel(t.Context())
		_, abandoned := p.ask(ctx, "guest-info")
		a := p.peer.next()
		cancel()
		require.ErrorIs(t, returned(t, "the call", abandoned), ErrAbandoned)
		thaw := async(func() error { return p.With(WithoutSync()).Execute(t.Context(), "guest-fsfreeze-thaw", nil, nil) })
		r2 := p.peer.expect(`{"execute":"guest-fsfreeze-thaw","id":#}`)
		p.peer.answer(r, `""`)
		p.peer.answer(a, `""`)
		p.peer.answer(r2, `1`)
		require.NoError(t, returned(t, "the slow call", slow))
		require.NoError(t, returned(t, "the thaw", thaw))
	})
}

func TestAgentDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		p := newPeer(t, &agentEnd{Conn: theirs})
		go func() { p.synced(p.sync()) }()
		c, err := NewAgentConn(t.Context(), ours)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, c.Execute(ctx, "guest-file-write", nil, nil), ErrAbandoned)
		for range 2 {
			before := time.Now()
			err = c.Execute(t.Context(), "guest-ping", nil, nil)
			require.ErrorIs(t, err, ErrNoAgent)
			require.Equal(t, agentLimit, time.Since(before))
		}
		// In the end the agent reads again.
		ping := async(func() error { return c.Execute(t.Context(), "guest-ping", nil, nil) })
		time.Sleep(agentLimit / 2)
		p.next()
		p.synced(p.sync())
		p.answer(p.next(), "{}")
		require.NoError(t, returned(t, "guest-ping", ping))
		c.Close()
		theirs.Close()
		time.Sleep(time.Hour)
	})
}

func TestEagerCallAbandonedWhileSynchronising(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go func() { // an agent that does not answer
			b := make([]byte, 1000)
			for _, err := theirs.Read(b); err == nil; _, err = theirs.Read(b) {
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := NewAgentConn(t.Context(), ours, WithSetup(func(c *Conn) {
			c.With(WithoutSync()).Go(ctx, "a", nil, nil, nil)
		}))
		assert.ErrorIs(t, err, ErrNoAgent)
		assert.Equal(t, 10*time.Second, time.Since(start))
	})
}

func TestEagerCallAbandoned(t *testing.T) {
	agentBubble(t, func(t *testing.T, p pair) {
		ctx, cancel := context.WithCancel(t.Context())
		_, first := p.ask(ctx, "guest-info")
		p.peer.next()
		cancel()
		require.ErrorIs(t, returned(t, "the call", first), ErrAbandoned)
		ctx, cancel = context.WithCancel(t.Context())
		eager := async(func() error { return p.With(WithoutSync()).Execute(ctx, "guest-fsfreeze-thaw", nil, nil) })
		number := p.peer.sync()
		p.peer.next()
		cancel()
		require.ErrorIs(t, returned(t, "the eager call", eager), ErrAbandoned)
		p.peer.synced(number)
		synctest.Wait()
		_, done := p.ask(t.Context(), "guest-ping")
		p.peer.synced(p.peer.sync())
		p.peer.answer(p.peer.expect(`{"execute":"guest-ping"}`), `""`)
		require.NoError(t, returned(t, "the ping", done))
	})
}

func TestAgentProbeNotSent(t *testing.T) {
	agentBubble(t, func(t *testing.T, p pair) {
		for range 2 {
			ctx, cancel := context.WithCancel(t.Context())
			_, asked := p.ask(ctx, "guest-info")
			p.peer.next()
			_, given := p.ask(ctx, strings.Repeat("x", 100)) // nobody reads it for now
			synctest.Wait()
			p.peer.send("garbage\n")
			synctest.Wait() // a probe waits
			cancel()
			require.ErrorIs(t, returned(t, "the call", asked), ErrAbandoned)
			require.ErrorIs(t, returned(t, "the call", given), ErrAbandoned)
			_, next := p.ask(t.Context(), "guest-ping")
			require.ErrorIs(t, returned(t, "the ping", next), ErrNoAgent)
			p.peer.next()
			_, next = p.ask(t.Context(), "guest-ping")
			p.peer.synced(p.peer.sync())
			p.peer.answer(p.peer.next(), `""`)
			require.NoError(t, returned(t, "the ping", next))
		}
		_, asked := p.ask(t.Context(), "guest-info")
		p.peer.next()
		p.peer.send("garbage\n") // instead of its reply
		r := p.peer.next()
		assert.Equal(t, "query-version", r.Execute, "a probe")
		p.peer.refuse(r, `{"class": "CommandNotFound", "desc": ""}`)
		require.ErrorContains(t, returned(t, "the call", asked), "the reply is lost")
		synctest.Wait()
		p.log.take()
	})
}

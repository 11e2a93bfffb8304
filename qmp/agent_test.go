package qmp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp/internal/wire"
)

// agentEnd is an agent's end of a stream, for a peer: it counts the marks, which
// a peer cannot read.
type agentEnd struct {
	net.Conn
	marks atomic.Int32
}

func (a *agentEnd) Read(b []byte) (int, error) {
	n, err := a.Conn.Read(b)
	for i, c := range b[:n] {
		if c == wire.Resync {
			a.marks.Add(1)
			b[i] = ' '
		}
	}
	return n, err
}

// sync takes a synchronisation and returns its number.
func (p *peer) sync() string {
	p.t.Helper()
	r := p.next()
	number := string(r.ID)
	want := `{"execute":"guest-sync-delimited","arguments":{"id":` + number + `},"id":` + number + `}`
	assert.Equal(p.t, want, r.text, "peer: a synchronisation")
	return number
}

// synced answers a synchronisation as agents do that do not know the mark.
func (p *peer) synced(number string) {
	p.t.Helper()
	p.send("{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error, stray '\\uFFFD'\"}}\n")
	p.send("\xff{\"return\": %s, \"id\": %[1]s}\n", number)
}

const agentLimit = 10 * time.Second

// agentBubble runs f in a bubble with a connection to an agent.
func agentBubble(t *testing.T, f func(t *testing.T, p pair)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		end := &agentEnd{Conn: theirs}
		p := pair{peer: newPeer(t, end), log: new(errorLog)}
		dialled := async(func() (err error) {
			p.Conn, err = NewAgentConn(t.Context(), ours, WithEventError(p.log.add))
			return err
		})
		p.peer.synced(p.peer.sync())
		require.NoError(t, returned(t, "the dial", dialled))
		require.Zero(t, end.marks.Load(), "the first synchronisation has no mark, which not all agents know")
		f(t, p)
		p.Close()
		theirs.Close()
		synctest.Wait()
		assert.Empty(t, p.log.take(), "reported")
	})
}

// ask executes a command in the background.
func (p pair) ask(ctx context.Context, command string) (*string, <-chan error) {
	result := new(string)
	return result, async(func() error { return p.Execute(ctx, command, nil, result) })
}

func TestAgentStale(t *testing.T) {
	for name, stale := range map[string]string{
		"nothing":          "",
		"a late reply":     "{\"return\": 7}\n",
		"a late error":     "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": 7}\n",
		"half a reply":     "{\"return\": [1, 2",
		"half a string":    "{\"return\": \"abc\\",
		"a mark in a name": "{\"re\xffturn\": 5}\n",
		"half a large one": "{\"return\": \"" + strings.Repeat("x", wire.MaxRescan+1),
		"the other half":   "xyz\", \"eof\": true}}\n",
		"somebody's sync":  "\xff{\"return\": 12}\n\xff\xff{\"return\": 12}\n",
		"a lot":            strings.Repeat("x", 1<<20) + "\n\xff" + strings.Repeat("y", 1<<20) + "\n",
		"broken and marks": "\xff{\"return\": \xff\xff\n\n\n",
		"a stray greeting": greetingText,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				defer theirs.Close()
				log := new(errorLog)
				dialled := async(func() error {
					c, err := NewAgentConn(t.Context(), ours, WithEventError(log.add))
					if err != nil {
						return err
					}
					defer c.Close()
					var text string
					if err := c.Execute(t.Context(), "guest-info", nil, &text); text != "mine" {
						return fmt.Errorf("got %q: %w", text, err)
					}
					return nil
				})
				p := newPeer(t, &agentEnd{Conn: theirs})
				p.send("%s", stale)
				p.synced(p.sync())
				p.answer(p.expect(`{"execute":"guest-info"}`), `"mine"`)
				require.NoError(t, returned(t, "the dial", dialled))
				require.Empty(t, log.take(), "stale messages are not reported")
			})
		})
	}
}

// TestAgentDial dials streams without an agent at the other end.
func TestAgentDial(t *testing.T) {
	t.Run("nobody reads", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer theirs.Close()
			begin := time.Now()
			_, err := NewAgentConn(t.Context(), ours, WithHandshakeTimeout(time.Minute))
			wantErr(t, err, ErrNoAgent, "qmp: synchronise with the guest agent: no guest agent answers within 1m0s: "+
				"it is not running, or it is busy with an earlier command: context deadline exceeded")
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, time.Minute, time.Since(begin))
		})
	})
	t.Run("the caller's own limit", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer theirs.Close()
			go io.Copy(io.Discard, theirs)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := NewAgentConn(ctx, ours)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, ErrNoAgent)
		})
	})
	t.Run("it is closed", func(t *testing.T) {
		ours, theirs := net.Pipe()
		theirs.Close()
		_, err := NewAgentConn(t.Context(), ours)
		require.ErrorIs(t, err, ErrClosed)
	})
	t.Run("it is QEMU", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer theirs.Close()
			dialled := async(func() error {
				_, err := NewAgentConn(t.Context(), ours)
				return err
			})
			p := newPeer(t, &agentEnd{Conn: theirs})
			p.send(greetingText)
			for range 2 { // the first refusal could be of something else
				p.send("{\"id\": %s, \"error\": {\"class\": \"CommandNotFound\", \"desc\": \"negotiate first\"}}\n", p.sync())
			}
			refused := new(Error)
			require.ErrorAs(t, returned(t, "the dial", dialled), &refused)
			assert.Equal(t, &Error{"guest-sync-delimited", ClassCommandNotFound, "negotiate first"}, refused)
		})
	})
}

func TestAgentDies(t *testing.T) {
	agentBubble(t, func(t *testing.T, p pair) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		suspended := async(func() error { return p.ExecuteNoReply(ctx, "guest-suspend-ram", nil) })
		p.peer.expect(`{"execute":"guest-suspend-ram","id":1}`)
		require.ErrorIs(t, returned(t, "suspending", suspended), ErrAbandoned)

		begin := time.Now()
		_, done := p.ask(t.Context(), "guest-ping")
		old := p.peer.sync()
		err := returned(t, "the call", done)
		wantErr(t, err, ErrNoAgent, "qmp: guest-ping: no guest agent answers within 10s: "+
			"it is not running, or it is busy with an earlier command: context deadline exceeded")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, agentLimit, time.Since(begin))

		// The agent is back, and has forgotten what came before.
		text, done := p.ask(t.Context(), "guest-ping")
		repeated := p.peer.sync() // could not be written before
		number := p.peer.sync()
		p.peer.synced(old)
		p.peer.synced(repeated)
		p.peer.synced(number)
		p.peer.answer(p.peer.expect(`{"execute":"guest-ping"}`), `"back"`)
		require.NoError(t, returned(t, "the call", done))
		assert.Equal(t, "back", *text)
	})
}

// TestAgentStarts dials before the agent has started: what is written to the port
// before is lost.
func TestAgentStarts(t *testing.T) {
	for name, limit := range map[string]time.Duration{"with a limit": 45 * time.Second, "without": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				end := &agentEnd{Conn: theirs}
				p := newPeer(t, end)
				begin := time.Now()
				dialled := async(func() error {
					c, err := NewAgentConn(t.Context(), ours, WithHandshakeTimeout(limit))
					if err == nil {
						err = c.Execute(t.Context(), "guest-ping", nil, nil)
						c.Close()
					}
					return err
				})
				for time.Since(begin) < time.Second { // lost
					p.sync()
				}
				p.synced(p.sync())
				p.answer(p.expect(`{"execute":"guest-ping"}`), "{}")
				require.NoError(t, returned(t, "the dial", dialled))
				assert.Less(t, time.Since(begin), 4*time.Second)
				assert.Positive(t, end.marks.Load(), "later synchronisations begin with the mark")
				theirs.Close()
			})
		})
	}
}

// TestAgentHalf has an agent that reads the first synchronisation as the end of a message
// that an earlier client has begun.
func TestAgentHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		begin := time.Now()
		dialled := async(func() error {
			c, err := NewAgentConn(t.Context(), ours)
			if err == nil {
				c.Close()
			}
			return err
		})
		p := newPeer(t, &agentEnd{Conn: theirs})
		number := p.sync()
		synctest.Wait() // its write has ended
		p.send("{\"error\": {\"class\": \"GenericError\", \"desc\": \"lacks member 'execute'\"}, \"id\": %s}\n", number)
		p.synced(p.sync())
		require.NoError(t, returned(t, "the dial", dialled))
		assert.Zero(t, time.Since(begin), "the next synchronisation is sent at once")
	})
}

// TestAgentLines has an agent that reads lines and is slow to answer the first
// synchronisation: its error about the mark of the second is not the answer to a call.
func TestAgentLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go func() {
			lines := bufio.NewScanner(theirs)
			for first := true; lines.Scan(); first = false {
				line, marked := strings.CutPrefix(lines.Text(), "\xff")
				if first {
					time.Sleep(time.Second)
				}
				if marked {
					fmt.Fprint(theirs, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"stray\"}}\n")
				}
				var r request
				assert.NoError(t, json.Unmarshal([]byte(line), &r), "%q", line)
				_, number, _ := strings.Cut(string(r.Args), ":")
				if number = strings.TrimSuffix(number, "}"); number == "" {
					number = "{}"
				}
				id := ""
				if r.ID != nil {
					id = `, "id": ` + string(r.ID)
				}
				fmt.Fprintf(theirs, "{\"return\": %s%s}\n", number, id)
			}
		}()
		c, err := NewAgentConn(t.Context(), ours)
		require.NoError(t, err)
		for range 3 {
			require.NoError(t, c.Execute(t.Context(), "guest-ping", nil, nil))
		}
		_, err = c.RoundTrip(t.Context(), []byte(`{"execute":"guest-ping"}`))
		require.NoError(t, err)
		c.Close()
		theirs.Close()
		time.Sleep(time.Hour)
	})
}

// TestAgentWhole sends a whole message after an abandoned call.
func TestAgentWhole(t *testing.T) {
	agentBubble(t, func(t *testing.T, p pair) {
		ctx, cancel := context.WithCancel(t.Context())
		_, abandoned := p.ask(ctx, "guest-info")
		p.peer.next()
		cancel()
		require.ErrorIs(t, returned(t, "the call", abandoned), ErrAbandoned)
		done := async(func() error {
			answer, err := p.RoundTrip(t.Context(), []byte(`{"execute":"guest-ping","id":"x"}`))
			if string(answer) != `{"return": {}, "id": "x"}` {
				return errors.Join(err, errors.New(string(answer)))
			}
			return err
		})
		p.peer.synced(p.peer.sync())
		p.peer.answer(p.peer.next(), "{}")
		require.NoError(t, returned(t, "the message", done))
	})
}

// TestAgentCannotParse has an agent that could not parse one of two calls while a
// third is abandoned: the session finds out which one, and then synchronises.
func TestAgentCannotParse(t *testing.T) {
	agentBubble(t, func(t *testing.T, p pair) {
		_, first := p.ask(t.Context(), "guest-info")
		r := p.peer.next()
		_, lost := p.ask(t.Context(), "guest-get-time")
		p.peer.next()
		ctx, cancel := context.WithCancel(t.Context())
		_, abandoned := p.ask(ctx, "guest-get-users")
		p.peer.next()
		cancel()
		require.ErrorIs(t, returned(t, "the call", abandoned), ErrAbandoned)
		_, next := p.ask(t.Context(), "guest-ping")
		p.peer.answer(r, `""`)
		require.NoError(t, returned(t, "the first call", first))
		p.peer.send("{\"error\": {\"class\": \"GenericError\", \"desc\": \"cannot parse\"}}\n")
		probe := p.peer.next()
		assert.Equal(t, "query-version", probe.Execute)
		p.peer.answer(probe, "{}")
		require.Error(t, returned(t, "the lost call", lost))
		p.peer.synced(p.peer.sync())
		p.peer.answer(p.peer.expect(`{"execute":"guest-ping"}`), `""`)
		require.NoError(t, returned(t, "the next call", next))
	})
}

// TestAgentSetup has a call that is made before the connection is there.
func TestAgentSetup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		early := make(chan error, 1)
		dialled := async(func() error {
			c, err := NewAgentConn(t.Context(), ours, WithSetup(func(c *Conn) {
				c.Go(t.Context(), "guest-info", nil, nil, func(err error) { early <- err })
			}))
			if err == nil {
				err = c.WaitIdle(t.Context())
				c.Close()
			}
			return err
		})
		p := newPeer(t, &agentEnd{Conn: theirs})
		p.synced(p.sync())
		p.answer(p.expect(`{"execute":"guest-info"}`), "{}")
		require.NoError(t, returned(t, "the early call", early))
		require.NoError(t, returned(t, "the dial", dialled))
	})
}

func TestAgentCloses(t *testing.T) {
	agentBubble(t, func(t *testing.T, p pair) {
		done := async(func() error { return p.ExecuteNoReply(t.Context(), "guest-shutdown", nil) })
		p.peer.next()
		p.peer.rw.Close()
		require.NoError(t, returned(t, "the shutdown", done), "the agent has gone")
		_, next := p.ask(t.Context(), "guest-ping")
		require.ErrorIs(t, returned(t, "the next call", next), ErrClosed)
	})
}

// FuzzAgentStale checks that a client gets in step whatever an earlier client has left in the
// stream.
func FuzzAgentStale(f *testing.F) {
	f.Add([]byte("{\"return\": [1, 2"))
	f.Add([]byte("\xff{\"return\": \"\\"))
	f.Add([]byte("}{\"a\":{\xff\n"))
	f.Fuzz(func(t *testing.T, stale []byte) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		go func() {
			p := newPeer(t, &agentEnd{Conn: theirs})
			p.send("%s", stale)
			p.synced(p.sync())
			p.answer(p.next(), `"mine"`)
		}()
		c, err := NewAgentConn(t.Context(), ours, WithEventError(func(err error) { assert.NoError(t, err) }))
		require.NoError(t, err)
		defer c.Close()
		var text string
		require.NoError(t, c.Execute(t.Context(), "guest-info", nil, &text))
		require.Equal(t, "mine", text)
	})
}

// An agent that does not read counts as absent: calls that wait for the end of a write for
// which nobody waits fail.
// A command that did not wait for the first synchronisation, and is given up before it has
// ended, does not change it.
// A command that was sent without waiting for a synchronisation, and given up, has the next
// command synchronise again: its reply may still come, or never.
// An agent that does not read does not count a probe that was not sent forever.
// Agents that send no ids back get one command at a time, as often as needed.
func TestAgentWithoutIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		p := newPeer(t, &agentEnd{Conn: theirs})
		go func() {
			p.send("{\"return\": %s}\n", p.sync())
			for text, err := p.dec.ReadValue(); err == nil; text, err = p.dec.ReadValue() {
				name := strings.Split(string(text), `"`)[3]
				if name == "refused" {
					p.send("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\n")
				} else {
					p.send("{\"return\": %q}\n", name)
				}
			}
		}()
		c, err := NewAgentConn(t.Context(), ours)
		require.NoError(t, err)
		defer c.Close()
		for range 100 {
			require.EqualError(t, c.Execute(t.Context(), "refused", nil, nil), "qmp: refused: no")
			var calls []<-chan error
			for i := range 3 {
				calls = append(calls, async(func() error {
					want, got := fmt.Sprint("c", i), ""
					err := c.Execute(t.Context(), want, nil, &got)
					if err == nil && got != want {
						err = fmt.Errorf("%s got the reply of %s", want, got)
					}
					return err
				}))
			}
			for _, call := range calls {
				require.NoError(t, returned(t, "call", call))
			}
		}
	})
}

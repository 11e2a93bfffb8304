package qmp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A redialled connection, in a bubble: each session leads to another peer.
type redialled struct {
	*Conn
	t     *testing.T
	peers chan *peer
	log   *errorLog

	mu    sync.Mutex
	away  int // how many more attempts fail
	tries []time.Time
}

var errAway = errors.New("nobody there")

func (r *redialled) connect(context.Context) (io.ReadWriteCloser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries = append(r.tries, time.Now())
	if r.away > 0 {
		r.away--
		return nil, errAway
	}
	ours, theirs := net.Pipe()
	r.peers <- newPeer(r.t, theirs)
	return ours, nil
}

// next is the peer that the connection leads to next, which negotiates.
func (r *redialled) next() *peer {
	r.t.Helper()
	select {
	case p := <-r.peers:
		p.handshake()
		return p
	case <-time.After(time.Hour):
		panic("nobody connects")
	}
}

// reconnecting runs f with a connection that is there, and its first peer.
func reconnecting(t *testing.T, cfg Reconnect, f func(t *testing.T, r *redialled, p *peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		r := &redialled{t: t, peers: make(chan *peer, 10), log: new(errorLog)}
		first := make(chan *peer, 1)
		go func() { first <- r.next() }()
		conn, err := DialFunc(t.Context(), r.connect, WithReconnect(cfg), WithEventError(r.log.add))
		require.NoError(t, err)
		r.Conn, r.tries = conn, nil
		f(t, r, <-first)
		conn.Close()
		synctest.Wait()
		assert.Empty(t, r.log.take(), "reported")
	})
}

func TestReconnect(t *testing.T) {
	var lost, restored []error
	cfg := Reconnect{
		OnDisconnect: func(err error) { lost = append(lost, err) },
		OnReconnect:  func(c *Conn) { restored = append(restored, c.Err()) },
	}
	reconnecting(t, cfg, func(t *testing.T, r *redialled, p *peer) {
		all := r.Subscribe(nil)
		var handled []string
		defer r.OnEvent("STOP", func(e Event) { handled = append(handled, string(e.Data)) })()
		p.event("STOP", `{"n": 1}`)
		inFlight := async(func() error { return r.Execute(t.Context(), "device_add", nil, nil) })
		p.expect(`{"execute":"device_add"}`)
		unsent := async(func() error { return r.Execute(t.Context(), "query-a", nil, nil) })
		synctest.Wait() // it is being written, to nobody
		waits := async(func() error { return r.Execute(t.Context(), "query-b", nil, nil) })
		synctest.Wait()
		r.away = 2
		p.rw.Close()

		const eof = "connection closed by the server"
		err := returned(t, "the command in flight", inFlight)
		wantErr(t, err, ErrClosed, "qmp: device_add: "+eof)
		assert.NotErrorIs(t, err, ErrNotSent, "it may have run")
		assert.NotErrorIs(t, returned(t, "the command being written", unsent), ErrNotSent, "some of it may have been read")
		pending(t, "the command that was not sent", waits)
		late := async(func() error { return r.Execute(t.Context(), "query-c", nil, nil) })
		pending(t, "a command without a connection", late)

		p = r.next()
		p.event("STOP", `{"n": 2}`)
		seen := map[string]bool{}
		for range 2 {
			q := p.next()
			seen[q.Execute] = true
			p.answer(q, "{}")
		}
		assert.Equal(t, map[string]bool{"query-b": true, "query-c": true}, seen, "sent again")
		for what, done := range map[string]<-chan error{"query-b": waits, "query-c": late} {
			assert.NoError(t, returned(t, what, done), what)
		}
		assert.NoError(t, r.WaitIdle(t.Context()))
		assert.NoError(t, r.Err())

		for i, want := range []string{`{"n": 1}`, "", `{"n": 2}`} {
			e, err := all.Next(t.Context())
			if want == "" {
				assert.ErrorAs(t, err, new(*GapError), "event %d: %v", i, e)
				wantErr(t, err, io.EOF, "qmp: events may be missing here: "+eof)
				continue
			}
			assert.NoError(t, err, "event %d", i)
			assert.Equal(t, want, string(e.Data), "event %d", i)
		}
		synctest.Wait()
		assert.Equal(t, []string{`{"n": 1}`, `{"n": 2}`}, handled)
		if assert.Len(t, lost, 1) {
			assert.ErrorIs(t, lost[0], io.EOF)
		}
		assert.Equal(t, []error{nil}, restored)

		r.Close()
		<-r.Done()
		_, err = all.Next(t.Context())
		wantErr(t, err, ErrClosed, "qmp: events: connection closed")
		wantErr(t, r.Execute(t.Context(), "x", nil, nil), ErrNotSent, "qmp: x: connection closed: the command was not sent")
		wantErr(t, r.Err(), ErrClosed, "qmp: connection closed")
	})
}

// However long OnDisconnect takes, it and OnReconnect are called in order.
func TestReconnectCallbackOrder(t *testing.T) {
	var said []string
	var gate chan struct{} // of the bubble
	cfg := Reconnect{
		OnDisconnect: func(error) {
			<-gate
			said = append(said, "lost")
		},
		OnReconnect: func(*Conn) { said = append(said, "restored") },
	}
	reconnecting(t, cfg, func(t *testing.T, r *redialled, p *peer) {
		gate = make(chan struct{})
		for range 3 {
			p.rw.Close()
			p = r.next()
		}
		synctest.Wait()
		close(gate)
		synctest.Wait()
		assert.Equal(t, []string{"lost", "restored", "lost", "restored", "lost", "restored"}, said)
	})
}

// After a reconnection the server may still send a reply to the connection that was
// lost. It is not given to any call.
func TestReconnectLeftover(t *testing.T) {
	reconnecting(t, Reconnect{}, func(t *testing.T, r *redialled, p *peer) {
		lost := async(func() error { return r.Execute(t.Context(), "query-qmp-schema", nil, nil) })
		p.next()
		p.rw.Close()
		wantErr(t, returned(t, "the call", lost), ErrClosed, "qmp: query-qmp-schema: connection closed by the server")

		p = <-r.peers
		p.send("%s{\"return\": [\"the schema\"]}\r\n", greetingText)
		p.answer(p.expect(`{"execute":"qmp_capabilities","id":#}`), "{}")
		var got string
		done := async(func() error { return r.Execute(t.Context(), "query-name", nil, &got) })
		p.answer(p.expect(`{"execute":"query-name"}`), `"vm"`)
		assert.NoError(t, returned(t, "query-name", done))
		assert.Equal(t, "vm", got)
		synctest.Wait()
		errs := r.log.take()
		if assert.Len(t, errs, 1, "reported") {
			assert.ErrorContains(t, errs[0], "belongs to an earlier client")
		}
	})
}

// Attempts come at growing intervals, each shortened by up to a half.
func TestReconnectBackoff(t *testing.T) {
	reconnecting(t, Reconnect{MinDelay: time.Second, MaxDelay: 5 * time.Second}, func(t *testing.T, r *redialled, p *peer) {
		r.away = 5
		last := time.Now()
		p.rw.Close()
		r.next()
		synctest.Wait()
		r.mu.Lock()
		defer r.mu.Unlock()
		for i, seconds := range []int{1, 2, 4, 5, 5, 5} {
			require.Greater(t, len(r.tries), i, "attempts")
			most := time.Duration(seconds) * time.Second
			d := r.tries[i].Sub(last)
			assert.GreaterOrEqual(t, d, most/2, "attempt %d", i)
			assert.LessOrEqual(t, d, most, "attempt %d", i)
			last = r.tries[i]
		}
	})
}

func TestReconnectFailFast(t *testing.T) {
	reconnecting(t, Reconnect{FailFast: true}, func(t *testing.T, r *redialled, p *peer) {
		p.rw.Close()
		synctest.Wait()
		const text = "qmp: x: connection closed by the server: the command was not sent"
		wantErr(t, r.Execute(t.Context(), "x", nil, nil), ErrNotSent, text)
		done := make(chan error, 1)
		r.Go(t.Context(), "x", nil, nil, func(err error) { done <- err })
		wantErr(t, returned(t, "Go", done), ErrNotSent, text)
		p = r.next()
		synctest.Wait()
		ok := async(func() error { return r.Execute(t.Context(), "x", nil, nil) })
		p.answer(p.next(), "{}")
		assert.NoError(t, returned(t, "x", ok))
	})
}

func TestReconnectContext(t *testing.T) {
	reconnecting(t, Reconnect{}, func(t *testing.T, r *redialled, p *peer) {
		r.away = 1 << 30
		p.rw.Close()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		const text = "qmp: x: context deadline exceeded: the command was not sent; there is no connection: nobody there"
		err := r.Execute(ctx, "x", nil, nil)
		wantErr(t, err, context.DeadlineExceeded, text)
		assert.ErrorIs(t, err, ErrNotSent, "the call was not sent")
		assert.NotErrorIs(t, err, ErrClosed, "the connection has not ended for good")
		short := r.With(Timeout(time.Second))
		before := time.Now()
		wantErr(t, short.Execute(t.Context(), "x", nil, nil), context.DeadlineExceeded,
			strings.Replace(text, ": the command", ": no reply within 1s: the command", 1))
		assert.Equal(t, time.Second, time.Since(before))
		idle := async(func() error { return r.WaitIdle(t.Context()) })
		assert.NoError(t, returned(t, "Wait", idle))
		waits := async(func() error { return r.Execute(t.Context(), "x", nil, nil) })
		synctest.Wait()
		idle = async(func() error { return r.WaitIdle(t.Context()) })
		pending(t, "Wait", idle)
		r.Close()
		wantErr(t, returned(t, "x", waits), ErrClosed, "qmp: x: connection closed: the command was not sent")
		assert.NoError(t, returned(t, "Wait", idle))
	})
}

// If GiveUp returns true, for example after quit, the connection ends as any other does.
func TestReconnectGiveUp(t *testing.T) {
	quit := false
	asked := 0
	cfg := Reconnect{GiveUp: func(failed int, err error) bool { asked++; return quit || failed == 3 }}
	reconnecting(t, cfg, func(t *testing.T, r *redialled, p *peer) {
		quit = true
		done := async(func() error { return r.Execute(t.Context(), "quit", nil, nil) })
		p.answer(p.next(), "{}")
		p.rw.Close()
		assert.NoError(t, returned(t, "quit", done))
		<-r.Done()
		wantErr(t, r.Err(), io.EOF, "qmp: connection closed by the server")
		assert.Equal(t, 1, asked)
		assert.Empty(t, r.tries)
	})
	quit = false
	reconnecting(t, cfg, func(t *testing.T, r *redialled, p *peer) {
		r.away = 10
		p.rw.Close()
		<-r.Done()
		wantErr(t, r.Err(), errAway, "qmp: connection closed: nobody there")
		assert.Len(t, r.tries, 3)
	})
}

func TestReconnectDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &redialled{t: t, peers: make(chan *peer, 10), away: 3}
		_, err := DialFunc(t.Context(), r.connect, WithReconnect(Reconnect{}))
		wantErr(t, err, errAway, "nobody there")

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r.away, r.tries = 1<<30, nil
		_, err = DialFunc(ctx, r.connect, WithReconnect(Reconnect{RetryFirst: true}))
		wantErr(t, err, context.DeadlineExceeded,
			fmt.Sprintf("qmp: waiting for a connection: context deadline exceeded; %d attempts failed, the last: nobody there", len(r.tries)))

		r.away = 3
		go r.next()
		c, err := DialFunc(t.Context(), r.connect, WithReconnect(Reconnect{RetryFirst: true}))
		require.NoError(t, err)
		assert.Equal(t, 11, c.Greeting().Version.Major)
		c.Close()
	})
	ours, theirs := net.Pipe()
	_, err := NewConn(t.Context(), ours, WithReconnect(Reconnect{}))
	assert.Error(t, err, "a stream cannot be made again")
	_, err = theirs.Read(make([]byte, 1))
	assert.Equal(t, io.EOF, err, "the stream was not closed")
}

// A gap is reported even if the queue had no room for it.
func TestReconnectGapAndOverflow(t *testing.T) {
	reconnecting(t, Reconnect{}, func(t *testing.T, r *redialled, p *peer) {
		sub := r.Subscribe(nil, Buffer(2))
		for range 3 {
			p.event("A", "")
		}
		p.rw.Close()
		p = r.next()
		p.event("B", "")
		p.event("C", "")
		synctest.Wait()
		var said []string
		for range 4 {
			e, err := sub.Next(t.Context())
			switch err := err.(type) {
			case nil:
				said = append(said, e.Name)
			case *OverflowError:
				said = append(said, fmt.Sprint("lost ", err.Lost))
			case *GapError:
				said = append(said, "gap")
			}
		}
		assert.Equal(t, []string{"lost 3", "gap", "B", "C"}, said)
	})
}

func TestReconnectCallbacks(t *testing.T) {
	reconnecting(t, Reconnect{}, func(t *testing.T, r *redialled, p *peer) {
		p.rw.Close()
		synctest.Wait()
		got := make(chan string, 2)
		var n int
		r.Go(t.Context(), "query-n", nil, &n, func(err error) { got <- fmt.Sprint("Go ", n, err) })
		r.GoRoundTrip(t.Context(), []byte(`{"execute":"x"}`), func(answer []byte, err error) {
			got <- fmt.Sprint("GoRoundTrip ", string(answer), err)
		})
		p = r.next()
		for range 2 {
			p.answer(p.next(), "5")
		}
		assert.NoError(t, r.WaitIdle(t.Context()))
		said := map[string]bool{<-got: true, <-got: true}
		assert.Equal(t, map[string]bool{"Go 5 <nil>": true, `GoRoundTrip {"return": 5}<nil>`: true}, said)
	})
}

// Wherever the connection is cut, no command runs twice, and each caller learns as much as possible
// about its own command.
func TestReconnectUnderLoad(t *testing.T) {
	runs := 20
	if long() {
		runs = 1000
	}
	for seed := range runs {
		reconnecting(t, Reconnect{MinDelay: time.Millisecond}, func(t *testing.T, r *redialled, p *peer) {
			rng := rand.New(rand.NewPCG(uint64(seed), 1))
			stop := make(chan struct{})
			var ran sync.Map
			var server sync.WaitGroup
			server.Go(func() {
				for cut := rng.IntN(30); ; cut = rng.IntN(30) {
					for range cut {
						text, err := p.dec.ReadValue()
						if err != nil {
							break
						}
						var q request
						assert.NoError(t, decode(t.Context(), text, &q), "request %s", text)
						q.ID = q.ID.Clone()
						_, again := ran.LoadOrStore(q.Execute, true)
						assert.False(t, again, "%s ran twice", q.Execute)
						if rng.IntN(10) == 0 {
							break // it ran, and its reply is lost
						}
						p.answer(q, `"`+q.Execute+`"`)
					}
					p.rw.Close()
					select {
					case p = <-r.peers:
						p.handshake()
					case <-stop:
						return
					}
				}
			})
			var callers sync.WaitGroup
			for i := range 8 {
				callers.Go(func() {
					for j := range 20 {
						command := fmt.Sprintf("c%d-%d", i, j)
						var result string
						err := r.Execute(t.Context(), command, nil, &result)
						_, did := ran.Load(command)
						if err == nil {
							assert.Equal(t, command, result)
							assert.True(t, did, "%s has succeeded and has not run", command)
						} else {
							assert.ErrorIs(t, err, ErrClosed, command)
							assert.NotErrorIs(t, err, ErrNotSent, command)
						}
					}
				})
			}
			callers.Wait()
			close(stop)
			r.Close()
			server.Wait()
		})
	}
}

type dialerFunc func(ctx context.Context, network, address string) (net.Conn, error)

func (f dialerFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}

// An agent's connection is made again, too, and is in step before calls go on.
func TestReconnectAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := make(chan *peer, 10)
		dialer := dialerFunc(func(_ context.Context, network, address string) (net.Conn, error) {
			assert.Equal(t, "unix", network)
			assert.Equal(t, "/run/qga", address)
			ours, theirs := net.Pipe()
			peers <- newPeer(t, &agentEnd{Conn: theirs})
			return ours, nil
		})
		next := func() *peer {
			p := <-peers
			p.synced(p.sync())
			return p
		}
		first := make(chan *peer, 1)
		go func() { first <- next() }()
		c, err := DialAgent(t.Context(), "unix:/run/qga", WithDialer(dialer), WithReconnect(Reconnect{}))
		require.NoError(t, err)
		defer c.Close()
		(<-first).rw.Close()
		synctest.Wait()
		ping := async(func() error { return c.Execute(t.Context(), "guest-ping", nil, nil) })
		p := next()
		p.answer(p.next(), "{}")
		assert.NoError(t, returned(t, "guest-ping", ping))
	})
}

// The time limit of a call with a callback also applies while there is no connection.
func TestReconnectGoTimeout(t *testing.T) {
	reconnecting(t, Reconnect{}, func(t *testing.T, r *redialled, p *peer) {
		r.away = 1 << 30
		p.rw.Close()
		synctest.Wait()
		before := time.Now()
		done := make(chan error, 1)
		r.With(Timeout(time.Second)).Go(t.Context(), "x", nil, nil, func(err error) { done <- err })
		err := <-done
		assert.Equal(t, time.Second, time.Since(before))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorIs(t, err, ErrNotSent)
	})
}

// A session that ends in its handshake may have brought events, and the next may have
// missed some.
func TestReconnectGapOfHandshake(t *testing.T) {
	reconnecting(t, Reconnect{}, func(t *testing.T, r *redialled, p *peer) {
		s := r.Subscribe(nil)
		p.event("A", "")
		p.rw.Close()
		second := <-r.peers
		second.send(greetingText)
		second.next() // it negotiates, and an event comes before the reply
		second.event("B", "")
		second.rw.Close()
		third := r.next()
		third.event("C", "")
		var got []string
		for range 5 {
			e, err := s.Next(t.Context())
			if _, gap := errors.AsType[*GapError](err); gap {
				e.Name = "gap"
			} else {
				require.NoError(t, err)
			}
			got = append(got, e.Name)
		}
		assert.Equal(t, []string{"A", "gap", "B", "gap", "C"}, got)
		third.rw.Close()
	})
}

// A dial that tries again ends when the function given to the setup closes its connection.
func TestReconnectRetryFirstClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &redialled{t: t, peers: make(chan *peer, 10), away: 1 << 30}
		before := time.Now()
		_, err := DialFunc(t.Context(), r.connect, WithReconnect(Reconnect{RetryFirst: true}), WithSetup(func(c *Conn) {
			time.AfterFunc(time.Minute, func() { c.Close() })
		}))
		wantErr(t, err, ErrClosed, "qmp: connection closed")
		assert.Equal(t, time.Minute, time.Since(before), "how long it went on")
	})
}

// The older names of fields still work; the newer ones win.
func TestReconnectOlderNames(t *testing.T) {
	var called []string
	old := Reconnect{
		Patient:  true,
		Lost:     func(error) { called = append(called, "Lost") },
		Restored: func(*Conn) { called = append(called, "Restored") },
	}
	r := old.withNewNames()
	r.OnDisconnect(nil)
	r.OnReconnect(nil)
	assert.True(t, r.RetryFirst, "RetryFirst is what Patient was")
	assert.Equal(t, []string{"Lost", "Restored"}, called)
	both := old
	both.OnDisconnect = func(error) { called = append(called, "OnDisconnect") }
	both.withNewNames().OnDisconnect(nil)
	assert.Equal(t, "OnDisconnect", called[len(called)-1], "called %v", called)
}

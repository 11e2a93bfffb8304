package qmp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
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
		if err != nil {
			t.Fatal(err)
		}
		r.Conn, r.tries = conn, nil
		f(t, r, <-first)
		conn.Close()
		synctest.Wait()
		for _, err := range r.log.take() {
			t.Errorf("reported: %v", err)
		}
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
		if errors.Is(err, ErrNotSent) {
			t.Error("it may have run")
		}
		if err := returned(t, "the command being written", unsent); errors.Is(err, ErrNotSent) {
			t.Error("some of it may have been read")
		}
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
		if !seen["query-b"] || !seen["query-c"] || len(seen) != 2 {
			t.Errorf("sent again: %v", seen)
		}
		for what, done := range map[string]<-chan error{"query-b": waits, "query-c": late} {
			if err := returned(t, what, done); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := r.WaitIdle(t.Context()); err != nil || r.Err() != nil {
			t.Errorf("Wait: %v; Err: %v", err, r.Err())
		}

		for i, want := range []string{`{"n": 1}`, "", `{"n": 2}`} {
			e, err := all.Next(t.Context())
			if want == "" {
				if _, gap := errors.AsType[*GapError](err); !gap {
					t.Errorf("event %d: %v, %v, want a gap", i, e, err)
				}
				wantErr(t, err, io.EOF, "qmp: events may be missing here: "+eof)
				continue
			}
			if err != nil || string(e.Data) != want {
				t.Errorf("event %d: %s, %v", i, e.Data, err)
			}
		}
		synctest.Wait()
		if fmt.Sprint(handled) != `[{"n": 1} {"n": 2}]` {
			t.Errorf("handled: %v", handled)
		}
		if len(lost) != 1 || !errors.Is(lost[0], io.EOF) || len(restored) != 1 || restored[0] != nil {
			t.Errorf("lost: %v, restored: %v", lost, restored)
		}

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
		if fmt.Sprint(said) != "[lost restored lost restored lost restored]" {
			t.Error(said)
		}
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
		if err := returned(t, "query-name", done); err != nil || got != "vm" {
			t.Errorf("got %q, %v", got, err)
		}
		synctest.Wait()
		if errs := r.log.take(); len(errs) != 1 || !strings.Contains(errs[0].Error(), "belongs to an earlier client") {
			t.Errorf("reported: %v", errs)
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
			if i >= len(r.tries) {
				t.Fatalf("%d attempts", len(r.tries))
			}
			most := time.Duration(seconds) * time.Second
			if d := r.tries[i].Sub(last); d < most/2 || d > most {
				t.Errorf("attempt %d after %v, want %v to %v", i, d, most/2, most)
			}
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
		if err := returned(t, "x", ok); err != nil {
			t.Error(err)
		}
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
		if !errors.Is(err, ErrNotSent) || errors.Is(err, ErrClosed) {
			t.Errorf("%v: the call was not sent, and the connection has not ended for good", err)
		}
		short := r.With(Timeout(time.Second))
		before := time.Now()
		wantErr(t, short.Execute(t.Context(), "x", nil, nil), context.DeadlineExceeded,
			strings.Replace(text, ": the command", ": no reply within 1s: the command", 1))
		if d := time.Since(before); d != time.Second {
			t.Errorf("it took %v", d)
		}
		idle := async(func() error { return r.WaitIdle(t.Context()) })
		if err := returned(t, "Wait", idle); err != nil {
			t.Error(err)
		}
		waits := async(func() error { return r.Execute(t.Context(), "x", nil, nil) })
		synctest.Wait()
		idle = async(func() error { return r.WaitIdle(t.Context()) })
		pending(t, "Wait", idle)
		r.Close()
		wantErr(t, returned(t, "x", waits), ErrClosed, "qmp: x: connection closed: the command was not sent")
		if err := returned(t, "Wait", idle); err != nil {
			t.Error(err)
		}
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
		if err := returned(t, "quit", done); err != nil {
			t.Error(err)
		}
		<-r.Done()
		wantErr(t, r.Err(), io.EOF, "qmp: connection closed by the server")
		if asked != 1 || len(r.tries) != 0 {
			t.Errorf("asked %d times, tried %v", asked, r.tries)
		}
	})
	quit = false
	reconnecting(t, cfg, func(t *testing.T, r *redialled, p *peer) {
		r.away = 10
		p.rw.Close()
		<-r.Done()
		wantErr(t, r.Err(), errAway, "qmp: connection closed: nobody there")
		if len(r.tries) != 3 {
			t.Errorf("tried %v", r.tries)
		}
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
		if err != nil {
			t.Fatal(err)
		}
		if v := c.Greeting().Version; v.Major != 11 {
			t.Errorf("version %v", v)
		}
		c.Close()
	})
	ours, theirs := net.Pipe()
	if _, err := NewConn(t.Context(), ours, WithReconnect(Reconnect{})); err == nil {
		t.Error("a stream cannot be made again")
	}
	if _, err := theirs.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the stream was not closed: %v", err)
	}
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
		if fmt.Sprint(said) != "[lost 3 gap B C]" {
			t.Errorf("the subscription said %v", said)
		}
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
		if err := r.WaitIdle(t.Context()); err != nil {
			t.Error(err)
		}
		said := map[string]bool{<-got: true, <-got: true}
		if !said["Go 5 <nil>"] || !said[`GoRoundTrip {"return": 5}<nil>`] {
			t.Errorf("called back with %v", said)
		}
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
						if err := decode(t.Context(), text, &q); err != nil {
							t.Errorf("request %s: %v", text, err)
						}
						q.ID = q.ID.Clone()
						if _, again := ran.LoadOrStore(q.Execute, true); again {
							t.Errorf("%s ran twice", q.Execute)
						}
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
						switch {
						case err == nil && (result != command || !did):
							t.Errorf("%s: got %q, has run: %v", command, result, did)
						case err != nil && (!errors.Is(err, ErrClosed) || errors.Is(err, ErrNotSent)):
							t.Errorf("%s: %v", command, err)
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
			if network != "unix" || address != "/run/qga" {
				t.Errorf("dialled %s %s", network, address)
			}
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
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		(<-first).rw.Close()
		synctest.Wait()
		ping := async(func() error { return c.Execute(t.Context(), "guest-ping", nil, nil) })
		p := next()
		p.answer(p.next(), "{}")
		if err := returned(t, "guest-ping", ping); err != nil {
			t.Error(err)
		}
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
		if d := time.Since(before); d != time.Second || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrNotSent) {
			t.Errorf("after %v: %v", d, err)
		}
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
			} else if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Name)
		}
		if want := []string{"A", "gap", "B", "gap", "C"}; !slices.Equal(want, got) {
			t.Errorf("got %v, want %v", got, want)
		}
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
		if d := time.Since(before); d != time.Minute {
			t.Errorf("it went on for %v", d)
		}
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
	if want := []string{"Lost", "Restored"}; !r.RetryFirst || !slices.Equal(want, called) {
		t.Errorf("%v, called %v", r.RetryFirst, called)
	}
	both := old
	both.OnDisconnect = func(error) { called = append(called, "OnDisconnect") }
	both.withNewNames().OnDisconnect(nil)
	if called[len(called)-1] != "OnDisconnect" {
		t.Errorf("called %v", called)
	}
}

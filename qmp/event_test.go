package qmp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// names reads n events and returns their names, and errors in their place.
func names(t *testing.T, s *Subscription, n int) []string {
	t.Helper()
	var got []string
	for range n {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		e, err := s.Next(ctx)
		cancel()
		if err != nil {
			got = append(got, err.Error())
			continue
		}
		got = append(got, e.Name)
	}
	return got
}

func wantNames(t *testing.T, s *Subscription, want ...string) {
	t.Helper()
	assert.Empty(t, cmp.Diff(want, names(t, s, len(want))))
}

func TestEvents(t *testing.T) {
	tests := []struct {
		text string
		want Event
	}{
		{`{"timestamp": {"seconds": 1267020223, "microseconds": 435656}, "event": "BLOCK_IO_ERROR", "data": {"device": "ide0-hd1"}}`,
			Event{"BLOCK_IO_ERROR", time.Unix(1267020223, 435656000).UTC(), []byte(`{"device": "ide0-hd1"}`)}},
		{`{"event":"STOP","timestamp":{"microseconds":2,"seconds":1}}`, Event{"STOP", time.Unix(1, 2000).UTC(), nil}},
		{`{"timestamp": {"seconds": -1, "microseconds": -1}, "event": "RESUME"}`, Event{Name: "RESUME"}},
		{`{"timestamp": "now", "event": "X\u002dY"}`, Event{Name: "X-Y"}},
		{`{"event": "NO_TIME", "data": []}`, Event{Name: "NO_TIME", Data: []byte("[]")}},
		{`{"event": 7}`, Event{Name: "7"}},
	}
	bubble(t, func(t *testing.T, p pair) {
		s := p.Subscribe(nil)
		for _, test := range tests {
			p.peer.send("%s\r\n", test.text)
			got, err := s.Next(t.Context())
			assert.NoError(t, err, test.text)
			assert.Empty(t, cmp.Diff(test.want, got), test.text)
		}
	})
}

func TestEventDecode(t *testing.T) {
	e := Event{Name: "MOVED", Data: []byte(`{"id": "cd", "tray-open": 1, "new": {}}`)}
	var got struct {
		ID string `json:"id"`
	}
	assert.NoError(t, e.Decode(&got))
	assert.Equal(t, "cd", got.ID)
	var bad struct {
		Open bool `json:"tray-open"`
	}
	err := e.Decode(&bad)
	assert.EqualError(t, err, "qmp: event MOVED: member /tray-open: a number does not fit the Go type bool")
	e.Data = nil
	assert.NoError(t, e.Decode(&bad))
}

// A subscription has its own events in the order of the wire, from the time it
// was made, and nobody else's.
func TestSubscriptions(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		p.peer.event("BEFORE", "")
		synctest.Wait()
		all, empty := p.Subscribe(nil), p.Subscribe([]string{})
		some := p.Subscribe([]string{"A", "C", "A"})
		one := p.Subscribe([]string{"B"})
		for _, name := range []string{"A", "B", "C", "NEW", "A"} {
			p.peer.event(name, `{"x": 1}`)
		}
		wantNames(t, some, "A", "C", "A")
		wantNames(t, one, "B")
		wantNames(t, empty, "A", "B", "C", "NEW", "A")
		a, err := all.Next(t.Context())
		require.NoError(t, err)
		copy(a.Data, "overwritten") // nobody else's copy
		wantNames(t, all, "B", "C", "NEW", "A")
		some.Close()
		some.Close()
		p.peer.event("A", "")
		p.peer.event("B", "")
		wantNames(t, some, ErrUnsubscribed.Error())
		wantNames(t, one, "B")
		wantNames(t, all, "A", "B")
	})
}

func TestNext(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		s := p.Subscribe(nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.Next(ctx)
		wantErr(t, err, context.DeadlineExceeded, "qmp: waiting for an event: context deadline exceeded")
		for _, test := range []struct {
			names []string
			what  string
		}{
			{[]string{"STOP"}, "STOP"}, {[]string{"A", "B"}, "A or B"}, {[]string{"A", "B", "C", "D"}, "one of 4 events"},
		} {
			_, err := p.Subscribe(test.names).Next(ctx)
			wantErr(t, err, context.DeadlineExceeded, "qmp: waiting for "+test.what+": context deadline exceeded")
		}

		// Several may wait: each event goes to one of them.
		var got atomic.Int32
		var readers sync.WaitGroup
		for range 3 {
			readers.Go(func() {
				for {
					if _, err := s.Next(t.Context()); err != nil {
						assert.Same(t, ErrUnsubscribed, err)
						return
					}
					got.Add(1)
				}
			})
		}
		for range 100 {
			p.peer.event("A", "")
		}
		synctest.Wait()
		s.Close()
		readers.Wait()
		assert.EqualValues(t, 100, got.Load(), "events")
	})
}

// When a queue is full the oldest events are dropped, and an error with their number is in their place.
func TestOverflow(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		s := p.Subscribe(nil, Buffer(3))
		wide := p.Subscribe(nil)
		for i := range 5 {
			p.peer.event(fmt.Sprint(i), "")
		}
		synctest.Wait()
		wantNames(t, s, "qmp: 2 events were lost: they were not read in time", "2", "3")
		for i := range 4 {
			p.peer.event(fmt.Sprint(5+i), "")
		}
		synctest.Wait()
		ctx := t.Context()
		_, err := s.Next(ctx)
		var lost *OverflowError
		if assert.ErrorAs(t, err, &lost) {
			assert.Equal(t, 2, lost.Lost)
		}
		wantNames(t, s, "6", "7", "8")
		wantNames(t, wide, "0", "1", "2", "3", "4", "5", "6", "7", "8")
	})
}

// The bound counts bytes, too, but one event always fits.
func TestOverflowBytes(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		s := p.Subscribe(nil)
		data := `"` + strings.Repeat("x", 900) + `"`
		for i := range 5 {
			p.peer.event(fmt.Sprint(i), data)
		}
		synctest.Wait()
		wantNames(t, s, "qmp: 3 events were lost: they were not read in time", "3", "4")
	}, WithMaxMessage(2000))
}

// Events that came before the end are read before the error about the end.
func TestEventsAtTheEnd(t *testing.T) {
	for _, how := range []string{"server", "we"} {
		t.Run(how, func(t *testing.T) {
			bubble(t, func(t *testing.T, p pair) {
				s := p.Subscribe(nil)
				p.peer.event("STOP", "")
				p.peer.event("SHUTDOWN", "")
				synctest.Wait()
				if how == "we" {
					p.Close()
				} else {
					p.peer.rw.Close()
				}
				<-p.Done()
				wantNames(t, s, "STOP", "SHUTDOWN")
				for range 2 {
					_, err := s.Next(t.Context())
					assert.ErrorIs(t, err, ErrClosed)
					assert.Equal(t, how == "server", errors.Is(err, io.EOF), "%v", err)
				}
				late := p.Subscribe(nil)
				_, err := late.Next(t.Context())
				assert.ErrorIs(t, err, ErrClosed)
				late.Close()
				p.OnEvent("X", func(Event) {})()
			})
		})
	}
}

// collect ranges over s and returns what it gives, in words.
func collect(ctx context.Context, s *Subscription, until string) []string {
	var got []string
	for e, err := range s.All(ctx) {
		if err != nil {
			got = append(got, err.Error())
			continue
		}
		got = append(got, e.Name)
		if e.Name == until {
			break
		}
	}
	return got
}

func TestAll(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		s := p.Subscribe(nil, Buffer(3))
		for _, name := range []string{"A", "B", "C", "D"} {
			p.peer.event(name, "")
		}
		synctest.Wait()
		check := func(ctx context.Context, until string, want ...string) {
			t.Helper()
			assert.Empty(t, cmp.Diff(want, collect(ctx, s, until)))
		}
		check(t.Context(), "C", "qmp: 1 events were lost: they were not read in time", "B", "C")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		check(ctx, "", "D", "qmp: waiting for an event: context deadline exceeded")
		p.peer.event("E", "")
		p.peer.rw.Close()
		check(t.Context(), "", "E", "qmp: events: connection closed by the server")
		s.Close()
		check(t.Context(), "")
	})
}

func decodeInt(e Event) (n int, err error) {
	err = e.Decode(&n)
	return n, err
}

func TestStream(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		s := &Stream[int]{Events: p.Subscribe([]string{"N"}), Decode: decodeInt}
		for _, data := range []string{"1", `"x"`, "2", "3"} {
			p.peer.event("N", data)
		}
		p.peer.rw.Close()
		var got []string
		for n, err := range s.All(t.Context()) {
			got = append(got, fmt.Sprint(n, err))
		}
		want := []string{
			"1 <nil>", "0 qmp: event N: a string does not fit the Go type int", "2 <nil>", "3 <nil>",
			"0 qmp: events: connection closed by the server",
		}
		assert.Empty(t, cmp.Diff(want, got))
		s.Close()
		_, err := s.Next(t.Context())
		assert.Same(t, ErrUnsubscribed, err)
	})
	bubble(t, func(t *testing.T, p pair) {
		s := &Stream[int]{Events: p.Subscribe([]string{"N"}), Decode: decodeInt}
		for _, data := range []string{"1", "2", "3", "4", `"x"`} {
			p.peer.event("N", data)
		}
		n, err := s.Find(t.Context(), func(n int) bool { return n >= 3 })
		assert.NoError(t, err)
		assert.Equal(t, 3, n)
		_, err = s.Find(t.Context(), func(n int) bool { return n == 9 })
		assert.Error(t, err, "Find skips an event that cannot be decoded")
	})
}

// A handler sees its events in order and one at a time, may be slow
// and issue commands; another does not wait for it.
func TestHandle(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		var slow, fast, every []string
		var busy atomic.Int32
		gate := make(chan struct{})
		p.OnEvent("A", func(e Event) {
			assert.EqualValues(t, 1, busy.Add(1), "a handler runs twice at the same time")
			<-gate
			assert.NoError(t, p.Execute(t.Context(), "ack", nil, nil))
			slow = append(slow, string(e.Data))
			busy.Add(-1)
		})
		stop := p.OnEvent("A", func(e Event) { fast = append(fast, string(e.Data)) })
		p.OnEvent("", func(e Event) { every = append(every, e.Name) })
		for i := range 100 {
			p.peer.event("A", fmt.Sprint(i))
		}
		p.peer.event("B", "")
		synctest.Wait()
		assert.Len(t, fast, 100)
		assert.Len(t, every, 101)
		assert.Empty(t, slow)
		stop()
		close(gate)
		for range 100 {
			p.peer.answer(p.peer.next(), "{}")
		}
		synctest.Wait()
		assert.Empty(t, cmp.Diff(fast, slow))
		for i, data := range slow {
			require.Equal(t, fmt.Sprint(i), data, "the data of event %d", i)
		}
	})
}

// No more handlers run at a time than there are workers.
func TestWorkers(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		var running, most, total atomic.Int32
		for range 5 {
			p.OnEvent("A", func(Event) {
				most.Store(max(most.Load(), running.Add(1)))
				time.Sleep(time.Second)
				running.Add(-1)
				total.Add(1)
			})
		}
		for range 4 {
			p.peer.event("A", "")
		}
		time.Sleep(time.Minute)
		assert.EqualValues(t, 20, total.Load(), "calls")
		assert.EqualValues(t, 2, most.Load(), "calls at a time")
	}, WithWorkers(2))
}

// After stop no call runs, and none is running.
func TestStop(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		calls := 0
		gate := make(chan struct{})
		stop := p.OnEvent("A", func(Event) { <-gate; calls++ })
		for range 3 {
			p.peer.event("A", "")
		}
		synctest.Wait()
		stopped := async(func() error { stop(); return nil })
		pending(t, "stop", stopped)
		gate <- struct{}{}
		returned(t, "stop", stopped)
		stop()
		p.peer.event("A", "")
		synctest.Wait()
		assert.Equal(t, 1, calls, "calls")
	})
	bubble(t, func(t *testing.T, p pair) { // by the handler itself
		calls := 0
		var stop func()
		stop = p.OnEvent("A", func(Event) { stop(); calls++ })
		for range 3 {
			p.peer.event("A", "")
		}
		synctest.Wait()
		assert.Equal(t, 1, calls, "calls")
	})
	bubble(t, func(t *testing.T, p pair) { // by another handler
		var log []string
		gate := make(chan struct{})
		stop := p.OnEvent("A", func(Event) { <-gate; log = append(log, "A") })
		p.OnEvent("B", func(Event) { stop(); log = append(log, "B") })
		p.peer.event("A", "")
		synctest.Wait()
		p.peer.event("B", "")
		p.peer.event("A", "")
		synctest.Wait()
		close(gate)
		synctest.Wait()
		assert.Empty(t, cmp.Diff([]string{"A", "B"}, log))
	})
}

// Close from a handler does not deadlock; what has come is still handled.
func TestCloseFromHandler(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		calls := 0
		first := make(chan struct{})
		p.OnEvent("A", func(Event) {
			calls++
			<-first
			p.Close()
		})
		for range 3 {
			p.peer.event("A", "")
		}
		synctest.Wait()
		close(first)
		<-p.Done()
		synctest.Wait()
		assert.Equal(t, 3, calls, "calls")
	})
}

// A handler that ends its goroutine, or panics where that is allowed, still gets its next
// event.
func TestHandlerGone(t *testing.T) {
	var caught []any
	bubble(t, func(t *testing.T, p pair) {
		var got []string
		stop := p.OnEvent("", func(e Event) {
			got = append(got, e.Name)
			switch e.Name {
			case "EXIT":
				runtime.Goexit()
			case "PANIC":
				panic(e.Name)
			}
		})
		for _, name := range []string{"EXIT", "PANIC", "EXIT", "LAST"} {
			p.peer.event(name, "")
		}
		synctest.Wait()
		assert.Empty(t, cmp.Diff([]string{"EXIT", "PANIC", "EXIT", "LAST"}, got))
		p.Go(t.Context(), "a", nil, nil, func(error) { panic("done") })
		p.peer.answer(p.peer.next(), "{}")
		assert.NoError(t, p.WaitIdle(t.Context()))
		synctest.Wait()
		assert.Empty(t, cmp.Diff([]any{"PANIC", "done"}, caught))
		stop()
	}, WithWorkers(1), WithPanicHandler(func(v any, stack []byte) {
		assert.Contains(t, string(stack), "TestHandlerGone")
		caught = append(caught, v)
	}))
}

// Events that a handler loses are reported, and so are errors that it reports itself, such as an event that it cannot decode.
func TestHandlerErrors(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		var got []int
		gate := make(chan struct{})
		p.OnEvent("N", func(e Event) {
			<-gate
			n, err := decodeInt(e)
			if err == nil {
				got = append(got, n)
			}
			p.ReportError(err)
		})
		p.peer.event("N", "1")
		synctest.Wait()
		for i := range 5 {
			p.peer.event("N", fmt.Sprint(2+i))
		}
		p.peer.event("N", `"x"`)
		synctest.Wait()
		close(gate)
		synctest.Wait()
		assert.Empty(t, cmp.Diff([]int{1, 5, 6}, got))
		var errs []string
		for _, err := range p.log.take() {
			errs = append(errs, err.Error())
		}
		want := []string{
			"qmp: handler of N: qmp: 3 events were lost: they were not read in time",
			"qmp: event N: a string does not fit the Go type int",
		}
		assert.Empty(t, cmp.Diff(want, errs))
	}, WithEventBuffer(3))
}

// Errors are still reported after the function that gets them has panicked.
func TestReportPanics(t *testing.T) {
	var caught []any
	var got []string
	report := func(err error) {
		if got = append(got, err.Error()); len(got) < 3 {
			panic(len(got))
		}
	}
	bubble(t, func(t *testing.T, p pair) {
		for i := range 3 {
			p.peer.send("{\"x\": %d}\r\n", i)
			synctest.Wait()
		}
		assert.Len(t, got, 3, "reported")
		assert.Equal(t, []any{1, 2}, caught, "panics")
	}, WithEventError(report), WithPanicHandler(func(v any, _ []byte) { caught = append(caught, v) }))
}

// Of a flood of errors, ten a second are reported, and the rest is counted.
func TestReportFlood(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		gate := make(chan struct{})
		p.OnEvent("GATE", func(Event) { <-gate })
		p.peer.event("GATE", "")
		for range 100 {
			p.peer.send("{}\r\n")
		}
		synctest.Wait()
		close(gate)
		synctest.Wait()
		assert.Len(t, p.log.take(), maxReports)
		time.Sleep(reportTime)
		synctest.Wait()
		if errs := p.log.take(); assert.Len(t, errs, 1, "reported") {
			assert.EqualError(t, errs[0], "qmp: 90 more errors like these")
		}
		for range 10_000 { // for ten seconds
			p.peer.send("{}\r\n")
			time.Sleep(time.Millisecond)
		}
		time.Sleep(2 * reportTime)
		reports := len(p.log.take())
		assert.LessOrEqual(t, reports, 11*(maxReports+1))
		assert.GreaterOrEqual(t, reports, 50)
	}, WithWorkers(1))
}

// A handler that has stopped itself is still waited for by others who stop it.
func TestStopTwice(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		var stop func()
		running := false
		stopped := make(chan struct{})
		stop = p.OnEvent("E", func(Event) {
			running = true
			stop()
			close(stopped)
			time.Sleep(time.Minute)
			running = false
		})
		p.peer.event("E", "")
		<-stopped
		stop()
		assert.False(t, running, "stop has returned, and the handler still runs")
	})
}

// A handler may stop itself while somebody else waits for its end.
func TestStopFromBothSides(t *testing.T) {
	ours, theirs := net.Pipe()
	p := newPeer(t, theirs)
	go p.handshake()
	c, err := NewConn(t.Context(), ours) // no bubble: one that waits for a lock does not count as waiting
	require.NoError(t, err)
	defer c.Close()
	var stop func()
	running, goOn := make(chan struct{}), make(chan struct{})
	stop = c.OnEvent("E", func(Event) {
		close(running)
		<-goOn
		stop()
	})
	go p.event("E", "")
	<-running
	other := async(func() error { stop(); return nil })
	for removed := false; !removed; runtime.Gosched() { // the other has begun
		events := &c.core.events
		events.mu.RLock()
		removed = len(events.named) == 0
		events.mu.RUnlock()
	}
	close(goOn)
	assert.NoError(t, <-other)
}

// The range over All ends with its context, even if there is always another event.
func TestAllEndsWithContext(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		s := p.Subscribe([]string{"E"})
		for range 10 {
			p.peer.event("E", "")
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var events int
		var last error
		for _, err := range s.All(ctx) {
			events, last = events+1, err
			cancel()
		}
		assert.Equal(t, 2, events, "events and errors, one of each")
		wantErr(t, last, context.Canceled, "qmp: waiting for E: context canceled")
	})
}

// The names of events count like their data, and long names are not kept.
func TestLongEventNames(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		s := p.Subscribe(nil)
		name := strings.Repeat("x", 600)
		for i := range 10 {
			p.peer.event(fmt.Sprint(i, name), "")
		}
		synctest.Wait()
		wantNames(t, s, "qmp: 9 events were lost: they were not read in time", "9"+name)
		assert.Empty(t, p.core.events.names, "names are kept")
	}, WithMaxMessage(1000))
}

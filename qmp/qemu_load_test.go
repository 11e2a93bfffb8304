//go:build linux

package qmp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// SIGSTOP: calls honour their deadline and the connection stays open. SIGTERM: its event is the last.
// SIGKILL: every call ends.
func TestQEMUSignals(t *testing.T) {
	eachQEMU(t, func(t *testing.T, bin string) {
		checkLeaks(t)
		q, addrs := startMonitors(t, bin, 1, "")
		c := dial(t, addrs[0])
		require.NoError(t, q.Process.Signal(syscall.SIGSTOP))
		for range 10 {
			err := c.With(Timeout(10*time.Millisecond)).Execute(t.Context(), "query-qmp-schema", nil, nil)
			assert.ErrorIs(t, err, ErrAbandoned, "a call to a stopped QEMU")
			assert.ErrorIs(t, err, context.DeadlineExceeded, "a call to a stopped QEMU")
		}
		require.NoError(t, q.Process.Signal(syscall.SIGCONT))
		assert.NoError(t, c.Execute(t.Context(), "query-status", nil, new(status)))
		s := c.Subscribe(nil)
		require.NoError(t, q.Process.Signal(syscall.SIGTERM))
		e, err := s.Next(t.Context())
		assert.NoError(t, err)
		assert.Equal(t, "SHUTDOWN", e.Name)
		<-c.Done()
		<-q.exited

		q, addrs = startMonitors(t, bin, 1, "")
		c = dial(t, addrs[0])
		var calls []<-chan error
		for range 50 {
			calls = append(calls, async(func() error {
				for {
					if err := c.Execute(t.Context(), "query-qmp-schema", nil, nil); err != nil {
						return err
					}
				}
			}))
		}
		assert.NoError(t, c.Execute(t.Context(), "query-name", nil, nil))
		q.Process.Kill()
		for _, done := range calls {
			err := <-done
			assert.ErrorIs(t, err, ErrClosed, "a call to a killed QEMU")
			assert.True(t, errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET),
				"a call to a killed QEMU: %v", err)
		}
	})
}

// Each of many concurrent callers gets its own reply, while another monitor causes events that both
// monitors get.
func TestQEMULoad(t *testing.T) {
	callers, each := 64, 50
	if long() {
		each = 1000
	}
	eachQEMU(t, func(t *testing.T, bin string) {
		checkLeaks(t)
		_, addrs := startMonitors(t, bin, 2, "")
		c, other := dial(t, addrs[0]), dial(t, addrs[1])
		handled := make(chan string, 1<<20)
		c.OnEvent("STOP", func(e Event) { handled <- e.Name })
		c.OnEvent("RESUME", func(e Event) { handled <- e.Name })
		ends := c.Subscribe(nil, Buffer(1<<20))

		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		stop := make(chan struct{})
		toggled := make(chan int)
		go func() {
			n := 0
			defer func() { toggled <- n }()
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, command := range []string{"cont", "stop"} {
					if !assert.NoError(t, other.Execute(ctx, command, nil, nil)) {
						return
					}
				}
				n++
			}
		}()

		var schema json.RawMessage
		require.NoError(t, c.Execute(ctx, "query-qmp-schema", nil, &schema))
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				for j := range each {
					if !assert.NoError(t, mixedCall(ctx, c, i, j, schema), "caller %d, call %d", i, j) {
						return
					}
				}
			})
		}
		wg.Wait()
		close(stop)
		n := <-toggled
		want := "RESUME"
		for range 2 * n {
			e, err := ends.Next(ctx)
			require.NoError(t, err)
			require.Equal(t, want, e.Name)
			if want = "STOP"; e.Name == "STOP" {
				want = "RESUME"
			}
		}
		counts := make(map[string]int)
		for range 2 * n {
			counts[<-handled]++
		}
		assert.Equal(t, n, counts["STOP"])
		assert.Equal(t, n, counts["RESUME"])
		t.Logf("%d calls, %d events", callers*each, 2*n)
	})
}

// mixedCall issues one of several commands and checks that the reply is its own.
func mixedCall(ctx context.Context, c *Conn, i, j int, schema json.RawMessage) error {
	switch (i + j) % 20 {
	case 0:
		if i%8 != 0 { // it takes QEMU 20 ms
			return nil
		}
		var got json.RawMessage
		if err := c.Execute(ctx, "query-qmp-schema", nil, &got); err != nil {
			return err
		}
		if !bytes.Equal(got, schema) {
			return errors.New("query-qmp-schema: another reply")
		}
	case 1:
		var st status
		if err := c.Execute(ctx, "query-status", nil, &st); err != nil {
			return err
		}
		if st.Status == "" {
			return errors.New("query-status: another reply")
		}
	case 2: // given up, often
		ctx, cancel := context.WithTimeout(ctx, time.Duration(j)*time.Microsecond)
		defer cancel()
		if err := c.Execute(ctx, "query-name", nil, nil); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	case 3:
		done := make(chan error)
		var names []struct{ Name string }
		c.Go(ctx, "qom-list-types", map[string]any{"implements": "memory-backend"}, &names, func(err error) { done <- err })
		if err := <-done; err != nil || len(names) == 0 {
			return fmt.Errorf("qom-list-types: %d, %w", len(names), err)
		}
	case 4:
		if j%10 != 0 {
			return nil
		}
		answer, err := c.RoundTrip(ctx, fmt.Appendf(nil, `{"execute":"query-uuid","id":"%d/%d"}`, i, j))
		if err != nil || !bytes.Contains(answer, fmt.Appendf(nil, `"%d/%d"`, i, j)) {
			return fmt.Errorf("a whole message: %s, %w", answer, err)
		}
	default: // an error that quotes what it was asked
		path := fmt.Sprintf("/nowhere/%d/%d", i, j)
		err := c.Execute(ctx, "qom-list", map[string]string{"path": path}, nil)
		if e, ok := errors.AsType[*Error](err); !ok || !strings.Contains(e.Desc, "'"+path+"'") {
			return fmt.Errorf("qom-list %s: %w", path, err)
		}
	}
	return nil
}

// A large argument arrives, and comes back.
func TestQEMULargeArgument(t *testing.T) {
	size := 100_000
	if long() {
		size = 1 << 20
	}
	eachQEMU(t, func(t *testing.T, bin string) {
		_, addrs := startMonitors(t, bin, 1, "")
		c := dial(t, addrs[0])
		path := "/" + strings.Repeat("long", size/4)
		err := c.Execute(t.Context(), "qom-list", map[string]string{"path": path}, nil)
		e, ok := errors.AsType[*Error](err)
		assert.True(t, ok && strings.Contains(e.Desc, path), "got %.200v", err)
	})
}

// Events in great number: none is lost, all are in order, and calls continue.
func TestQEMUEvents(t *testing.T) {
	pairs := 1000
	if long() {
		pairs = 25_000
	}
	eachQEMU(t, func(t *testing.T, bin string) {
		_, addrs := startMonitors(t, bin, 1, "")
		c := dial(t, addrs[0], WithEventBuffer(2*pairs))
		var last Event
		seen := make(chan int, 2*pairs)
		n := 0
		c.OnEvent("", func(e Event) {
			assert.NotEqual(t, last.Name, e.Name, "event %v after %v", e, last)
			assert.False(t, e.Timestamp.Before(last.Timestamp), "event %v after %v", e, last)
			last = e
			n++
			seen <- n
		})
		for range pairs {
			for _, command := range []string{"cont", "stop"} {
				require.NoError(t, c.Execute(t.Context(), command, nil, nil))
			}
		}
		for i := range 2 * pairs {
			require.Equal(t, i+1, <-seen)
		}
	})
}

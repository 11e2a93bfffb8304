//go:build linux

package qmp

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
)

// A second client gets no greeting until the first has left.
func TestQEMUSecondClient(t *testing.T) {
	eachQEMU(t, func(t *testing.T, bin string) {
		_, addrs := startMonitors(t, bin, 1, "")
		first := dial(t, addrs[0])
		_, err := Dial(t.Context(), addrs[0], WithHandshakeTimeout(100*time.Millisecond))
		assert.ErrorIs(t, err, context.DeadlineExceeded, "a second client")
		assert.ErrorContains(t, err, "another client")
		second := make(chan *Conn)
		go func() {
			c, err := Dial(t.Context(), addrs[0])
			assert.NoError(t, err)
			second <- c
		}()
		first.Close()
		if c := <-second; c != nil {
			converse(t, c)
		}
	})
}

// A client that takes over a monitor while a command of the earlier client still runs gets its own
// replies, not those to the earlier client: 300 of 300 times with QAPI_LONG=1.
func TestQEMUTakeover(t *testing.T) {
	runs := 30
	if long() {
		runs = 300
	}
	eachQEMU(t, func(t *testing.T, bin string) {
		_, addrs := startMonitors(t, bin, 1, "")
		var leftover atomic.Int32
		quiet := WithEventError(func(err error) {
			if strings.Contains(err.Error(), "belongs to an earlier client") {
				leftover.Add(1)
			}
		})
		for i := range runs {
			first := dial(t, addrs[0], quiet)
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i%8)*time.Millisecond)
			if i%3 == 0 {
				_ = first.Execute(ctx, "human-monitor-command", map[string]int{"no": 1}, nil) // fails
			}
			_ = first.Execute(ctx, "query-qmp-schema", nil, nil)
			cancel()
			first.Close()

			second, err := Dial(t.Context(), addrs[0], quiet)
			require.NoError(t, err, "run %d", i)
			var status status
			assert.NoError(t, second.Execute(t.Context(), "query-status", nil, &status), "run %d", i)
			assert.NotEmpty(t, status.Status, "run %d", i)
			err = second.Execute(t.Context(), "blockdev-del", map[string]string{"node-name": "none"}, nil)
			assert.Error(t, err, "run %d: a node that does not exist is deleted", i)
			second.Close()
			second.WaitIdle(t.Context())
		}
		t.Logf("%d of %d runs had a reply to the client before", leftover.Load(), runs)
	})
}

// The same without a negotiation: the first command's id shows which reply is its own.
func TestQEMUTakeoverWithoutHandshake(t *testing.T) {
	eachQEMU(t, func(t *testing.T, bin string) {
		_, addrs := startMonitors(t, bin, 1, "")
		addr := strings.TrimPrefix(addrs[0], "unix:")
		for range 5 {
			rw, err := net.Dial("unix", addr)
			require.NoError(t, err)
			fmt.Fprint(rw, `{"execute":"qmp_capabilities"}{"execute":"query-qmp-schema"}`)
			time.Sleep(5 * time.Millisecond) // its replies are outstanding, whatever has come
			c, err := NewConn(t.Context(), rw, WithoutHandshake(), WithEventError(func(error) {}))
			require.NoError(t, err)
			for range 3 {
				var status status
				assert.NoError(t, c.Execute(t.Context(), "query-status", nil, &status))
				assert.NotEmpty(t, status.Status)
			}
			c.Close()
		}
	})
}

// One process can hand its connection to another, as a descriptor: QEMU does not greet again there.
func TestQEMUHandedOver(t *testing.T) {
	eachQEMU(t, func(t *testing.T, bin string) {
		_, addrs := startMonitors(t, bin, 1, "")
		stream, err := net.Dial("unix", strings.TrimPrefix(addrs[0], "unix:"))
		require.NoError(t, err)
		file, err := stream.(*net.UnixConn).File()
		require.NoError(t, err)
		first, err := NewConn(t.Context(), stream)
		require.NoError(t, err)
		assert.NoError(t, first.Execute(t.Context(), "query-status", nil, nil))
		first.Close()

		fd, err := syscall.Dup(int(file.Fd()))
		require.NoError(t, err)
		file.Close()
		second := dial(t, fmt.Sprintf("fd:%d", fd), WithoutHandshake())
		assert.Zero(t, second.Greeting().Version)
		err = second.With(OutOfBand()).Execute(t.Context(), "query-status", nil, nil)
		assert.ErrorIs(t, err, ErrNoOOB)
		converse(t, second)
	})
}

// QEMU is killed and started again, and the connection is made again.
func TestQEMUReconnect(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		checkLeaks(t)
		path := filepath.Join(t.TempDir(), "s")
		args := []string{"-qmp", "unix:" + path + ",server=on,wait=off"}
		first := start(t, q.Path, nil, args...)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c := dial(t, "unix:"+path, WithHandshakeTimeout(2*time.Second), // see start: it dials while QEMU starts
			WithReconnect(Reconnect{MinDelay: 10 * time.Millisecond, RetryFirst: true}))
		events := c.Subscribe([]string{"RESUME"})
		for range 2 {
			require.NoError(t, c.Execute(ctx, "cont", nil, nil))
			_, err := events.Next(ctx)
			require.NoError(t, err)
			require.NoError(t, first.Process.Kill())
			<-first.exited
			_, err = events.Next(ctx)
			var gap *GapError
			require.ErrorAs(t, err, &gap, "after the kill")
			os.Remove(path)
			first = start(t, q.Path, nil, args...)
			var status struct{ Running bool }
			require.NoError(t, c.Execute(ctx, "query-status", nil, &status), "the new one")
			require.False(t, status.Running, "the new one runs")
		}
		c.Close()
	})
}

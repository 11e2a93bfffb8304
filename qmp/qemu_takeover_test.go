//go:build linux

package qmp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/goqapi/goqapi/internal/qemutest"
)

func TestQEMUSecondClient(t *testing.T) {
	eachQEMU(t, func(t *testing.T, bin string) {
		_, addrs := startMonitors(t, bin, 1, "")
		first := dial(t, addrs[0])
		_, err := Dial(t.Context(), addrs[0], WithHandshakeTimeout(100*time.Millisecond))
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "another client") {
			t.Errorf("a second client: %v", err)
		}
		second := make(chan *Conn)
		go func() {
			c, err := Dial(t.Context(), addrs[0])
			if err != nil {
				t.Error(err)
			}
			second <- c
		}()
		first.Close()
		if c := <-second; c != nil {
			converse(t, c)
		}
	})
}

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
			if err != nil {
				t.Fatalf("run %d: %v", i, err)
			}
			var status status
			if err := second.Execute(t.Context(), "query-status", nil, &status); err != nil || status.Status == "" {
				t.Errorf("run %d: query-status: %+v, %v", i, status, err)
			}
			if err := second.Execute(t.Context(), "blockdev-del", map[string]string{"node-name": "none"}, nil); err == nil {
				t.Errorf("run %d: a node that does not exist is deleted", i)
			}
			second.Close()
			second.WaitIdle(t.Context())
		}
		t.Logf("%d of %d runs had a reply to the client before", leftover.Load(), runs)
	})
}

func TestQEMUTakeoverWithoutHandshake(t *testing.T) {
	eachQEMU(t, func(t *testing.T, bin string) {
		_, addrs := startMonitors(t, bin, 1, "")
		addr := strings.TrimPrefix(addrs[0], "unix:")
		for range 5 {
			rw, err := net.Dial("unix", addr)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(rw, `{"execute":"qmp_capabilities"}{"execute":"query-qmp-schema"}`)
			time.Sleep(5 * time.Millisecond) // its replies are outstanding, whatever has come
			c, err := NewConn(t.Context(), rw, WithoutHandshake(), WithEventError(func(error) {}))
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				var status status
				if err := c.Execute(t.Context(), "query-status", nil, &status); err != nil || status.Status == "" {
					t.Errorf("query-status: %+v, %v", status, err)
				}
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
		if err != nil {
			t.Fatal(err)
		}
		file, err := stream.(*net.UnixConn).File()
		if err != nil {
			t.Fatal(err)
		}
		first, err := NewConn(t.Context(), stream)
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Execute(t.Context(), "query-status", nil, nil); err != nil {
			t.Error(err)
		}
		first.Close()

		fd, err := syscall.Dup(int(file.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		file.Close()
		second := dial(t, fmt.Sprintf("fd:%d", fd), WithoutHandshake())
		if g := second.Greeting(); g.Version != (Version{}) {
			t.Errorf("greeting %v", g)
		}
		if err := second.With(OutOfBand()).Execute(t.Context(), "query-status", nil, nil); !errors.Is(err, ErrNoOOB) {
			t.Errorf("out of band: %v", err)
		}
		converse(t, second)
	})
}

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
			if err := c.Execute(ctx, "cont", nil, nil); err != nil {
				t.Fatal(err)
			}
			if _, err := events.Next(ctx); err != nil {
				t.Fatal(err)
			}
			if err := first.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-first.exited
			_, err := events.Next(ctx)
			if _, gap := errors.AsType[*GapError](err); !gap {
				t.Fatalf("after the kill: %v", err)
			}
			os.Remove(path)
			first = start(t, q.Path, nil, args...)
			var status struct{ Running bool }
			if err := c.Execute(ctx, "query-status", nil, &status); err != nil || status.Running {
				t.Fatalf("the new one: %v, %v", status, err)
			}
		}
		c.Close()
	})
}

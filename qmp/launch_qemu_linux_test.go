package qmp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
)

// still returns the command of a QEMU without a machine, which does not run.
func still(q qemutest.QEMU, args ...string) *exec.Cmd {
	return exec.Command(q.Path, append([]string{"-S", "-nodefaults", "-display", "none", "-machine", "none"}, args...)...)
}

// daemon returns the command of a release's storage daemon.
func daemon(t *testing.T, q qemutest.QEMU, args ...string) *exec.Cmd {
	t.Helper()
	return exec.Command(q.Tool(t, "qemu-storage-daemon"), args...)
}

// passFile passes a file to a server.
func passFile(t *testing.T, c *Conn) {
	t.Helper()
	f, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer f.Close()
	assert.NoError(t, c.With(Files(f)).Execute(t.Context(), "getfd", map[string]string{"fdname": "f"}, nil))
}

// TestQEMULaunch launches each release and its storage daemon: files, a second client, an orderly end.
func TestQEMULaunch(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		for kind, cmd := range map[string]*exec.Cmd{
			"qemu": still(q), "daemon": daemon(t, q, "--blockdev", "null-co,node-name=n0"),
		} {
			checkLeaks(t)
			p := launch(t, cmd)
			v := p.Conn.Greeting().Version
			assert.True(t, strings.HasPrefix(v.String(), q.Release), "%s: greeted by %v", kind, v)
			if kind == "qemu" { // the daemon has no command for files
				passFile(t, p.Conn)
			}
			for range 2 {
				c, err := Dial(t.Context(), p.Addr())
				require.NoError(t, err)
				if err := c.Execute(t.Context(), "query-version", nil, nil); err != nil {
					assert.NotEmpty(t, ClassOf(err), "%s: %v", kind, err)
				}
				c.Close()
			}
			assert.NoError(t, p.Stop(t.Context(), Steps{Powerdown: 10 * time.Millisecond}), kind)
			assert.NoError(t, ended(t, p), kind)
			assert.ErrorIs(t, p.Conn.Err(), io.EOF, kind)
			gone(t, p)
		}
	})
}

// TestQEMULaunchFails launches QEMUs with bad arguments, some of which are noticed late.
func TestQEMULaunchFails(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		checkLeaks(t)
		for want, cmd := range map[string]*exec.Cmd{
			"unsupported machine type": exec.Command(q.Path, "-machine", "nope"),
			"invalid option":           still(q, "-frobnicate"),
			"/none/disk":               still(q, "-drive", "if=none,file=/none/disk"),
			"no-such-device":           exec.Command(q.Path, "-S", "-display", "none", "-device", "no-such-device"),
			"unknown-daemon":           daemon(t, q, "--blockdev", "unknown-daemon,node-name=n0"),
			"exit status 0":            exec.Command(q.Path, "-version"),
		} {
			for _, opts := range [][]LaunchOption{nil, {WithReconnect(Reconnect{RetryFirst: true})}} {
				cmd := exec.Command(cmd.Path, cmd.Args[1:]...)
				_, err := Launch(t.Context(), cmd, opts...)
				assert.ErrorContains(t, err, want)
				assert.ErrorContains(t, err, "exit status ")
				reaped(t, cmd)
			}
		}
	})
}

// A launch that is cancelled at any moment of the start leaves nothing.
func TestQEMULaunchCanceled(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		checkLeaks(t)
		begin := time.Now()
		p := launch(t, still(q))
		took := time.Since(begin)
		assert.NoError(t, p.Close())
		for part := range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), took*time.Duration(part)/8)
			cmd := still(q)
			p, err := Launch(ctx, cmd)
			cancel()
			if err == nil {
				err = p.Close()
			} else {
				assert.ErrorIs(t, err, context.DeadlineExceeded)
			}
			if cmd.Process != nil {
				reaped(t, cmd)
			}
			if err != nil {
				assert.ErrorIs(t, err, context.DeadlineExceeded)
			}
		}
	})
}

// If a QEMU is killed, the errors of unanswered calls say so. A connection with WithReconnect does
// not wait for the QEMU to come back.
func TestQEMULaunchKilled(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		checkLeaks(t)
		for _, opts := range [][]LaunchOption{nil, {WithReconnect(Reconnect{})}} {
			cmd := still(q)
			p := launch(t, cmd, opts...)
			assert.NoError(t, cmd.Process.Kill())
			for err := error(nil); err == nil; {
				if err = p.Conn.Execute(t.Context(), "query-status", nil, nil); err != nil {
					assert.ErrorContains(t, err, "signal: killed")
				}
			}
			assert.ErrorContains(t, ended(t, p), "signal: killed")
			gone(t, p)
		}
	})
}

// TestQEMULaunchReconnects connects again to a QEMU whose connection was lost.
func TestQEMULaunchReconnects(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		checkLeaks(t)
		p := launch(t, still(q), WithReconnect(Reconnect{MinDelay: time.Millisecond}))
		for range 3 {
			_ = p.Conn.current().rw.Close() // the first one is a pair, the others are dialled
			if err := p.Conn.Execute(t.Context(), "query-status", nil, nil); err != nil {
				assert.ErrorIs(t, err, ErrClosed)
			}
			assert.NoError(t, p.Conn.Execute(t.Context(), "query-version", nil, nil))
			passFile(t, p.Conn)
		}
		assert.NoError(t, p.Close())
		gone(t, p)
	})
}

// TestQEMULaunchMany launches many QEMUs at the same time.
func TestQEMULaunchMany(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		checkLeaks(t)
		errs := make(chan error)
		const n = 8
		for range n {
			go func() {
				p, err := Launch(t.Context(), still(q))
				if err == nil {
					err = errors.Join(p.Conn.Execute(t.Context(), "query-status", nil, nil), p.Stop(t.Context(), Steps{}), p.Wait(t.Context()))
				}
				if err != nil {
					err = fmt.Errorf("one of %d: %w", n, err)
				}
				errs <- err
			}()
		}
		for range n {
			assert.NoError(t, <-errs)
		}
	})
}

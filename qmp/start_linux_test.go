package qmp

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
)

// reaped fails the test unless a process is gone, and not a zombie.
func reaped(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	assert.ErrorIs(t, syscall.Kill(cmd.Process.Pid, 0), syscall.ESRCH, "process %d is still there", cmd.Process.Pid)
}

// After a process has ended, in whatever way, neither it nor a goroutine or file of ours is left.
func TestStartLeavesNothing(t *testing.T) {
	for _, script := range []string{"serve", "stubborn", "refuse", "leave", "mute"} {
		t.Run(script, func(t *testing.T) {
			if testing.Short() && script == "stubborn" {
				t.Skip("short: it takes five seconds until it is killed")
			}
			checkLeaks(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cmd := server(script)
			cmd.Stderr = &listening{text: "thinking", seen: cancel}
			p, err := Start(ctx, cmd, WithEventError(func(error) {}))
			if script == "serve" || script == "stubborn" {
				require.NoError(t, err)
			} else {
				require.Error(t, err)
			}
			if p != nil {
				p.Conn.Close()
				_ = ended(t, p)
				reaped(t, cmd)
			}
		})
	}
}

// When a program closes the connection and ends, its server ends, too.
func TestStartMainEnds(t *testing.T) {
	mainEnds(t, "")
}

func TestQEMUStartMainEnds(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) { mainEnds(t, q.Path) })
}

// mainEnds runs such a program again and again. The program and its server hold one end of a
// pipe open as long as they run.
func mainEnds(t *testing.T, qemu string) {
	t.Helper()
	for i := range 30 {
		dead, life, err := os.Pipe()
		require.NoError(t, err)
		cmd := server("main")
		cmd.Env = append(cmd.Env, "QMP_TEST_QEMU="+qemu)
		cmd.ExtraFiles = []*os.File{life}
		out, err := cmd.Output()
		life.Close()
		pid, notPID := strconv.Atoi(string(out))
		require.NoError(t, errors.Join(err, notPID))
		require.NoError(t, dead.SetReadDeadline(time.Now().Add(time.Minute)))
		_, err = dead.Read(make([]byte, 1))
		if err != io.EOF {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		require.Equal(t, io.EOF, err, "the server is left the %d. time", i+1)
		dead.Close()
	}
}

// stdioQEMU is a command that starts a QEMU with its monitor on its standard
// input and output.
func stdioQEMU(q qemutest.QEMU, args ...string) *exec.Cmd {
	return exec.Command(q.Path, append([]string{
		"-S", "-nodefaults", "-display", "none", "-machine", "none", "-qmp", "stdio"}, args...)...)
}

func TestQEMUStart(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		checkLeaks(t)
		ctx, cancel := context.WithTimeout(background, time.Minute)
		defer cancel()
		launch := func(t *testing.T, opts ...Option) (*Process, *exec.Cmd) {
			t.Helper()
			cmd := stdioQEMU(q)
			p, err := Start(ctx, cmd, opts...)
			require.NoError(t, err)
			t.Cleanup(func() { p.Conn.Close() })
			return p, cmd
		}
		t.Run("quit", func(t *testing.T) {
			p, cmd := launch(t, WithOOB())
			events := p.Conn.Subscribe([]string{"SHUTDOWN"})
			var wait sync.WaitGroup
			for i := range 8 {
				wait.Go(func() {
					for j := range 25 {
						var got struct{}
						err := p.Conn.Execute(ctx, "query-status", nil, &got)
						assert.NoError(t, err, "%d %d", i, j)
					}
				})
			}
			wait.Wait()
			assert.NoError(t, p.Conn.Execute(ctx, "quit", nil, nil))
			e, err := events.Next(ctx)
			assert.NoError(t, err)
			assert.Equal(t, "SHUTDOWN", e.Name)
			<-p.Conn.Done()
			assert.ErrorIs(t, p.Conn.Err(), io.EOF)
			assert.NoError(t, p.Wait(ctx))
			reaped(t, cmd)
		})
		t.Run("close", func(t *testing.T) {
			p, cmd := launch(t)
			p.Conn.Close()
			assert.NoError(t, p.Wait(ctx)) // after SIGTERM it ends with exit status 0
			reaped(t, cmd)
		})
		t.Run("killed in mid-call", func(t *testing.T) {
			p, cmd := launch(t)
			require.NoError(t, cmd.Process.Signal(syscall.SIGSTOP))
			end := make(chan error, 1)
			p.Conn.Go(ctx, "query-status", nil, nil, func(err error) { end <- err })
			require.NoError(t, cmd.Process.Kill())
			err := <-end
			assert.ErrorAs(t, err, new(*exec.ExitError))
			assert.ErrorContains(t, err, "signal: killed")
			assert.ErrorAs(t, p.Wait(ctx), new(*exec.ExitError))
			reaped(t, cmd)
		})
		t.Run("refused", func(t *testing.T) {
			for arg, want := range map[string]string{
				"-machine nope": "unsupported machine type", "-nope": "-nope: invalid option",
				"-drive file=/none/disk": "Could not open '/none/disk': No such file or directory",
			} {
				cmd := stdioQEMU(q, strings.Fields(arg)...)
				_, err := Start(ctx, cmd)
				assert.ErrorAs(t, err, new(*exec.ExitError), arg)
				assert.ErrorContains(t, err, want, arg)
				reaped(t, cmd)
			}
		})
	})
}

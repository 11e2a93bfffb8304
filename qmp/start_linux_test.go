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

	"github.com/goqapi/goqapi/internal/qemutest"
)

// reaped fails the test unless a process is gone, and not a zombie.
func reaped(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := syscall.Kill(cmd.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", cmd.Process.Pid, err)
	}
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
			if (err == nil) != (script == "serve" || script == "stubborn") {
				t.Fatal(err)
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
		if err != nil {
			t.Fatal(err)
		}
		cmd := server("main")
		cmd.Env = append(cmd.Env, "QMP_TEST_QEMU="+qemu)
		cmd.ExtraFiles = []*os.File{life}
		out, err := cmd.Output()
		life.Close()
		pid, notPID := strconv.Atoi(string(out))
		if err := errors.Join(err, notPID); err != nil {
			t.Fatal(err)
		}
		if err := dead.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := dead.Read(make([]byte, 1)); err != io.EOF {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("the server is left the %d. time: %v", i+1, err)
		}
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
			if err != nil {
				t.Fatal(err)
			}
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
						if err != nil {
							t.Errorf("%d %d: %v", i, j, err)
						}
					}
				})
			}
			wait.Wait()
			if err := p.Conn.Execute(ctx, "quit", nil, nil); err != nil {
				t.Error(err)
			}
			if e, err := events.Next(ctx); err != nil || e.Name != "SHUTDOWN" {
				t.Errorf("%v, %v", e, err)
			}
			<-p.Conn.Done()
			if err := p.Conn.Err(); !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			if err := p.Wait(ctx); err != nil {
				t.Error(err)
			}
			reaped(t, cmd)
		})
		t.Run("close", func(t *testing.T) {
			p, cmd := launch(t)
			p.Conn.Close()
			if err := p.Wait(ctx); err != nil { // after SIGTERM it ends with exit status 0
				t.Error(err)
			}
			reaped(t, cmd)
		})
		t.Run("killed in mid-call", func(t *testing.T) {
			p, cmd := launch(t)
			if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			end := make(chan error, 1)
			p.Conn.Go(ctx, "query-status", nil, nil, func(err error) { end <- err })
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			err := <-end
			if exit, _ := errors.AsType[*exec.ExitError](err); exit == nil || !strings.Contains(err.Error(), "signal: killed") {
				t.Error(err)
			}
			if err := p.Wait(ctx); !errors.As(err, new(*exec.ExitError)) {
				t.Error(err)
			}
			reaped(t, cmd)
		})
		t.Run("refused", func(t *testing.T) {
			for arg, want := range map[string]string{
				"-machine nope": "unsupported machine type", "-nope": "-nope: invalid option",
				"-drive file=/none/disk": "Could not open '/none/disk': No such file or directory",
			} {
				cmd := stdioQEMU(q, strings.Fields(arg)...)
				_, err := Start(ctx, cmd)
				if exit, _ := errors.AsType[*exec.ExitError](err); exit == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: got %v, want %s", arg, err, want)
				}
				reaped(t, cmd)
			}
		})
	})
}

package qmp

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
)

// TestLaunchEndlessInput reads the standard input from a reader that never ends: nobody waits for it.
func TestLaunchEndlessInput(t *testing.T) {
	for _, quit := range []bool{true, false} {
		never, keep := io.Pipe()
		defer keep.Close()
		cmd := launchable("serve")
		cmd.Stdin = never
		p := launch(t, cmd)
		if quit {
			assert.NoError(t, p.Stop(t.Context(), Steps{}))
			assert.NoError(t, ended(t, p), "it has ended without an error")
		} else {
			assert.NoError(t, p.Close())
		}
		gone(t, p)
	}
}

// A socket at which nobody listens yet refuses connections, so SocketExists waits.
func TestSocketExists(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a socket")
	synctest.Test(t, func(t *testing.T) {
		wait := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			return SocketExists(path)(ctx)
		}
		require.ErrorIs(t, wait(), context.DeadlineExceeded, "there is none")
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		require.NoError(t, err)
		require.NoError(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}))
		require.ErrorIs(t, wait(), context.DeadlineExceeded, "nobody listens")
		require.NoError(t, syscall.Listen(fd, 1))
		require.NoError(t, wait())
		require.NoError(t, syscall.Close(fd))
		require.NoError(t, wait(), "the kernel does not list it: it may be in another namespace")
	})
}

// TestStopEnded stops a process that has already ended, and whose standard error is still being read, since a
// child holds it open: Stop does not report that the process was killed.
func TestStopEnded(t *testing.T) {
	cmd := launchable("child")
	cmd.WaitDelay = time.Hour
	child := make(chan int, 1)
	said := &listening{text: "."}
	said.seen = func() {
		_, text, _ := strings.Cut(said.all.String(), "child ")
		number, _, _ := strings.Cut(text, ".")
		pid, _ := strconv.Atoi(number)
		child <- pid
	}
	cmd.Stderr = said
	p := launch(t, cmd)
	assert.NoError(t, p.Conn.Execute(t.Context(), "quit", nil, nil))
	for p.Signal(syscall.Signal(0)) == nil { // until it is reaped
		time.Sleep(time.Millisecond)
	}
	pid := <-child
	require.Positive(t, pid, "the child's number")
	stop := async(func() error { return p.Stop(t.Context(), Steps{Quit: -1, Terminate: -1}) })
	for len(stop) == 0 && !receives("(*Process).Stop(") {
		time.Sleep(time.Millisecond)
	}
	require.Empty(t, stop, "it does not wait for the child")
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	assert.NoError(t, <-stop)
}

// receives reports whether a goroutine that is in this function waits for a channel.
func receives(function string) bool {
	stacks := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(stack, "[chan receive") && strings.Contains(stack, function) {
			return true
		}
	}
	return false
}

// TestLaunchGroup checks that a server is in this program's process group, and so gets the same signals from
// the terminal, unless Setpgid gives it a group of its own.
func TestLaunchGroup(t *testing.T) {
	for _, own := range []bool{false, true} {
		cmd := launchable("serve")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: own}
		p := launch(t, cmd)
		group, err := syscall.Getpgid(cmd.Process.Pid)
		assert.NoError(t, err)
		assert.Equal(t, own, group == cmd.Process.Pid, "the group is %d", group)
		assert.Equal(t, !own, group == syscall.Getpgrp(), "the group is %d", group)
		assert.NoError(t, p.Stop(t.Context(), Steps{}))
	}
}

// testHelper launches a QEMU with a helper, which gets its socket, twice: once QEMU ends first, once the helper.
func testHelper(t *testing.T, command func(socket string) *exec.Cmd, qemu func(socket string) *exec.Cmd, device string) {
	t.Helper()
	for _, first := range []string{"QEMU", "helper"} {
		dir, err := os.MkdirTemp("", "helper")
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		socket := filepath.Join(dir, "s")
		helper := command(socket)
		lost := make(chan error, 1)
		p := launch(t, qemu(socket), Alongside(Helper{
			Cmd: helper, Ready: SocketExists(socket), Ended: func(err error) { lost <- err },
		}))
		var kind string
		get := map[string]string{"path": "/machine/peripheral/" + device, "property": "type"}
		assert.NoError(t, p.Conn.Execute(t.Context(), "qom-get", get, &kind))
		if first == "helper" {
			_ = helper.Process.Kill()
			assert.ErrorContains(t, <-lost, "has ended: signal: killed")
			assert.NoError(t, p.Conn.Execute(t.Context(), "query-status", nil, nil), "QEMU does not answer after the end of its helper")
		}
		assert.NoError(t, p.Stop(t.Context(), Steps{}))
		err = ended(t, p)
		assert.Equal(t, first == "helper", err != nil, "%s first: %v", first, err)
		reaped(t, helper)
		gone(t, p)
	}
}

// TestQEMULaunchDiskHelper launches QEMUs with a disk of vhost-user, as virtiofsd serves folders. The helper is a
// storage daemon.
func TestQEMULaunchDiskHelper(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		checkLeaks(t)
		testHelper(t, func(socket string) *exec.Cmd {
			return daemon(t, q, "--blockdev", "null-co,node-name=n0",
				"--export", "vhost-user-blk,id=e0,node-name=n0,addr.type=unix,addr.path="+socket)
		}, func(socket string) *exec.Cmd {
			return exec.Command(q.Path, "-S", "-nodefaults", "-display", "none", "-m", "64",
				"-object", "memory-backend-memfd,id=mem,size=64M,share=on", "-machine", "pc,memory-backend=mem",
				"-chardev", "socket,id=c0,path="+socket, "-device", "vhost-user-blk-pci,id=vd0,chardev=c0")
		}, "vd0")
	})
}

// TestQEMULaunchTPM launches QEMUs with a TPM, which is a program of its own: swtpm, of Debian's package of that
// name.
func TestQEMULaunchTPM(t *testing.T) {
	swtpm, err := exec.LookPath("swtpm")
	if err != nil {
		t.Skip("there is no swtpm: install Debian's package swtpm")
	}
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		checkLeaks(t)
		testHelper(t, func(socket string) *exec.Cmd {
			return exec.Command(swtpm, "socket", "--tpm2", "--tpmstate", "dir="+filepath.Dir(socket), "--ctrl", "type=unixio,path="+socket)
		}, func(socket string) *exec.Cmd {
			return exec.Command(q.Path, "-S", "-nodefaults", "-display", "none", "-machine", "pc", "-m", "64",
				"-chardev", "socket,id=c0,path="+socket, "-tpmdev", "emulator,id=t0,chardev=c0", "-device", "tpm-tis,id=tpm,tpmdev=t0")
		}, "tpm")
	})
}

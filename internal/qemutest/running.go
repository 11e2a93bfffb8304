package qemutest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/goqapi/goqapi/internal/poll"
)

// A Running is a QEMU to which a test can connect several times, and which it can kill.
type Running struct {
	Monitor net.Conn // the first monitor
	path    string   // of the second monitor's socket
	pid     int
}

// Run is like Start; the QEMU has a second monitor, which listens.
func (q QEMU) Run(t testing.TB, args ...string) Running {
	t.Helper()
	dir, err := os.MkdirTemp("", "qemu") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := Running{path: filepath.Join(dir, "m")}
	pidfile := filepath.Join(dir, "pid")
	r.Monitor = q.Start(t, "-qmp", append(args, "-pidfile", pidfile, "-qmp", "unix:"+r.path+",server=on,wait=off")...)
	text, err := os.ReadFile(pidfile)
	if err == nil {
		r.pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Addr returns the address of the second monitor.
func (r Running) Addr() string { return "unix:" + r.path }

// Dial connects to the second monitor, for which it waits if QEMU has not made it yet.
func (r Running) Dial(ctx context.Context) (conn io.ReadWriteCloser, err error) {
	err = poll.Until(ctx, func(ctx context.Context) (bool, error) {
		conn, err = new(net.Dialer).DialContext(ctx, "unix", r.path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
			return false, nil
		}
		return true, err
	})
	return conn, err
}

// Kill kills the QEMU immediately.
func (r Running) Kill(t testing.TB) {
	t.Helper()
	p, err := os.FindProcess(r.pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Error(err)
	}
}

//go:build linux

package qmp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
)

// eachQEMU runs f with each QEMU that there is.
func eachQEMU(t *testing.T, f func(t *testing.T, bin string)) {
	t.Helper()
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) { f(t, q.Path) })
}

// A qemu is a running one.
type qemu struct {
	*exec.Cmd
	stderr bytes.Buffer
	exited chan struct{}
}

// start runs a QEMU without a machine and with these arguments. It is killed when
// the test ends.
//
// It waits until QEMU runs. A QEMU 5.2 whose socket is dialled while it starts lets
// two threads accept the connection: one of them waits for another one, and QEMU does
// nothing until that comes; or both read, each a part.
func start(t testing.TB, bin string, files []*os.File, args ...string) *qemu {
	t.Helper()
	ours, theirs := fdPair(t)
	args = append([]string{"-S", "-nodefaults", "-display", "none", "-machine", "none"}, args...)
	args = append(args, "-chardev", fmt.Sprintf("socket,id=running,fd=%d", 3+len(files)), "-mon", "chardev=running,mode=control")
	q := &qemu{Cmd: exec.Command(bin, args...), exited: make(chan struct{})}
	q.Cmd.Stderr = &q.stderr
	q.Cmd.ExtraFiles = append(slices.Clone(files), theirs)
	require.NoError(t, q.Start())
	for _, f := range q.Cmd.ExtraFiles {
		f.Close()
	}
	go func() {
		defer close(q.exited)
		q.Cmd.Wait()
	}()
	t.Cleanup(func() {
		q.Process.Kill()
		<-q.exited
		if t.Failed() && q.stderr.Len() > 0 {
			t.Logf("QEMU said: %s", &q.stderr)
		}
	})
	dial(t, fmt.Sprintf("fd:%d", ours)).Close()
	return q
}

// listener returns a path on which QEMU will listen, and the file to give it:
// since the socket is there already, dialling needs no waiting.
func listener(t testing.TB) (path string, f *os.File) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer l.Close()
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	f, err = l.(*net.UnixListener).File()
	require.NoError(t, err)
	return path, f
}

// startMonitors runs a QEMU with n monitors and returns their addresses.
func startMonitors(t testing.TB, bin string, n int, mon string, args ...string) (*qemu, []string) {
	t.Helper()
	var addrs []string
	var files []*os.File
	for i := range n {
		path, f := listener(t)
		addrs, files = append(addrs, "unix:"+path), append(files, f)
		args = append(args,
			"-chardev", fmt.Sprintf("socket,id=c%d,fd=%d,server=on,wait=off", i, 3+i),
			"-mon", fmt.Sprintf("chardev=c%d,mode=control%s", i, mon))
	}
	return start(t, bin, files, args...), addrs
}

// openTerminal opens a terminal as it is meant for machines: without echo, line by
// line or not.
func openTerminal(t *testing.T, path string) (fd int) {
	t.Helper()
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	require.NoError(t, err)
	var mode syscall.Termios
	ioctl := func(what string, request uintptr) {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&mode)))
		require.Zero(t, errno, "%s: %s", path, what)
	}
	ioctl("get the mode", syscall.TCGETS)
	mode.Iflag, mode.Oflag, mode.Lflag = 0, 0, 0
	ioctl("set the mode", syscall.TCSETS)
	return fd
}

// dial connects to a QEMU. No error may be reported, and no goroutine may be left.
func dial(t testing.TB, addr string, opts ...Option) *Conn {
	t.Helper()
	log := new(errorLog)
	ctx, cancel := context.WithTimeout(background, time.Minute)
	defer cancel()
	c, err := Dial(ctx, addr, append([]Option{WithEventError(log.add)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Close()
		assert.Empty(t, log.take(), "reported")
	})
	return c
}

// checkLeaks fails the test if it ends with more goroutines or descriptors.
func checkLeaks(t *testing.T) {
	count := func() (goroutines, fds int) {
		entries, _ := os.ReadDir("/proc/self/fd")
		return runtime.NumGoroutine(), len(entries)
	}
	g, f := count()
	t.Cleanup(func() { // runs last
		for end := time.Now().Add(time.Minute); ; runtime.Gosched() {
			g2, f2 := count()
			if g2 <= g && f2 <= f {
				return
			}
			if time.Now().After(end) {
				buf := make([]byte, 1<<20)
				assert.LessOrEqual(t, g2, g, "goroutines:\n%s", buf[:runtime.Stack(buf, true)])
				assert.LessOrEqual(t, f2, f, "descriptors")
				return
			}
		}
	})
}

// converse is a conversation with a fresh QEMU, to its end.
func converse(t *testing.T, c *Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	all := c.Subscribe(nil)
	var last string
	shutdown := make(chan struct{})
	c.OnEvent("SHUTDOWN", func(e Event) { last = string(e.Data); close(shutdown) })

	var st status
	assert.NoError(t, c.Execute(ctx, "query-status", nil, &st))
	assert.False(t, st.Running, "it runs")
	assert.NotEmpty(t, st.Status)
	for _, command := range []string{"cont", "stop"} {
		assert.NoError(t, c.Execute(ctx, command, nil, nil))
	}
	for _, want := range []string{"RESUME", "STOP"} {
		e, err := all.Next(ctx)
		assert.NoError(t, err)
		assert.Equal(t, want, e.Name)
		assert.LessOrEqual(t, time.Since(e.Timestamp).Abs(), time.Minute)
	}
	refusal := func(command string, args any) *Error {
		t.Helper()
		var refused *Error
		require.ErrorAs(t, c.Execute(ctx, command, args, nil), &refused, command)
		return refused
	}
	assert.Equal(t, ClassDeviceNotFound, refusal("eject", map[string]string{"id": "none"}).Class)
	assert.Equal(t, ClassCommandNotFound, refusal("no-such-command", nil).Class)
	var schema []struct {
		Name string `json:"name"`
	}
	assert.NoError(t, c.Execute(ctx, "query-qmp-schema", nil, &schema))
	assert.GreaterOrEqual(t, len(schema), 500, "entities of the schema")
	const name = "/é ☃ 😀 \" \\ \u007f\u0001"
	assert.Contains(t, refusal("qom-list", map[string]string{"path": name}).Desc, name)
	answer, err := c.RoundTrip(ctx, []byte(`{"execute": "query-name", "id": {"my": ["own", 1.0]}}`))
	assert.NoError(t, err, "a whole message")
	var whole struct{ Return, ID json.RawMessage }
	assert.NoError(t, json.Unmarshal(answer, &whole), "a whole message: %s", answer)
	assert.NotNil(t, whole.Return, "a whole message: %s", answer)
	assert.NotNil(t, whole.ID, "a whole message: %s", answer)
	deep := strings.Repeat(`{"a":`, 1023) + "1" + strings.Repeat("}", 1023)
	assert.Equal(t, ClassGenericError, refusal("query-name", json.RawMessage(deep)).Class, "the deepest arguments")
	assert.NoError(t, c.Execute(ctx, "query-name", nil, nil), "after the deepest arguments")

	assert.NoError(t, c.Execute(ctx, "quit", nil, nil))
	var events []string
	for e, err := range all.All(ctx) {
		if err != nil {
			assert.ErrorIs(t, err, io.EOF, "the end")
			break
		}
		events = append(events, e.Name)
	}
	assert.Equal(t, []string{"SHUTDOWN"}, events, "last events")
	select {
	case <-shutdown:
	case <-ctx.Done():
		t.Fatal("the handler has not received SHUTDOWN")
	}
	assert.Contains(t, last, "host-qmp-quit", "what SHUTDOWN says")
	<-c.Done()
	assert.ErrorIs(t, c.Err(), ErrClosed)
	assert.ErrorIs(t, c.Err(), io.EOF)
}

func TestQEMU(t *testing.T) {
	eachQEMU(t, func(t *testing.T, bin string) {
		t.Run("unix", func(t *testing.T) {
			checkLeaks(t)
			q, addrs := startMonitors(t, bin, 1, "")
			converse(t, dial(t, addrs[0]+",server=on,wait=off"))
			<-q.exited
		})
		t.Run("pretty", func(t *testing.T) {
			checkLeaks(t)
			_, addrs := startMonitors(t, bin, 1, ",pretty=on")
			converse(t, dial(t, addrs[0]))
		})
		t.Run("abstract", func(t *testing.T) {
			name := fmt.Sprintf("goqapi-%d-%s", os.Getpid(), t.Name())
			l, err := net.Listen("unix", "@"+name)
			if err != nil {
				t.Skipf("cannot listen on an abstract socket: %v", err)
			}
			f, err := l.(*net.UnixListener).File()
			l.Close()
			require.NoError(t, err)
			start(t, bin, []*os.File{f}, "-chardev", "socket,id=c,fd=3,server=on,wait=off", "-mon", "chardev=c,mode=control")
			converse(t, dial(t, "unix:"+name+",abstract=on"))
		})
		for name, host := range map[string]string{"tcp": "127.0.0.1:0", "tcp over IPv6": "[::1]:0"} {
			t.Run(name, func(t *testing.T) {
				l, err := net.Listen("tcp", host)
				if err != nil && name != "tcp" {
					t.Skipf("this machine has no IPv6: %v", err)
				}
				require.NoError(t, err)
				f, err := l.(*net.TCPListener).File()
				l.Close()
				require.NoError(t, err)
				start(t, bin, []*os.File{f}, "-chardev", "socket,id=c,fd=3,server=on,wait=off", "-mon", "chardev=c,mode=control")
				converse(t, dial(t, "tcp:"+l.Addr().String()))
			})
		}
		t.Run("pty", func(t *testing.T) {
			_, addrs := startMonitors(t, bin, 1, "", "-chardev", "pty,id=p", "-mon", "chardev=p,mode=control")
			var chardevs []map[string]any
			require.NoError(t, dial(t, addrs[0]).Execute(t.Context(), "query-chardev", nil, &chardevs))
			i := slices.IndexFunc(chardevs, func(c map[string]any) bool { return c["label"] == "p" })
			path := strings.TrimPrefix(chardevs[i]["filename"].(string), "pty:")
			c := dial(t, fmt.Sprintf("fd:%d", openTerminal(t, path)))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			all := c.Subscribe(nil) // but no quit: a terminal drops what has not been read when the other side closes it
			for _, test := range []struct{ command, event string }{{"cont", "RESUME"}, {"stop", "STOP"}} {
				require.NoError(t, c.Execute(ctx, test.command, nil, nil))
				e, err := all.Next(ctx)
				assert.NoError(t, err, test.command)
				assert.Equal(t, test.event, e.Name, test.command)
			}
		})
		t.Run("socketpair", func(t *testing.T) {
			ours, theirs := fdPair(t)
			start(t, bin, []*os.File{theirs}, "-chardev", "socket,id=c,fd=3", "-mon", "chardev=c,mode=control")
			converse(t, dial(t, fmt.Sprintf("fd:%d", ours)))
		})
		t.Run("pipe", func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "p")
			for _, name := range []string{path + ".in", path + ".out"} {
				require.NoError(t, syscall.Mkfifo(name, 0o600))
			}
			start(t, bin, nil, "-qmp", "pipe:"+path)
			for { // until QEMU has opened them
				c, err := Dial(t.Context(), "pipe:"+path)
				if errors.Is(err, syscall.ENXIO) {
					time.Sleep(time.Millisecond)
					continue
				}
				require.NoError(t, err)
				converse(t, c)
				break
			}
		})
	})
}

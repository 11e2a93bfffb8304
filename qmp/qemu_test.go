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
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

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
	if err := q.Start(); err != nil {
		t.Fatal(err)
	}
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
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if f, err = l.(*net.UnixListener).File(); err != nil {
		t.Fatal(err)
	}
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
	if err != nil {
		t.Fatal(err)
	}
	var mode syscall.Termios
	ioctl := func(what string, request uintptr) {
		if _, _, err := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&mode))); err != 0 {
			t.Fatalf("%s: %s: %v", path, what, err)
		}
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
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		for _, err := range log.take() {
			t.Errorf("reported: %v", err)
		}
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
				t.Errorf("%d goroutines and %d descriptors became %d and %d:\n%s", g, f, g2, f2, buf[:runtime.Stack(buf, true)])
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
	if err := c.Execute(ctx, "query-status", nil, &st); err != nil || st.Running || st.Status == "" {
		t.Errorf("query-status: %v, %v", st, err)
	}
	for _, command := range []string{"cont", "stop"} {
		if err := c.Execute(ctx, command, nil, nil); err != nil {
			t.Error(err)
		}
	}
	for _, want := range []string{"RESUME", "STOP"} {
		e, err := all.Next(ctx)
		if err != nil || e.Name != want || time.Since(e.Timestamp).Abs() > time.Minute {
			t.Errorf("got event %v, %v, want %s", e, err, want)
		}
	}
	err := c.Execute(ctx, "eject", map[string]string{"id": "none"}, nil)
	if e, ok := errors.AsType[*Error](err); !ok || e.Class != ClassDeviceNotFound {
		t.Errorf("eject: %v", err)
	}
	err = c.Execute(ctx, "no-such-command", nil, nil)
	if e, ok := errors.AsType[*Error](err); !ok || e.Class != ClassCommandNotFound {
		t.Errorf("no-such-command: %v", err)
	}
	var schema []struct {
		Name string `json:"name"`
	}
	if err := c.Execute(ctx, "query-qmp-schema", nil, &schema); err != nil || len(schema) < 500 {
		t.Errorf("query-qmp-schema: %d entities, %v", len(schema), err)
	}
	const name = "/é ☃ 😀 \" \\ \u007f\u0001"
	err = c.Execute(ctx, "qom-list", map[string]string{"path": name}, nil)
	if e, ok := errors.AsType[*Error](err); !ok || !strings.Contains(e.Desc, name) {
		t.Errorf("an error that quotes %q: %v", name, err)
	}
	answer, err := c.RoundTrip(ctx, []byte(`{"execute": "query-name", "id": {"my": ["own", 1.0]}}`))
	var whole struct{ Return, ID json.RawMessage }
	if err != nil || json.Unmarshal(answer, &whole) != nil || whole.Return == nil || whole.ID == nil {
		t.Errorf("a whole message: %s, %v", answer, err)
	}
	deep := strings.Repeat(`{"a":`, 1023) + "1" + strings.Repeat("}", 1023)
	err = c.Execute(ctx, "query-name", json.RawMessage(deep), nil)
	if e, ok := errors.AsType[*Error](err); !ok || e.Class != ClassGenericError {
		t.Errorf("the deepest arguments: %.200v", err)
	}
	if err := c.Execute(ctx, "query-name", nil, nil); err != nil {
		t.Errorf("after the deepest arguments: %v", err)
	}

	if err := c.Execute(ctx, "quit", nil, nil); err != nil {
		t.Errorf("quit: %v", err)
	}
	var events []string
	for e, err := range all.All(ctx) {
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Errorf("the end: %v", err)
			}
			break
		}
		events = append(events, e.Name)
	}
	if !slices.Equal(events, []string{"SHUTDOWN"}) {
		t.Errorf("last events: %v", events)
	}
	select {
	case <-shutdown:
	case <-ctx.Done():
		t.Fatal("the handler has not received SHUTDOWN")
	}
	if !strings.Contains(last, "host-qmp-quit") {
		t.Errorf("SHUTDOWN says %s", last)
	}
	<-c.Done()
	if err := c.Err(); !errors.Is(err, ErrClosed) || !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
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
			if err != nil {
				t.Fatal(err)
			}
			start(t, bin, []*os.File{f}, "-chardev", "socket,id=c,fd=3,server=on,wait=off", "-mon", "chardev=c,mode=control")
			converse(t, dial(t, "unix:"+name+",abstract=on"))
		})
		for name, host := range map[string]string{"tcp": "127.0.0.1:0", "tcp over IPv6": "[::1]:0"} {
			t.Run(name, func(t *testing.T) {
				l, err := net.Listen("tcp", host)
				if err != nil && name != "tcp" {
					t.Skipf("this machine has no IPv6: %v", err)
				} else if err != nil {
					t.Fatal(err)
				}
				f, err := l.(*net.TCPListener).File()
				l.Close()
				if err != nil {
					t.Fatal(err)
				}
				start(t, bin, []*os.File{f}, "-chardev", "socket,id=c,fd=3,server=on,wait=off", "-mon", "chardev=c,mode=control")
				converse(t, dial(t, "tcp:"+l.Addr().String()))
			})
		}
		t.Run("pty", func(t *testing.T) {
			_, addrs := startMonitors(t, bin, 1, "", "-chardev", "pty,id=p", "-mon", "chardev=p,mode=control")
			var chardevs []map[string]any
			if err := dial(t, addrs[0]).Execute(t.Context(), "query-chardev", nil, &chardevs); err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(chardevs, func(c map[string]any) bool { return c["label"] == "p" })
			path := strings.TrimPrefix(chardevs[i]["filename"].(string), "pty:")
			c := dial(t, fmt.Sprintf("fd:%d", openTerminal(t, path)))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			all := c.Subscribe(nil) // but no quit: a terminal drops what has not been read when the other side closes it
			for _, test := range []struct{ command, event string }{{"cont", "RESUME"}, {"stop", "STOP"}} {
				if err := c.Execute(ctx, test.command, nil, nil); err != nil {
					t.Fatal(err)
				}
				if e, err := all.Next(ctx); err != nil || e.Name != test.event {
					t.Errorf("%s: %v, %v", test.command, e, err)
				}
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
				if err := syscall.Mkfifo(name, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			start(t, bin, nil, "-qmp", "pipe:"+path)
			for { // until QEMU has opened them
				c, err := Dial(t.Context(), "pipe:"+path)
				if errors.Is(err, syscall.ENXIO) {
					time.Sleep(time.Millisecond)
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				converse(t, c)
				break
			}
		})
	})
}

// A second client gets silence, and the server when the first has gone.
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

// A client that takes over a monitor while the command of the one before still runs gets
// its own replies, not that one's: 300 of 300 with QAPI_LONG=1.
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

// The same without a negotiation: the first command's id shows which reply is its own.
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

// SIGSTOP: calls honour their deadline and the connection lives on. SIGTERM: its
// event is the last. SIGKILL: every call ends.
func TestQEMUSignals(t *testing.T) {
	eachQEMU(t, func(t *testing.T, bin string) {
		checkLeaks(t)
		q, addrs := startMonitors(t, bin, 1, "")
		c := dial(t, addrs[0])
		if err := q.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			err := c.With(Timeout(10*time.Millisecond)).Execute(t.Context(), "query-qmp-schema", nil, nil)
			if !errors.Is(err, ErrAbandoned) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a call to a stopped QEMU: %v", err)
			}
		}
		if err := q.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if err := c.Execute(t.Context(), "query-status", nil, new(status)); err != nil {
			t.Error(err)
		}
		s := c.Subscribe(nil)
		if err := q.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if e, err := s.Next(t.Context()); err != nil || e.Name != "SHUTDOWN" {
			t.Errorf("got %v, %v", e, err)
		}
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
		if err := c.Execute(t.Context(), "query-name", nil, nil); err != nil {
			t.Error(err)
		}
		q.Process.Kill()
		for _, done := range calls {
			err := <-done
			if !errors.Is(err, ErrClosed) || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("a call to a killed QEMU: %v", err)
			}
		}
	})
}

// Many callers at once get each their own reply, while another monitor provokes
// events that both see.
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
					if err := other.Execute(ctx, command, nil, nil); err != nil {
						t.Error(err)
						return
					}
				}
				n++
			}
		}()

		var schema json.RawMessage
		if err := c.Execute(ctx, "query-qmp-schema", nil, &schema); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				for j := range each {
					if err := mixedCall(ctx, c, i, j, schema); err != nil {
						t.Errorf("caller %d, call %d: %v", i, j, err)
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
			if err != nil || e.Name != want {
				t.Fatalf("got event %v, %v, want %s", e, err, want)
			}
			if want = "STOP"; e.Name == "STOP" {
				want = "RESUME"
			}
		}
		counts := make(map[string]int)
		for range 2 * n {
			counts[<-handled]++
		}
		if counts["STOP"] != n || counts["RESUME"] != n {
			t.Errorf("handled %v, want %d of each", counts, n)
		}
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
		if e, ok := errors.AsType[*Error](err); !ok || !strings.Contains(e.Desc, path) {
			t.Errorf("got %.200v", err)
		}
	})
}

// Events in great number: none is lost, all are in order, and calls go on.
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
			if e.Name == last.Name || e.Timestamp.Before(last.Timestamp) {
				t.Errorf("event %v after %v", e, last)
			}
			last = e
			n++
			seen <- n
		})
		for range pairs {
			for _, command := range []string{"cont", "stop"} {
				if err := c.Execute(t.Context(), command, nil, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i := range 2 * pairs {
			if got := <-seen; got != i+1 {
				t.Fatalf("event %d, want %d", got, i+1)
			}
		}
	})
}

// A manager's day: QEMU is killed and started again, and the connection is back.
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

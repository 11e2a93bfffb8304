package qmp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goqapi/goqapi/internal/deadline"
	"github.com/goqapi/goqapi/internal/qemutest"
)

// launchable is a command that runs this test program as a server for Launch.
func launchable(script string, env ...string) *exec.Cmd {
	cmd := server(script)
	cmd.Env = append(append(cmd.Env, "QMP_TEST_LAUNCHED=yes"), env...)
	return cmd
}

// serveLaunched serves on the sockets that the arguments name. "drop" loses the connection.
func serveLaunched() {
	args := strings.Join(os.Args, " ")
	socket := func(pattern string) *os.File {
		m := regexp.MustCompile(pattern).FindStringSubmatch(args)
		if m == nil {
			panic("the arguments have no " + pattern + ": " + args)
		}
		var fd uintptr
		fmt.Sscan(m[1], &fd)
		return os.NewFile(fd, m[0])
	}
	l, err := net.FileListener(socket(`--chardev socket,id=(?:\S+),fd=(\d+),server=on,wait=off`))
	if err != nil {
		panic(err)
	}
	f := socket(`--chardev socket,id=(?:\S+),fd=(\d+) `)
	conn, err := net.FileConn(f)
	if err != nil {
		panic(err)
	}
	f.Close() // conn is a copy
	for {
		serve(dropper{conn}, conn)
		conn.Close()
		if conn, err = l.Accept(); err != nil {
			panic(err)
		}
	}
}

// A dropper ends with the command drop.
type dropper struct{ net.Conn }

func (d dropper) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	if strings.Contains(string(b[:n]), `"drop"`) {
		return 0, io.EOF
	}
	return n, err
}

func launch(t *testing.T, cmd *exec.Cmd, opts ...LaunchOption) *Process {
	t.Helper()
	p, err := Launch(t.Context(), cmd, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = ended(t, p)
	})
	return p
}

// gone fails the test unless nothing is left of a process: no zombie, no socket, no folder of it.
func gone(t *testing.T, p *Process) {
	t.Helper()
	reaped(t, p.cmd)
	path := strings.TrimPrefix(p.Addr(), "unix:")
	for _, place := range []string{path, filepath.Dir(path)} {
		if _, err := os.Stat(place); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", place, err)
		}
	}
}

// A launched server is connected at once, and files can be passed. A second client can connect, the
// caller's files keep their numbers, and nothing is left.
func TestLaunch(t *testing.T) {
	checkLeaks(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := launchable("serve")
	cmd.ExtraFiles = []*os.File{w}
	p := launch(t, cmd)
	w.Close()
	for range 100 {
		if err := p.Conn.With(Files(r)).Execute(t.Context(), "something", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(strings.TrimPrefix(p.Addr(), "unix:")); err != nil {
		t.Error(err)
	}
	p.Conn.Close()
	select {
	case <-p.Done():
		t.Fatal("the server ended with its connection")
	default:
	}
	c, err := Dial(t.Context(), p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Execute(t.Context(), "quit", nil, nil); err != nil {
		t.Error(err)
	}
	if err := ended(t, p); err != nil {
		t.Error(err)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the first extra file: %v", err)
	}
	gone(t, p)
}

// A launch that fails does so at once, with the reason, and leaves nothing.
func TestLaunchFails(t *testing.T) {
	name := filepath.Base(server("").Path)
	for _, opts := range [][]LaunchOption{nil, {WithReconnect(Reconnect{RetryFirst: true})}} {
		checkLeaks(t)
		for script, want := range map[string]string{
			"refuse": "exit status 1: qemu: a line before; qemu: -machine nope: unsupported machine type",
			"leave":  "exit status 0: nothing to do",
		} {
			cmd := launchable(script)
			_, err := Launch(t.Context(), cmd, opts...)
			if want = "qmp: launch " + name + ": " + want; err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
			if errors.Is(err, context.Canceled) {
				t.Errorf("got %v, although nobody has cancelled", err)
			}
			reaped(t, cmd)
		}
	}
	taken := "unix:" + filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(strings.TrimPrefix(taken, "unix:"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		ctx  context.Context
		cmd  *exec.Cmd
		opts []LaunchOption
		want string
	}{
		{t.Context(), exec.Command(t.TempDir() + "/none"), nil, "no such file"},
		{t.Context(), launchable("serve"), []LaunchOption{AtSocket(taken)}, "address already in use"},
		{t.Context(), launchable("serve"), []LaunchOption{AtSocket("tcp:127.0.0.1:0")}, "not a Unix socket"},
		{t.Context(), launchable("serve"), []LaunchOption{AtSocket("nowhere")}, "does not begin with its kind"},
		{t.Context(), launchable("serve"), []LaunchOption{LivesOn()}, "AtSocket"},
		{ctx, launchable("serve"), nil, "context canceled"},
	} {
		_, err := Launch(test.ctx, test.cmd, test.opts...)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
		if test.cmd.Process != nil {
			reaped(t, test.cmd)
		}
	}
	if _, err := os.Stat(strings.TrimPrefix(taken, "unix:")); err != nil {
		t.Errorf("the file of another program was removed: %v", err)
	}
}

// TestLaunchCanceled cancels a launch in the middle of the start.
func TestLaunchCanceled(t *testing.T) {
	checkLeaks(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := launchable("mute")
	cmd.Stderr = &listening{text: "thinking", seen: cancel}
	_, err := Launch(ctx, cmd)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "waiting for the greeting") || !strings.HasSuffix(err.Error(), "thinking") {
		t.Error(err)
	}
	reaped(t, cmd)
}

// If a server crashes during a call, the error of the call has the reason, also on a connection that
// would be made again.
func TestLaunchCrash(t *testing.T) {
	checkLeaks(t)
	for _, opts := range [][]LaunchOption{nil, {WithReconnect(Reconnect{})}} {
		p := launch(t, launchable("serve"), opts...)
		err := p.Conn.Execute(t.Context(), "crash", nil, nil)
		exit, _ := errors.AsType[*exec.ExitError](err)
		if exit == nil || !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), "signal: killed: qemu: internal error") {
			t.Errorf("the call during which the server crashed: %v", err)
		}
		if err := ended(t, p); !errors.Is(err, exit) {
			t.Error(err)
		}
		if err := p.Conn.Execute(t.Context(), "late", nil, nil); !errors.Is(err, ErrNotSent) || !errors.Is(err, exit) {
			t.Error(err)
		}
		gone(t, p)
	}
}

// A launched server is connected to again as long as its process runs.
func TestLaunchReconnects(t *testing.T) {
	checkLeaks(t)
	p := launch(t, launchable("serve"), WithReconnect(Reconnect{MinDelay: time.Millisecond}))
	for range 3 {
		if err := p.Conn.Execute(t.Context(), "drop", nil, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("the call during which the connection was lost: %v", err)
		}
		if err := p.Conn.Execute(t.Context(), "something", nil, nil); err != nil {
			t.Error(err)
		}
	}
	if err := p.Conn.Execute(t.Context(), "quit", nil, nil); err != nil {
		t.Error(err)
	}
	if err := ended(t, p); err != nil {
		t.Error(err)
	}
	if err := p.Conn.Err(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	gone(t, p)
}

// TestStopSteps ends servers each of which reacts to only some of the steps.
func TestStopSteps(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		script string
		env    []string
		steps  Steps
		want   string // how it ended
		killed bool
	}{
		"quit":                {"serve", nil, Steps{}, "", false},
		"powerdown":           {"serve", []string{"QMP_TEST_POWERDOWN=exit"}, Steps{Powerdown: time.Hour}, "", false},
		"powerdown and stay":  {"serve", []string{"QMP_TEST_POWERDOWN=stay"}, Steps{Powerdown: time.Hour}, "", false},
		"no powerdown":        {"serve", nil, Steps{Powerdown: time.Millisecond}, "", false},
		"SIGTERM":             {"serve", []string{"QMP_TEST_QUIT=ignore"}, Steps{Quit: time.Millisecond}, "signal: terminated", false},
		"SIGTERM, no quit":    {"serve", nil, Steps{Quit: -1}, "signal: terminated", false},
		"SIGKILL":             {"stubborn", nil, Steps{Quit: -1, Terminate: time.Millisecond}, "signal: killed", true},
		"SIGKILL, no SIGTERM": {"serve", nil, Steps{Quit: -1, Terminate: -1}, "signal: killed", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := launch(t, launchable(test.script, test.env...))
			if err := p.Stop(t.Context(), test.steps); (err != nil) != test.killed {
				t.Error(err)
			}
			err := ended(t, p)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("it ended with %v", err)
			}
			if err := p.Stop(t.Context(), test.steps); err != nil {
				t.Errorf("when it has ended: %v", err)
			}
		})
	}
}

// Stop kills the server when its context ends, and sends SIGTERM at once when there is no connection.
func TestStopContext(t *testing.T) {
	p := launch(t, launchable("serve"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Stop(ctx, Steps{Powerdown: time.Hour}); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "was killed") {
		t.Error(err)
	}
	reaped(t, p.cmd)

	p = launch(t, launchable("serve"))
	p.Conn.Close()
	if err := p.Stop(t.Context(), Steps{Powerdown: time.Hour, Quit: time.Hour}); err != nil {
		t.Error(err)
	}
	if err := ended(t, p); err == nil || !strings.Contains(err.Error(), "signal: terminated") {
		t.Errorf("it ended with %v", err)
	}
	if err := p.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}

	started := startServer(t, "serve") // Stop is for those, too
	if err := started.Stop(t.Context(), Steps{}); err != nil || started.Addr() != "" {
		t.Error(err)
	}
	if err := ended(t, started); err != nil {
		t.Error(err)
	}
}

func TestLaunchClose(t *testing.T) {
	checkLeaks(t)
	p := launch(t, launchable("serve"))
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		reaped(t, p.cmd)
	}
	gone(t, p)
}

// Helpers start before the server, and end after it.
func TestLaunchHelpers(t *testing.T) {
	checkLeaks(t)
	socket := filepath.Join(t.TempDir(), "s")
	first, second := server("mute"), server("socket")
	second.Env = append(second.Env, "QMP_TEST_SOCKET="+socket)
	ended1 := make(chan error, 1)
	p := launch(t, launchable("serve"), Alongside(
		Helper{Cmd: first, Ended: func(err error) { ended1 <- err }},
		Helper{Cmd: second, Ready: SocketExists(socket), Ended: func(err error) { t.Error("it ended first: ", err) }}))
	if _, err := os.Stat(socket); err != nil {
		t.Error(err)
	}
	_ = first.Process.Kill()
	if err := <-ended1; !strings.Contains(err.Error(), "has ended: signal: killed") {
		t.Error(err)
	}
	if err := p.Conn.Execute(t.Context(), "something", nil, nil); err != nil {
		t.Errorf("the server does not answer after the end of a helper: %v", err)
	}
	if err := p.Stop(t.Context(), Steps{}); err != nil {
		t.Error(err)
	}
	if err := ended(t, p); err == nil || !strings.Contains(err.Error(), "helper "+p.name+" has ended: signal: killed") {
		t.Errorf("Wait does not say how the helper ended: %v", err)
	}
	reaped(t, first)
	reaped(t, second)
	gone(t, p)
}

// A helper may fail before it is ready, or while the server starts.
func TestLaunchHelperFails(t *testing.T) {
	checkLeaks(t)
	name := filepath.Base(server("").Path)
	never := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, test := range []struct {
		server, helper string
		ready          func(context.Context) error
		want           string
	}{
		{"serve", "refuse", never, "helper " + name + " has ended: exit status 1: qemu: a line before"},
		{"serve", "leave", never, "helper " + name + " has ended: exit status 0: nothing to do"},
		{"mute", "refuse", nil, "helper " + name + " has ended: exit status 1"},
		{"refuse", "mute", nil, "exit status 1: qemu: a line before"},
		{"serve", "mute", func(context.Context) error { return errors.New("no socket") }, "helper " + name + ": no socket"},
	} {
		cmd, helper := launchable(test.server), server(test.helper)
		_, err := Launch(t.Context(), cmd, Alongside(Helper{Cmd: helper, Ready: test.ready}))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
		reaped(t, helper)
		if cmd.Process != nil {
			reaped(t, cmd)
		}
	}
	_, err := Launch(t.Context(), launchable("serve"), Alongside(Helper{Cmd: exec.Command("helper-of-no-machine")}))
	if !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "helper helper-of-no-machine") {
		t.Error(err)
	}
	ctx, pass := deadline.Context(t)
	ready := func(ctx context.Context) error {
		pass() // while it waits
		return SocketExists("/none")(ctx)
	}
	_, err = Launch(ctx, launchable("serve"), Alongside(Helper{Cmd: server("mute"), Ready: ready}))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "waiting for the socket /none") {
		t.Error(err)
	}
}

// With LivesOn, a program launches a server and ends; another program finds the server.
func TestLaunchLivesOn(t *testing.T) {
	livesOn(t, "")
}

func TestQEMULaunchLivesOn(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) { livesOn(t, q.Path) })
}

func livesOn(t *testing.T, qemu string) {
	t.Helper()
	addr := "unix:" + filepath.Join(t.TempDir(), "s")
	dead, life, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close()
	log := filepath.Join(t.TempDir(), "log")
	cmd := server("launcher")
	cmd.Env = append(cmd.Env, "QMP_TEST_QEMU="+qemu, "QMP_TEST_ADDR="+addr, "QMP_TEST_LOG="+log)
	cmd.ExtraFiles = []*os.File{life}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.CombinedOutput()
	life.Close()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_ = syscall.Kill(-cmd.ProcessState.Pid(), syscall.SIGKILL) // what would be left in its group
	c, err := Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, command := range []string{"murmur", "quit"} {
		if err := c.Execute(t.Context(), command, nil, nil); err != nil && qemu == "" {
			t.Errorf("%s: %v", command, err)
		}
	}
	if err := dead.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := dead.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the process still runs after quit: %v", err)
	}
	if said, err := os.ReadFile(log); qemu == "" && (err != nil || !strings.HasPrefix(string(said), "hm")) {
		t.Errorf("it said %q, %v", said, err)
	}
}

// playLauncher launches a server that outlives it, and prints nothing.
func playLauncher() {
	cmd := launchable("serve")
	if path := os.Getenv("QMP_TEST_QEMU"); path != "" {
		cmd = exec.Command(path, "-S", "-nodefaults", "-display", "none", "-machine", "none")
	}
	log, err := os.Create(os.Getenv("QMP_TEST_LOG"))
	if err != nil {
		panic(err)
	}
	cmd.Stderr = log
	cmd.ExtraFiles = []*os.File{os.NewFile(3, "life")}
	p, err := Launch(background, cmd, LivesOn(), AtSocket(os.Getenv("QMP_TEST_ADDR")))
	if err != nil {
		panic(err)
	}
	if err := p.Close(); err != nil {
		panic(err)
	}
	os.Exit(0)
}

// If the server writes its standard error to a file, the reason of its end is read from that file.
func TestLaunchLoggedDeath(t *testing.T) {
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	fmt.Fprintln(log, "of yesterday")
	cmd := launchable("refuse")
	cmd.Stderr = log
	_, err = Launch(t.Context(), cmd, LivesOn(), AtSocket("unix:"+filepath.Join(t.TempDir(), "s")))
	if err == nil || !strings.HasSuffix(err.Error(), ": exit status 1: qemu: a line before; qemu: -machine nope: unsupported machine type") {
		t.Error(err)
	}
}

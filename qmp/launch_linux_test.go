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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
	require.NoError(t, err)
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
		_, err := os.Stat(place)
		assert.ErrorIs(t, err, os.ErrNotExist, "%s is still there", place)
	}
}

// A launched server is connected at once, and files can be passed. A second client can connect, the
// caller's files keep their numbers, and nothing is left.
func TestLaunch(t *testing.T) {
	checkLeaks(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	cmd := launchable("serve")
	cmd.ExtraFiles = []*os.File{w}
	p := launch(t, cmd)
	w.Close()
	for range 100 {
		require.NoError(t, p.Conn.With(Files(r)).Execute(t.Context(), "something", nil, nil))
	}
	_, err = os.Stat(strings.TrimPrefix(p.Addr(), "unix:"))
	assert.NoError(t, err)
	p.Conn.Close()
	select {
	case <-p.Done():
		t.Fatal("the server ended with its connection")
	default:
	}
	c, err := Dial(t.Context(), p.Addr())
	require.NoError(t, err)
	defer c.Close()
	assert.NoError(t, c.Execute(t.Context(), "quit", nil, nil))
	assert.NoError(t, ended(t, p))
	n, err := r.Read(make([]byte, 1))
	assert.Zero(t, n, "the first extra file")
	assert.Equal(t, io.EOF, err, "the first extra file")
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
			assert.EqualError(t, err, "qmp: launch "+name+": "+want)
			assert.NotErrorIs(t, err, context.Canceled, "nobody has cancelled")
			reaped(t, cmd)
		}
	}
	taken := "unix:" + filepath.Join(t.TempDir(), "s")
	require.NoError(t, os.WriteFile(strings.TrimPrefix(taken, "unix:"), nil, 0o600))
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
		assert.ErrorContains(t, err, test.want)
		if test.cmd.Process != nil {
			reaped(t, test.cmd)
		}
	}
	_, err := os.Stat(strings.TrimPrefix(taken, "unix:"))
	assert.NoError(t, err, "the file of another program was removed")
}

// TestLaunchCanceled cancels a launch in the middle of the start.
func TestLaunchCanceled(t *testing.T) {
	checkLeaks(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := launchable("mute")
	cmd.Stderr = &listening{text: "thinking", seen: cancel}
	_, err := Launch(ctx, cmd)
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "waiting for the greeting")
	assert.Regexp(t, "thinking$", err)
	reaped(t, cmd)
}

// If a server crashes during a call, the error of the call has the reason, also on a connection that
// would be made again.
func TestLaunchCrash(t *testing.T) {
	checkLeaks(t)
	for _, opts := range [][]LaunchOption{nil, {WithReconnect(Reconnect{})}} {
		p := launch(t, launchable("serve"), opts...)
		err := p.Conn.Execute(t.Context(), "crash", nil, nil)
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit, "the call during which the server crashed")
		assert.ErrorIs(t, err, ErrClosed, "the call during which the server crashed")
		assert.ErrorContains(t, err, "signal: killed: qemu: internal error", "the call during which the server crashed")
		assert.ErrorIs(t, ended(t, p), exit)
		err = p.Conn.Execute(t.Context(), "late", nil, nil)
		assert.ErrorIs(t, err, ErrNotSent)
		assert.ErrorIs(t, err, exit)
		gone(t, p)
	}
}

// A launched server is connected to again as long as its process runs.
func TestLaunchReconnects(t *testing.T) {
	checkLeaks(t)
	p := launch(t, launchable("serve"), WithReconnect(Reconnect{MinDelay: time.Millisecond}))
	for range 3 {
		assert.ErrorIs(t, p.Conn.Execute(t.Context(), "drop", nil, nil), ErrClosed, "the call during which the connection was lost")
		assert.NoError(t, p.Conn.Execute(t.Context(), "something", nil, nil))
	}
	assert.NoError(t, p.Conn.Execute(t.Context(), "quit", nil, nil))
	assert.NoError(t, ended(t, p))
	assert.ErrorIs(t, p.Conn.Err(), io.EOF)
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
			if err := p.Stop(t.Context(), test.steps); test.killed {
				assert.Error(t, err)
			} else {
				assert.NoError(t, err)
			}
			if err := ended(t, p); test.want == "" {
				assert.NoError(t, err, "its end")
			} else {
				assert.ErrorContains(t, err, test.want, "its end")
			}
			assert.NoError(t, p.Stop(t.Context(), test.steps), "when it has ended")
		})
	}
}

// Stop kills the server when its context ends, and sends SIGTERM at once when there is no connection.
func TestStopContext(t *testing.T) {
	p := launch(t, launchable("serve"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := p.Stop(ctx, Steps{Powerdown: time.Hour})
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "was killed")
	reaped(t, p.cmd)

	p = launch(t, launchable("serve"))
	p.Conn.Close()
	assert.NoError(t, p.Stop(t.Context(), Steps{Powerdown: time.Hour, Quit: time.Hour}))
	assert.ErrorContains(t, ended(t, p), "signal: terminated", "its end")
	assert.ErrorIs(t, p.Signal(syscall.SIGTERM), os.ErrProcessDone)

	started := startServer(t, "serve") // Stop is for those, too
	assert.NoError(t, started.Stop(t.Context(), Steps{}))
	assert.Empty(t, started.Addr())
	assert.NoError(t, ended(t, started))
}

func TestLaunchClose(t *testing.T) {
	checkLeaks(t)
	p := launch(t, launchable("serve"))
	for range 2 {
		assert.NoError(t, p.Close())
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
	_, err := os.Stat(socket)
	assert.NoError(t, err)
	_ = first.Process.Kill()
	assert.ErrorContains(t, <-ended1, "has ended: signal: killed")
	assert.NoError(t, p.Conn.Execute(t.Context(), "something", nil, nil), "the server does not answer after the end of a helper")
	assert.NoError(t, p.Stop(t.Context(), Steps{}))
	assert.ErrorContains(t, ended(t, p), "helper "+p.name+" has ended: signal: killed", "Wait does not say how the helper ended")
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
		assert.ErrorContains(t, err, test.want)
		reaped(t, helper)
		if cmd.Process != nil {
			reaped(t, cmd)
		}
	}
	_, err := Launch(t.Context(), launchable("serve"), Alongside(Helper{Cmd: exec.Command("helper-of-no-machine")}))
	assert.ErrorIs(t, err, exec.ErrNotFound)
	assert.ErrorContains(t, err, "helper helper-of-no-machine")
	ctx, pass := deadline.Context(t)
	ready := func(ctx context.Context) error {
		pass() // while it waits
		return SocketExists("/none")(ctx)
	}
	_, err = Launch(ctx, launchable("serve"), Alongside(Helper{Cmd: server("mute"), Ready: ready}))
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorContains(t, err, "waiting for the socket /none")
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
	require.NoError(t, err)
	defer dead.Close()
	log := filepath.Join(t.TempDir(), "log")
	cmd := server("launcher")
	cmd.Env = append(cmd.Env, "QMP_TEST_QEMU="+qemu, "QMP_TEST_ADDR="+addr, "QMP_TEST_LOG="+log)
	cmd.ExtraFiles = []*os.File{life}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.CombinedOutput()
	life.Close()
	require.NoError(t, err, "%s", out)
	_ = syscall.Kill(-cmd.ProcessState.Pid(), syscall.SIGKILL) // what would be left in its group
	c, err := Dial(t.Context(), addr)
	require.NoError(t, err)
	defer c.Close()
	for _, command := range []string{"murmur", "quit"} {
		err := c.Execute(t.Context(), command, nil, nil)
		if qemu == "" {
			assert.NoError(t, err, command)
		}
	}
	require.NoError(t, dead.SetReadDeadline(time.Now().Add(time.Minute)))
	_, err = dead.Read(make([]byte, 1))
	assert.Equal(t, io.EOF, err, "the process still runs after quit")
	if qemu == "" {
		said, err := os.ReadFile(log)
		assert.NoError(t, err)
		assert.Regexp(t, "^hm", string(said))
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
	require.NoError(t, err)
	defer log.Close()
	fmt.Fprintln(log, "of yesterday")
	cmd := launchable("refuse")
	cmd.Stderr = log
	_, err = Launch(t.Context(), cmd, LivesOn(), AtSocket("unix:"+filepath.Join(t.TempDir(), "s")))
	assert.Regexp(t, ": exit status 1: qemu: a line before; qemu: -machine nope: unsupported machine type$", err)
}

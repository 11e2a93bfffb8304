package qmp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain lets Start run the test program as a server.
func TestMain(m *testing.M) {
	if script := os.Getenv("QMP_TEST_SERVER"); script != "" {
		playServer(script)
		return
	}
	os.Exit(m.Run())
}

// server returns a command that runs this test program as a server; script says what it does.
func server(script string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "QMP_TEST_SERVER="+script)
	return cmd
}

// playServer is what such a program does.
func playServer(script string) {
	say := func(text string) { fmt.Fprintln(os.Stderr, text) }
	switch script {
	case "refuse":
		say("qemu: a line before\nqemu: -machine nope: unsupported machine type")
		os.Exit(1)
	case "main": // a program that starts a server, closes the connection and is done
		cmd := server("serve")
		if path := os.Getenv("QMP_TEST_QEMU"); path != "" {
			cmd = exec.Command(path, "-S", "-nodefaults", "-display", "none", "-machine", "none", "-qmp", "stdio")
		}
		cmd.ExtraFiles = []*os.File{os.NewFile(3, "life")}
		p, err := Start(background, cmd)
		if err != nil {
			panic(err)
		}
		fmt.Print(cmd.Process.Pid)
		p.Conn.Close()
		os.Exit(0)
	case "launcher":
		playLauncher()
	case "socket": // a helper that listens
		if _, err := net.Listen("unix", os.Getenv("QMP_TEST_SOCKET")); err != nil {
			panic(err)
		}
		time.Sleep(time.Hour)
	case "leave":
		say("nothing to do")
		os.Exit(0)
	case "mute":
		say("thinking")
		time.Sleep(time.Hour)
	case "child": // its outputs stay open when it ends
		child := exec.Command(os.Args[0], "-test.run=^$")
		child.Env = append(os.Environ(), "QMP_TEST_SERVER=mute")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			panic(err)
		}
		say(fmt.Sprintf("child %d.", child.Process.Pid))
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	}
	if os.Getenv("QMP_TEST_LAUNCHED") != "" {
		serveLaunched()
	}
	serve(os.Stdin, os.Stdout)
}

// serve is a conversation with a client.
func serve(from io.Reader, to io.WriteCloser) {
	say := func(text string) { fmt.Fprintln(os.Stderr, text) }
	fmt.Fprint(to, greetingText)
	for in := jsontext.NewDecoder(from); ; {
		text, err := in.ReadValue()
		if err != nil {
			if from == os.Stdin {
				time.Sleep(time.Hour) // as QEMU does
			}
			return
		}
		is := func(command string) bool { return strings.Contains(string(text), `"`+command+`"`) }
		switch {
		case is("crash"):
			say("qemu: internal error")
			self, _ := os.FindProcess(os.Getpid())
			_ = self.Kill()
			time.Sleep(time.Hour)
		case is("hide"):
			to.Close()
			continue
		case is("murmur"):
			say("hm\x1b[31m")
		case is("talk"):
			for i := range 20_000 {
				say(fmt.Sprint("line ", i))
			}
		}
		_, id, ok := strings.Cut(string(text), `"id":`)
		if id = strings.TrimSuffix(id, "}"); ok {
			id = `, "id": ` + id
		}
		if is("query-status") && os.Getenv("QMP_TEST_POWERDOWN") == "exit" {
			continue
		}
		fmt.Fprintf(to, "{\"return\": {}%s}\r\n", id)
		switch {
		case is("quit") && os.Getenv("QMP_TEST_QUIT") != "ignore":
			os.Exit(0)
		case is("system_powerdown") && os.Getenv("QMP_TEST_POWERDOWN") != "":
			fmt.Fprint(to, `{"event": "SHUTDOWN", "data": {"guest": true}}`+"\r\n")
			if os.Getenv("QMP_TEST_POWERDOWN") == "exit" {
				os.Exit(0)
			}
		}
	}
}

func startServer(t *testing.T, script string) *Process {
	t.Helper()
	p, err := Start(t.Context(), server(script))
	require.NoError(t, err)
	t.Cleanup(func() { p.Conn.Close() })
	return p
}

// ended waits for a process.
func ended(t *testing.T, p *Process) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(background, time.Minute)
	defer cancel()
	err := p.Wait(ctx)
	assert.NotErrorIs(t, err, context.DeadlineExceeded)
	return err
}

func TestStart(t *testing.T) {
	p := startServer(t, "serve")
	assert.Equal(t, 11, p.Conn.Greeting().Version.Major)
	for range 100 {
		require.NoError(t, p.Conn.Execute(t.Context(), "something", nil, nil))
	}
	assert.NoError(t, p.Conn.Execute(t.Context(), "quit", nil, nil))
	assert.NoError(t, ended(t, p))
	assert.ErrorIs(t, p.Conn.Err(), io.EOF, "after quit") // the connection has ended when Wait returns
	require.NotNil(t, p.cmd.ProcessState)
	assert.True(t, p.cmd.ProcessState.Success(), "the process's state is %v", p.cmd.ProcessState)
}

func TestStartClose(t *testing.T) {
	p := startServer(t, "serve")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, p.Wait(ctx), context.Canceled, "the process runs")
	p.Conn.Close()
	var exit *exec.ExitError
	if assert.ErrorAs(t, ended(t, p), &exit, "its end") && runtime.GOOS != "windows" {
		assert.EqualError(t, exit, "signal: terminated", "its end")
	}
	assert.ErrorIs(t, p.Conn.Execute(t.Context(), "late", nil, nil), ErrNotSent)
}

// Process.Close returns when the process is gone.
func TestProcessClose(t *testing.T) {
	p := startServer(t, "serve")
	for range 2 {
		assert.NoError(t, p.Close())
		assert.NotNil(t, p.cmd.ProcessState, "it has not ended")
	}
	assert.Error(t, p.Wait(t.Context()), "it ended well")
}

// A writer that blocks does not block Wait or Close.
func TestStartBlockedStderr(t *testing.T) {
	t.Parallel() // it takes a second of real time
	for name, end := range map[string]func(*Process) error{
		"quit":  func(p *Process) error { return p.Conn.Execute(background, "quit", nil, nil) },
		"close": func(p *Process) error { return p.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			never := make(blocked)
			defer close(never)
			cmd := server("serve")
			cmd.Stderr = never
			p, err := Start(t.Context(), cmd)
			require.NoError(t, err)
			assert.NoError(t, p.Conn.Execute(t.Context(), "murmur", nil, nil))
			assert.NoError(t, end(p))
			_ = ended(t, p)
		})
	}
}

// A blocked writer returns when it is closed.
type blocked chan struct{}

func (b blocked) Write(p []byte) (int, error) {
	<-b
	return len(p), nil
}

func TestStartStubborn(t *testing.T) {
	t.Parallel() // it takes seconds of real time
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signal to ignore")
	}
	p := startServer(t, "stubborn")
	begin := time.Now()
	p.Conn.Close() // does not wait for the process
	assert.Less(t, time.Since(begin), endGrace, "how long Close took")
	assert.Regexp(t, " was killed: it did not end within 5s of SIGTERM$", p.Close())
	assert.ErrorContains(t, ended(t, p), "signal: killed", "its end")
	assert.GreaterOrEqual(t, time.Since(begin), endGrace, "it was killed too early")
}

func TestStartCrash(t *testing.T) {
	p := startServer(t, "serve")
	assert.NoError(t, p.Conn.Execute(t.Context(), "murmur", nil, nil))
	err := p.Conn.Execute(t.Context(), "crash", nil, nil)
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "the call during which the server crashed")
	require.ErrorIs(t, err, ErrClosed, "the call during which the server crashed")
	require.ErrorContains(t, err, `: hm\x1b[31m; qemu: internal error`, "the call during which the server crashed")
	assert.Equal(t, "hm\x1b[31m\nqemu: internal error\n", string(exit.Stderr))
	assert.False(t, exit.Success(), "its end: %v", exit)
	assert.ErrorIs(t, ended(t, p), exit)
}

func TestStartFails(t *testing.T) {
	name := server("serve").Path[strings.LastIndexAny(server("serve").Path, `/\`)+1:]
	_, err := Start(t.Context(), server("refuse"))
	want := "qmp: handshake: connection closed: exit status 1: qemu: a line before; " +
		"qemu: -machine nope: unsupported machine type (of " + name + ")"
	assert.EqualError(t, err, want)
	assert.ErrorAs(t, err, new(*exec.ExitError))
	_, err = Start(t.Context(), server("leave"))
	assert.ErrorContains(t, err, "connection closed: exit status 0: nothing to do")
	_, err = Start(t.Context(), exec.Command(t.TempDir()+"/none"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.Regexp(t, "^qmp: start none: ", err)
	_, err = Start(t.Context(), exec.Command("qemu-of-no-machine"))
	assert.ErrorIs(t, err, exec.ErrNotFound)
	cmd := server("serve")
	cmd.Stdin = strings.NewReader("")
	_, err = Start(t.Context(), cmd)
	assert.EqualError(t, err, "qmp: start "+name+": standard input and output must not be set: they are used for the monitor")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cmd = server("serve")
	_, err = Start(ctx, cmd)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Nil(t, cmd.Process)
}

// A listening stderr waits for a text.
type listening struct {
	text string
	all  strings.Builder
	seen func()
}

func (w *listening) Write(b []byte) (int, error) {
	w.all.Write(b)
	if w.seen != nil && strings.Contains(w.all.String(), w.text) {
		w.seen()
		w.seen = nil
	}
	return 0, errors.New("no room") // does not concern the process
}

// If a server does not greet, Start returns when ctx ends.
func TestStartMute(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := server("mute")
	cmd.Stderr = &listening{text: "thinking", seen: cancel}
	_, err := Start(ctx, cmd)
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "waiting for the greeting")
	assert.ErrorContains(t, err, "thinking")
	assert.ErrorContains(t, err, "-qmp stdio")
}

// The end of a process ends the connection, even if a child of the process holds its outputs
// open.
func TestStartChildHoldsOutputs(t *testing.T) {
	t.Parallel() // it takes seconds of real time
	cmd := server("child")
	var pid int
	said := &listening{text: "."}
	said.seen = func() { // "thinking" may come first
		_, number, _ := strings.Cut(said.all.String(), "child ")
		fmt.Sscanf(number, "%d.", &pid)
	}
	cmd.Stderr = said
	p, err := Start(t.Context(), cmd)
	require.NoError(t, err)
	assert.NoError(t, p.Conn.Execute(t.Context(), "quit", nil, nil))
	<-p.Conn.Done()
	assert.ErrorIs(t, errors.Join(p.Conn.Err(), ended(t, p)), io.EOF)
	child, err := os.FindProcess(pid)
	require.NoError(t, err, "child %d", pid)
	require.NotZero(t, pid)
	assert.NoError(t, child.Kill())
}

// A process that closes its outputs and continues to run is ended.
func TestStartHides(t *testing.T) {
	t.Parallel() // it takes seconds of real time
	p := startServer(t, "serve")
	err := p.Conn.Execute(t.Context(), "hide", nil, nil)
	assert.ErrorContains(t, err, "has closed its standard output and continues to run")
	assert.Error(t, ended(t, p), "it ended well")
}

// What a process writes to its standard error is passed to the user, and a bounded part of it is kept.
func TestStartStderr(t *testing.T) {
	cmd := server("serve")
	said := new(listening)
	cmd.Stderr = said
	p, err := Start(t.Context(), cmd)
	require.NoError(t, err)
	assert.NoError(t, p.Conn.Execute(t.Context(), "talk", nil, nil))
	err = p.Conn.Execute(t.Context(), "crash", nil, nil)
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	all := said.all.String()
	assert.True(t, strings.HasPrefix(all, "line 0\n"), "%d bytes were passed on: %.20q", len(all), all)
	assert.True(t, strings.HasSuffix(all, "line 19999\nqemu: internal error\n"), "%d bytes were passed on: %.20q", len(all), all)
	kept := len(exit.Stderr) // Len would print every byte
	assert.Equal(t, stderrTail, kept, "bytes that were kept")
	assert.True(t, strings.HasSuffix(all, string(exit.Stderr)), "%d bytes were kept", kept)
	assert.LessOrEqual(t, len(err.Error()), stderrShown+200, "bytes of the error: %.200s", err)
	assert.ErrorContains(t, err, "killed: line 19")
}

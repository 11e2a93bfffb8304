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
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Conn.Close() })
	return p
}

// ended waits for a process.
func ended(t *testing.T, p *Process) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(background, time.Minute)
	defer cancel()
	err := p.Wait(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	return err
}

func TestStart(t *testing.T) {
	p := startServer(t, "serve")
	if v := p.Conn.Greeting().Version.Major; v != 11 {
		t.Errorf("greeted by version %d", v)
	}
	for range 100 {
		if err := p.Conn.Execute(t.Context(), "something", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Conn.Execute(t.Context(), "quit", nil, nil); err != nil {
		t.Error(err)
	}
	if err := ended(t, p); err != nil {
		t.Error(err)
	}
	if err := p.Conn.Err(); !errors.Is(err, io.EOF) { // the connection has ended when Wait returns
		t.Errorf("after quit: %v", err)
	}
	if s := p.cmd.ProcessState; s == nil || !s.Success() {
		t.Errorf("the process's state is %v", s)
	}
}

func TestStartClose(t *testing.T) {
	p := startServer(t, "serve")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the process runs, Wait says %v", err)
	}
	p.Conn.Close()
	err := ended(t, p)
	exit, _ := errors.AsType[*exec.ExitError](err)
	if exit == nil || runtime.GOOS != "windows" && exit.Error() != "signal: terminated" {
		t.Errorf("it ended with %v", err)
	}
	if err := p.Conn.Execute(t.Context(), "late", nil, nil); !errors.Is(err, ErrNotSent) {
		t.Error(err)
	}
}

// Process.Close returns when the process is gone.
func TestProcessClose(t *testing.T) {
	p := startServer(t, "serve")
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if p.cmd.ProcessState == nil {
			t.Error("it has not ended")
		}
	}
	if err := p.Wait(t.Context()); err == nil {
		t.Error("it ended well")
	}
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
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Conn.Execute(t.Context(), "murmur", nil, nil); err != nil {
				t.Error(err)
			}
			if err := end(p); err != nil {
				t.Error(err)
			}
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
	if took := time.Since(begin); took >= endGrace {
		t.Errorf("Close took %v", took)
	}
	if err := p.Close(); err == nil || !strings.HasSuffix(err.Error(), " was killed: it did not end within 5s of SIGTERM") {
		t.Errorf("Process.Close: %v", err)
	}
	if err := ended(t, p); err == nil || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("it ended with %v", err)
	}
	if took := time.Since(begin); took < endGrace {
		t.Errorf("it was killed after %v", took)
	}
}

func TestStartCrash(t *testing.T) {
	p := startServer(t, "serve")
	if err := p.Conn.Execute(t.Context(), "murmur", nil, nil); err != nil {
		t.Error(err)
	}
	err := p.Conn.Execute(t.Context(), "crash", nil, nil)
	exit, _ := errors.AsType[*exec.ExitError](err)
	if exit == nil || !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), `: hm\x1b[31m; qemu: internal error`) {
		t.Fatalf("the call during which the server crashed: %v", err)
	}
	if string(exit.Stderr) != "hm\x1b[31m\nqemu: internal error\n" || exit.Success() {
		t.Errorf("%v, %q", exit, exit.Stderr)
	}
	if err := ended(t, p); !errors.Is(err, exit) {
		t.Error(err)
	}
}

func TestStartFails(t *testing.T) {
	name := server("serve").Path[strings.LastIndexAny(server("serve").Path, `/\`)+1:]
	_, err := Start(t.Context(), server("refuse"))
	want := "qmp: handshake: connection closed: exit status 1: qemu: a line before; " +
		"qemu: -machine nope: unsupported machine type (of " + name + ")"
	if err == nil || err.Error() != want || !errors.As(err, new(*exec.ExitError)) {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = Start(t.Context(), server("leave"))
	if want := "connection closed: exit status 0: nothing to do"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = Start(t.Context(), exec.Command(t.TempDir()+"/none"))
	if want := "qmp: start none: "; !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = Start(t.Context(), exec.Command("qemu-of-no-machine"))
	if !errors.Is(err, exec.ErrNotFound) {
		t.Error(err)
	}
	cmd := server("serve")
	cmd.Stdin = strings.NewReader("")
	_, err = Start(t.Context(), cmd)
	want = "qmp: start " + name + ": standard input and output must not be set: they are used for the monitor"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cmd = server("serve")
	_, err = Start(ctx, cmd)
	if !errors.Is(err, context.Canceled) || cmd.Process != nil {
		t.Errorf("%v, process %v", err, cmd.Process)
	}
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
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "waiting for the greeting") ||
		!strings.Contains(err.Error(), "thinking") || !strings.Contains(err.Error(), "-qmp stdio") {
		t.Error(err)
	}
}

// The end of a process ends the connection, even if a child of the process holds its outputs
// open.
func TestStartChildHoldsOutputs(t *testing.T) {
	t.Parallel() // it takes seconds of real time
	cmd := server("child")
	var pid int
	said := &listening{text: "."}
	said.seen = func() { fmt.Sscanf(said.all.String(), "child %d.", &pid) }
	cmd.Stderr = said
	p, err := Start(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Conn.Execute(t.Context(), "quit", nil, nil); err != nil {
		t.Error(err)
	}
	<-p.Conn.Done()
	if err := errors.Join(p.Conn.Err(), ended(t, p)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	child, err := os.FindProcess(pid)
	if err != nil || pid == 0 {
		t.Fatalf("child %d: %v", pid, err)
	}
	if err := child.Kill(); err != nil {
		t.Error(err)
	}
}

// A process that closes its outputs and continues to run is ended.
func TestStartHides(t *testing.T) {
	t.Parallel() // it takes seconds of real time
	p := startServer(t, "serve")
	err := p.Conn.Execute(t.Context(), "hide", nil, nil)
	if err == nil || !strings.Contains(err.Error(), "has closed its standard output and continues to run") {
		t.Error(err)
	}
	if err := ended(t, p); err == nil {
		t.Error("it ended well")
	}
}

// What a process writes to its standard error is passed to the user, and a bounded part of it is kept.
func TestStartStderr(t *testing.T) {
	cmd := server("serve")
	said := new(listening)
	cmd.Stderr = said
	p, err := Start(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Conn.Execute(t.Context(), "talk", nil, nil); err != nil {
		t.Error(err)
	}
	err = p.Conn.Execute(t.Context(), "crash", nil, nil)
	exit, _ := errors.AsType[*exec.ExitError](err)
	if exit == nil {
		t.Fatal(err)
	}
	all := said.all.String()
	if !strings.HasPrefix(all, "line 0\n") || !strings.HasSuffix(all, "line 19999\nqemu: internal error\n") {
		t.Errorf("%d bytes were passed on: %.20q", len(all), all)
	}
	if len(exit.Stderr) != stderrTail || !strings.HasSuffix(all, string(exit.Stderr)) {
		t.Errorf("%d bytes were kept", len(exit.Stderr))
	}
	if text := err.Error(); len(text) > stderrShown+200 || !strings.Contains(text, "killed: line 19") {
		t.Errorf("an error of %d bytes: %.200s", len(text), text)
	}
}

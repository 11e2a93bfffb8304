package libvirt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/goqapi/goqapi/internal/printable"
)

// sshArgs are the arguments of ssh: it never asks for anything, and connects its standard
// input and output to libvirt's socket on the host.
func sshArgs(e *endpoint) []string {
	args := []string{"-T", "-e", "none", "-o", "BatchMode=yes"}
	if e.port != "" {
		args = append(args, "-p", e.port)
	}
	if e.user != "" {
		args = append(args, "-l", e.user)
	}
	if f := e.params["keyfile"]; f != "" {
		args = append(args, "-i", f)
	}
	if e.params["no_verify"] == "1" {
		args = append(args, "-o", "StrictHostKeyChecking=no")
	}
	return append(args, "--", e.host, "sh -c "+quote(remoteScript(e)))
}

// remoteScript returns what the host executes: libvirt's helper, which finds the socket itself, or
// netcat, which must be given the socket.
func remoteScript(e *endpoint) string {
	native := "virt-ssh-helper " + quote(e.name())
	netcat := e.params["netcat"]
	if netcat == "" {
		netcat = "nc"
	}
	var tries []string
	for _, s := range e.sockets(remoteRuntime(e)) {
		word := quote(s)
		if strings.HasPrefix(s, "$") { // of the other host's environment
			word = `"` + s + `"`
		}
		tries = append(tries, fmt.Sprintf("if test -S %s; then exec %s -U %[1]s; fi", word, quote(netcat)))
	}
	fallback := strings.Join(tries, "; ") + "; echo there is no socket of libvirt >&2; exit 1"
	switch {
	case e.params["proxy"] == "native":
		return "exec " + native
	case e.params["proxy"] == "netcat" || e.params["socket"] != "": // the helper knows the usual sockets only
		return fallback
	}
	return "if command -v virt-ssh-helper >/dev/null 2>&1; then exec " + native + "; fi; " + fallback
}

func remoteRuntime(e *endpoint) string {
	if e.session {
		return "${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/libvirt"
	}
	return path.Join("/run", "libvirt")
}

// quote makes one word of a text for a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// dialSSH runs ssh. ctx limits only the start of the program: it is libvirt's first answer that
// shows whether there is a connection.
func dialSSH(ctx context.Context, e *endpoint) (io.ReadWriteCloser, error) {
	program := e.params["command"]
	if program == "" {
		program = "ssh"
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return startProgram(exec.Command(program, sshArgs(e)...))
}

// A program is a stream through the standard input and output of a process.
type program struct {
	cmd    *exec.Cmd
	in     *os.File // our end of its standard input
	out    *os.File // our end of its standard output
	errors tail
	once   sync.Once
	ended  chan struct{} // closed when the process has ended
}

func startProgram(cmd *exec.Cmd) (*program, error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, theirIn.Close(), in.Close())
	}
	p := &program{cmd: cmd, in: in, out: out, ended: make(chan struct{})}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirIn, theirOut, &p.errors
	cmd.WaitDelay = time.Second // a child of ssh may keep its standard error open
	err = cmd.Start()
	theirIn.Close()
	theirOut.Close()
	if err != nil {
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // Read returns what it printed
	}()
	return p, nil
}

func (p *program) Write(b []byte) (int, error)        { return p.in.Write(b) }
func (p *program) SetWriteDeadline(t time.Time) error { return p.in.SetWriteDeadline(t) }

// Read returns, at the end, an error with what the program wrote to its standard error.
func (p *program) Read(b []byte) (int, error) {
	n, err := p.out.Read(b)
	if err == io.EOF {
		<-p.ended
		if text := p.errors.String(); text != "" {
			err = fmt.Errorf("%s: %s: %w", p.cmd.Path, text, io.EOF)
		} else if state := p.cmd.ProcessState; state != nil && !state.Success() {
			err = fmt.Errorf("%s: %s: %w", p.cmd.Path, state, io.EOF)
		}
	}
	return n, err
}

// Close ends the program, and waits until it has ended.
func (p *program) Close() error {
	p.once.Do(func() {
		p.in.Close()
		p.out.Close()
		_ = p.cmd.Process.Kill() // an error means that it has ended
		<-p.ended
	})
	return nil
}

// A tail keeps the last lines of what is written to it, up to a limit.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailSize = 1 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if over := len(t.text) - tailSize; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return printable.String(string(bytes.TrimSpace(t.text)))
}

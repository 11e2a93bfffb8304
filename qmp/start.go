package qmp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/goqapi/goqapi/internal/printable"
)

const (
	// endGrace is how long a process has to end when it was asked to, or when its
	// monitor is gone.
	endGrace = 5 * time.Second
	// drainTime is how long what a process said may be read when it has ended. A
	// child of its own may hold its outputs open.
	drainTime = time.Second
	// stderrTail is how much is kept of what a process says, and stderrShown how
	// much of that an error repeats.
	stderrTail  = 64 << 10
	stderrShown = 1 << 10
)

// A Process is a server that [Start] started. Its number and its signals are in the
// Process of the [exec.Cmd] that was started.
type Process struct {
	// Conn is the connection to it. The process ends with it: when Conn.Close returns
	// the process has got SIGTERM, and if it is still there 5 s later it gets SIGKILL,
	// provided that this program still runs. See [Process.Close], too.
	Conn *Conn

	cmd    *exec.Cmd
	name   string
	stderr tail
	exited chan struct{} // closed when the process has ended and err is set
	err    error
	killed atomic.Bool // it did not end by itself
}

// Start runs a program whose monitor is on its standard input and output, such as
// QEMU with -qmp stdio, and negotiates. cmd has not been started; its Stdin and
// Stdout are not set. Its Stderr may be: it gets all that the process says there, but for
// what it has not taken 1 s (or cmd.WaitDelay) after the process's end. Start is the one
// to wait for the process.
//
// ctx bounds the start. If that fails, the process is ended, and the error has its
// exit status and the last lines of its standard error. They are also in the
// errors of calls that a failing process leaves unanswered.
//
// QEMU ends with its connection but not with this program: if that is killed, or ends
// without a Close, QEMU lives on, and nobody can reach it, unless it has a second monitor.
// On Linux
// cmd.SysProcAttr can have it killed, too (Pdeathsig).
//
// Standard input and output are simple, and limited: [Files] cannot be passed,
// [WithReconnect] is impossible, and what QEMU prints there, such as the "Formatting" of
// a new image, is skipped and reported (see [WithEventError]). A socketpair whose other
// end QEMU inherits has the first and the last of these for the price of a few lines;
// see the example of [NewConn].
func Start(ctx context.Context, cmd *exec.Cmd, opts ...Option) (*Process, error) {
	p := &Process{cmd: cmd, name: filepath.Base(cmp.Or(cmd.Path, "?")), exited: make(chan struct{})}
	stream, err := p.start(ctx)
	if err != nil {
		return nil, fmt.Errorf("qmp: start %s: %w", p.name, err)
	}
	if p.Conn, err = newConn(ctx, stream, newOptions(opts), qmpServer()); err != nil {
		select {
		case <-p.exited: // the error says how
		default:
			err = p.withStderr(err)
			if !slices.ContainsFunc(cmd.Args, func(arg string) bool { return strings.Contains(arg, "stdio") }) {
				err = fmt.Errorf("%w; it was not told to have its monitor there, as -qmp stdio does", err)
			}
		}
		return nil, fmt.Errorf("%w (of %s)", err, p.name)
	}
	stream.greeted.Store(true)
	return p, nil
}

// Wait waits until the process has ended, and the connection with it. It is nil if the
// process ended well. Otherwise the error wraps an [*exec.ExitError] that has the process's state and up to
// 64 KiB of what it said last on its standard error.
func (p *Process) Wait(ctx context.Context) error {
	for _, end := range []<-chan struct{}{p.exited, p.Conn.Done()} {
		select {
		case <-end:
		case <-ctx.Done():
			return fmt.Errorf("qmp: waiting for %s to end: %w", p.name, contextError(ctx))
		}
	}
	if p.err != nil {
		return fmt.Errorf("qmp: %s: %w", p.name, p.err)
	}
	return nil
}

// Close closes the connection and waits until the process has ended, as it is told to
// by SIGTERM. One that is still there after 5 s is killed, which is an error. How a process
// ended otherwise is for [Process.Wait] to say. Commands that were issued with [Conn.Go]
// and have no reply yet fail; [Conn.Wait] waits for them. Close may be called more than once.
func (p *Process) Close() error {
	p.Conn.Close()
	<-p.exited
	if p.killed.Load() {
		return fmt.Errorf("qmp: %s was killed: it did not end within %v of SIGTERM", p.name, endGrace)
	}
	return nil
}

// start starts the process and reaps it.
func (p *Process) start(ctx context.Context) (*stdio, error) {
	if err := ctx.Err(); err != nil {
		return nil, contextError(ctx)
	}
	if p.cmd.Stdin != nil || p.cmd.Stdout != nil {
		return nil, errors.New("standard input and output must not be set: they are the monitor's")
	}
	pipes, err := makePipes(3)
	if err != nil {
		return nil, err
	}
	in, out, said := pipes[0], pipes[1], pipes[2]
	p.stderr.next = p.cmd.Stderr
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = in.r, out.w, said.w
	err = p.cmd.Start()
	in.r.Close()
	out.w.Close()
	said.w.Close()
	if err != nil {
		in.w.Close()
		out.r.Close()
		said.r.Close()
		return nil, err
	}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		_, _ = io.Copy(&p.stderr, said.r)
		said.r.Close()
	}()
	go p.reap(out.r, said.r, heard)
	return &stdio{pipe: pipe{in: in.w, out: out.r, written: true}, process: p, closed: make(chan struct{})}, nil
}

// An osPipe is what is written to w and read from r.
type osPipe struct{ r, w *os.File }

func makePipes(n int) ([]osPipe, error) {
	list := make([]osPipe, n)
	for i := range list {
		var err error
		if list[i].r, list[i].w, err = os.Pipe(); err != nil {
			for _, made := range list[:i] {
				made.r.Close()
				made.w.Close()
			}
			return nil, err
		}
	}
	return list, nil
}

// reap waits for the process. What it said is waited for, too, but not for ever: a child
// of its own may hold its outputs open, and the user's writer may block. That is why
// package exec has no writer to copy to: it would wait for that.
func (p *Process) reap(out, said *os.File, heard <-chan struct{}) {
	defer close(p.exited)
	err := p.cmd.Wait()
	timer := time.NewTimer(cmp.Or(p.cmd.WaitDelay, drainTime))
	defer timer.Stop()
	select {
	case <-heard:
	case <-timer.C:
		_ = said.SetReadDeadline(time.Now())
	}
	p.err = err
	if exit, failed := errors.AsType[*exec.ExitError](err); failed {
		exit.Stderr = []byte(p.stderr.String())
		p.err = p.withStderr(err)
	}
	_ = out.SetReadDeadline(time.Now().Add(drainTime))
}

// withStderr is err with the last lines that the process said.
func (p *Process) withStderr(err error) error {
	text := strings.TrimSpace(p.stderr.String())
	if len(text) > stderrShown {
		text = text[len(text)-stderrShown:]
		if _, whole, ok := strings.Cut(text, "\n"); ok {
			text = whole
		}
	}
	if text == "" {
		return err
	}
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	for i := range lines {
		lines[i] = printable.String(lines[i])
	}
	return fmt.Errorf("%w: %s", err, strings.Join(lines, "; "))
}

// terminate has the process end. It has been told to when terminate returns: the
// program may end then. What is left to do is done in the background.
func (p *Process) terminate() {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		_ = p.cmd.Process.Kill() // it has ended, or the system has no such signal
	}
	go func() {
		grace := time.NewTimer(endGrace)
		defer grace.Stop()
		select {
		case <-p.exited:
		case <-grace.C:
			p.killed.Store(true)
			_ = p.cmd.Process.Kill() // the reaper sees that it ends
		}
	}()
}

// stdio is the stream of a process's standard input and output.
type stdio struct {
	pipe
	process *Process
	greeted atomic.Bool // Start has succeeded
	once    sync.Once
	closed  chan struct{}
}

// Read tells at the end of the stream how the process ended.
func (s *stdio) Read(b []byte) (int, error) {
	n, err := s.pipe.Read(b)
	if err != io.EOF && !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	grace := time.NewTimer(endGrace)
	defer grace.Stop()
	select {
	case <-s.process.exited:
	case <-s.closed:
		return n, io.EOF
	case <-grace.C:
		return n, fmt.Errorf("%s has closed its standard output and runs on", s.process.name)
	}
	switch {
	case s.process.err != nil:
		return n, s.process.err
	case !s.greeted.Load():
		return n, s.process.withStderr(errors.New("exit status 0"))
	}
	return n, io.EOF
}

// Close has the process end, and does not wait for that.
func (s *stdio) Close() error {
	s.once.Do(func() {
		s.process.terminate()
		close(s.closed)
		_ = s.pipe.Close()
	})
	return nil
}

func (s *stdio) closesQuickly() {} // the end of main may follow

// A tail keeps the end of what is written to it, and passes all on.
type tail struct {
	next io.Writer // may be nil
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	t.text = append(t.text, b...)
	if over := len(t.text) - stderrTail; over > 0 {
		t.text = t.text[:copy(t.text, t.text[over:])]
	}
	t.mu.Unlock()
	if t.next != nil {
		_, _ = t.next.Write(b) // not this process's trouble
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

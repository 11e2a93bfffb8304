package qmp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Start runs a program whose monitor is on its standard input and output, such as QEMU with
// -qmp stdio, and negotiates. cmd has not been started; its Stdin and Stdout must not be
// set. Its Stderr may be set: it gets what the process writes to its standard error. When
// the process has ended, what it wrote is copied for up to 1 s more (or cmd.WaitDelay), and
// the rest is dropped. Start calls cmd.Wait; the caller must not.
//
// ctx limits the start. If the start fails, the process is ended, and the error has its
// exit status and the last lines of its standard error. They are also in the
// errors of calls that a failing process leaves unanswered.
//
// QEMU ends when its connection is closed, but not when this program is killed or ends without
// a Close: then QEMU continues to run, and nobody can reach it, unless it has a second monitor.
// On Linux Pdeathsig in cmd.SysProcAttr makes the kernel kill QEMU in this case, too.
//
// Standard input and output are simple, and limited: [Files] cannot be passed,
// [WithReconnect] is impossible, and what QEMU prints there, such as the "Formatting" of
// a new image, is skipped and reported (see [WithEventError]). With a socketpair, one end of
// which QEMU inherits, files can be passed and nothing else is printed to the stream;
// see the example of [NewConn].
func Start(ctx context.Context, cmd *exec.Cmd, opts ...Option) (*Process, error) {
	p := &Process{child: newChild(cmd)}
	p.over = p.exited
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
				err = fmt.Errorf("%w; its command line has no monitor on standard input and output, such as -qmp stdio", err)
			}
		}
		return nil, fmt.Errorf("%w (of %s)", err, p.name)
	}
	stream.greeted.Store(true)
	return p, nil
}

// start starts the process, with its input and output as a stream.
func (p *Process) start(ctx context.Context) (*stdio, error) {
	if err := ctx.Err(); err != nil {
		return nil, contextError(ctx)
	}
	if p.cmd.Stdin != nil || p.cmd.Stdout != nil {
		return nil, errors.New("standard input and output must not be set: they are used for the monitor")
	}
	pipes, err := makePipes(2)
	if err != nil {
		return nil, err
	}
	in, out := pipes[0], pipes[1]
	p.cmd.Stdin, p.cmd.Stdout = in.r, out.w
	err = p.run(func() { _ = out.r.SetReadDeadline(time.Now().Add(drainTime)) })
	in.r.Close()
	out.w.Close()
	if err != nil {
		in.w.Close()
		out.r.Close()
		return nil, err
	}
	return &stdio{pipe: pipe{in: in.w, out: out.r, written: true}, process: p.child, closed: make(chan struct{})}, nil
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

// stdio is the stream of a process's standard input and output.
type stdio struct {
	pipe
	process *child
	greeted atomic.Bool // Start has succeeded
	once    sync.Once
	closed  chan struct{}
}

// Read returns, at the end of the stream, an error that says how the process ended.
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
		return n, fmt.Errorf("%s has closed its standard output and continues to run", s.process.name)
	}
	switch {
	case s.process.err != nil:
		return n, s.process.err
	case !s.greeted.Load():
		return n, s.process.withStderr(errors.New("exit status 0"))
	}
	return n, io.EOF
}

// Close makes the process end, and does not wait for it.
func (s *stdio) Close() error {
	s.once.Do(func() {
		s.process.terminate()
		close(s.closed)
		_ = s.pipe.Close()
	})
	return nil
}

func (s *stdio) closesQuickly() {} // the end of main may follow

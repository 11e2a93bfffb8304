package qmp

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
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
	// drainTime is how long the outputs of a process are read after it has ended. A
	// child of that process may hold them open.
	drainTime = time.Second
	// exitWait is how long to wait for the end of a process after its stream has ended: the stream may have ended
	// because the process has.
	exitWait = 300 * time.Millisecond
	// stderrTail is how much of a process's standard error is kept, and stderrShown how
	// much of that an error repeats.
	stderrTail  = 64 << 10
	stderrShown = 1 << 10
)

// A child is a process that this program starts and reaps.
type child struct {
	cmd    *exec.Cmd
	name   string
	stderr tail
	exited chan struct{} // closed when the process has ended and err is set
	err    error
	killed atomic.Bool // we have killed the process

	writing sync.Mutex // held while one of the user's writers is used: both may be the same one
}

func newChild(cmd *exec.Cmd) *child {
	return &child{cmd: cmd, name: filepath.Base(cmp.Or(cmd.Path, "?")), exited: make(chan struct{})}
}

// hasExited reports whether the process has ended.
func (p *child) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// run starts the process and reaps it. gone is called when it has ended.
func (p *child) run(gone func()) error {
	pipes := &pipes{}
	if err := p.addPipes(pipes); err != nil {
		pipes.abandon()
		return err
	}
	if err := p.cmd.Start(); err != nil {
		pipes.abandon()
		return err
	}
	pipes.start()
	go p.reap(pipes, gone)
	return nil
}

// addPipes replaces each standard stream of the process that is not a file by a pipe.
// Standard error is always a pipe, unless the process has been detached and writes to a
// file itself.
func (p *child) addPipes(s *pipes) (err error) {
	if from := p.cmd.Stdin; !isFile(from) {
		if p.cmd.Stdin, err = s.feed(from); err != nil {
			return err
		}
	}
	if to := p.cmd.Stdout; !isFile(to) {
		if p.cmd.Stdout, err = s.drain(&locked{&p.writing, to}); err != nil {
			return err
		}
	}
	if p.stderr.file != "" { // the process writes there itself
		return nil
	}
	if p.cmd.Stderr != nil {
		p.stderr.next = &locked{&p.writing, p.cmd.Stderr}
	}
	p.cmd.Stderr, err = s.drain(&p.stderr)
	return err
}

// isFile reports whether package exec has nothing to copy from or to a stream.
func isFile(stream any) bool {
	if stream == nil {
		return true
	}
	_, ok := stream.(*os.File)
	return ok
}

// detach lets the process, which has not been started, outlive this program.
func (p *child) detach() {
	ownSession(p.cmd)
	if log, ok := p.cmd.Stderr.(*os.File); ok {
		p.stderr.file, p.stderr.from = log.Name(), math.MaxInt64
		if info, err := log.Stat(); err == nil && info.Mode().IsRegular() {
			p.stderr.from = info.Size()
		}
	}
}

// reap waits for the process, and until its outputs have been read.
func (p *child) reap(pipes *pipes, gone func()) {
	err := p.cmd.Wait()
	pipes.end(cmp.Or(p.cmd.WaitDelay, drainTime))
	p.err = err
	if exit, failed := errors.AsType[*exec.ExitError](err); failed {
		exit.Stderr = []byte(p.stderr.String())
		p.err = p.withStderr(err)
	}
	close(p.exited)
	gone()
}

// withStderr returns err with the last lines of the process's standard error.
func (p *child) withStderr(err error) error {
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

// terminate sends SIGTERM and returns. In the background it kills the process if it has
// not ended after endGrace.
func (p *child) terminate() {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		_ = p.cmd.Process.Kill() // it has ended, or the system has no such signal
	}
	go func() {
		grace := time.NewTimer(endGrace)
		defer grace.Stop()
		select {
		case <-p.exited:
		case <-grace.C:
			p.killed.Store(true) // before the reaper sees the end
			if p.cmd.Process.Kill() != nil {
				p.killed.Store(false) // the process had ended
			}
		}
	}()
}

// A tail keeps the end of what is written to it, and passes everything on.
type tail struct {
	next io.Writer // may be nil
	mu   sync.Mutex
	text []byte

	file string // the process writes to this file itself
	from int64  // the size of the file before the start; math.MaxInt64 if the file cannot be read
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	t.text = append(t.text, b...)
	if over := len(t.text) - stderrTail; over > 0 {
		t.text = t.text[:copy(t.text, t.text[over:])]
	}
	t.mu.Unlock()
	if t.next != nil {
		_, _ = t.next.Write(b) // an error of the user's writer is ignored
	}
	return len(b), nil
}

func (t *tail) String() string {
	if t.file != "" {
		return t.read()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

// read reads the end of the file.
func (t *tail) read() string {
	if t.from == math.MaxInt64 {
		return ""
	}
	f, err := os.Open(t.file)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	from := max(t.from, info.Size()-stderrTail)
	text, _ := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from)) // what there is
	return string(text)
}

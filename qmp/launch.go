package qmp

import (
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
	"time"

	"github.com/goqapi/goqapi/internal/address"
)

// A LaunchOption is an option of [Launch]. Each [Option] is one, too, and applies to the connection.
type LaunchOption interface{ launch(*launched) }

func (o Option) launch(l *launched) { l.opts = append(l.opts, o) }

type launchOption func(*launched)

func (o launchOption) launch(l *launched) { o(l) }

// AtSocket sets the unix: address at which the server listens. Other programs can connect to it there, and so can
// this program after a restart. Without this option the socket is in a new folder that
// nobody else knows. The socket's file must not exist; it is removed after the server has ended, if this
// program still runs.
func AtSocket(addr string) LaunchOption { return launchOption(func(l *launched) { l.addr = addr }) }

// LivesOn lets the server and its helpers outlive this program: they are in a session of their
// own, which has no terminal and gets no signals from one, and [Process.Close] only closes the
// connection. AtSocket is needed, too, so that [Dial] can find the server again.
//
// What the server writes to its standard error after this program has ended is lost, unless
// cmd.Stderr is an [os.File]: then the server writes to that file itself. A helper may even
// be ended by SIGPIPE when it writes then: give it an [os.File] as Stderr, too.
func LivesOn() LaunchOption { return launchOption(func(l *launched) { l.livesOn = true }) }

// launched is the state of a launched server, apart from its process.
type launched struct {
	addr    string
	livesOn bool
	opts    []Option
	helpers []*helper
	remove  func() // removes the socket's file

	down     chan struct{} // closed when a helper has ended
	downOnce sync.Once
	mu       sync.Mutex
	failed   []error // how helpers have ended before the server
}

// Launch starts a QEMU, or a storage daemon, passes a listening socket to it, and
// connects. cmd must not have been started, and its arguments must not contain a monitor: Launch appends one to
// them, and appends the sockets to ExtraFiles. Do not call cmd.Wait: Launch does.
//
//	p, err := qmp.Launch(ctx, exec.Command("qemu-system-x86_64", "-M", "q35", "-display", "none"))
//	…
//	defer p.Close()
//	c := qapi.NewClient(p.Conn)
//
// When Launch returns, the connection is made. [Files] can be passed through it, and
// [WithReconnect] makes it again as long as the process runs. One other client at a time
// can connect to [Process.Addr], as long as this program has not had to connect there
// again.
//
// ctx limits the start; [WithHandshakeTimeout] has no effect. If the process ends
// before it answers, Launch returns at once, and the error has its exit status and the last
// lines of its standard error. Later, the errors of calls that a failing process leaves unanswered
// have them, too. If Launch fails, nothing is left of what it started.
//
// The process does not end when this program ends, unless [Process.Close] or [Process.Stop] was called. On
// Linux, Pdeathsig in cmd.SysProcAttr makes the kernel kill the process when this program ends. As with package
// os/exec, a signal from the terminal, such as that of Ctrl-C, also reaches the process, unless cmd.SysProcAttr
// sets Setpgid: do that in a program that handles the signal and ends its QEMU with [Process.Stop]. A program
// with "storage-daemon" in its name gets the option --monitor in place of -qmp.
//
// Launch needs a Unix system.
func Launch(ctx context.Context, cmd *exec.Cmd, opts ...LaunchOption) (*Process, error) {
	p := &Process{child: newChild(cmd), over: make(chan struct{}), launched: &launched{down: make(chan struct{})}}
	for _, opt := range opts {
		opt.launch(p.launched)
	}
	if err := p.launch(ctx); err != nil {
		return nil, fmt.Errorf("qmp: launch %s: %w", p.name, err)
	}
	return p, nil
}

// Addr returns the address, for [Dial], at which a process that [Launch] started listens; "" for
// a process that [Start] started.
func (p *Process) Addr() string {
	if p.launched == nil {
		return ""
	}
	return p.launched.addr
}

func (p *Process) launch(ctx context.Context) error {
	l := p.launched
	switch {
	case ctx.Err() != nil:
		return contextError(ctx)
	case l.livesOn && l.addr == "":
		return errors.New("LivesOn needs AtSocket: without a known address nobody could connect to the server again")
	}
	listener, err := l.listen(ctx)
	if err != nil {
		return err
	}
	defer listener.Close()
	ours, theirs, err := socketPair()
	if err != nil {
		l.remove()
		return err
	}
	defer theirs.Close()
	if err := p.startAll(ctx, listener, theirs); err != nil {
		ours.Close()
		p.endAll()
		return err
	}
	theirs.Close() // otherwise the stream would not end with the process
	listener.Close()
	if err := p.connect(ctx, ours); err != nil {
		p.endAll()
		return err
	}
	go p.awaitEnd()
	return nil
}

// listen creates the socket at which the server will listen.
func (l *launched) listen(ctx context.Context) (*os.File, error) {
	dir := ""
	if l.addr == "" {
		var err error
		if dir, err = os.MkdirTemp("", "qmp"); err != nil {
			return nil, err
		}
		l.addr = UnixAddr(filepath.Join(dir, "s"))
	}
	f, remove, err := listenFile(ctx, l.addr)
	if err != nil {
		remove = func() {}
		err = fmt.Errorf("listen at %s: %w", l.addr, err)
	}
	l.remove = sync.OnceFunc(func() {
		remove()
		if dir != "" {
			_ = os.Remove(dir) // fails if somebody has put something there
		}
	})
	if err != nil {
		l.remove()
	}
	return f, err
}

func listenFile(ctx context.Context, addr string) (f *os.File, remove func(), err error) {
	a, err := address.ParseStream(addr)
	if err != nil {
		return nil, nil, err
	}
	listener, err := a.Listen(ctx)
	if err != nil {
		return nil, nil, err
	}
	return listener.HandOver()
}

// startAll starts the helpers and then the server, with a listening socket and a connected
// one.
//
// The first session uses the connected socket: if a QEMU 5.2 is dialled while it starts,
// two of its threads may accept the connection.
func (p *Process) startAll(ctx context.Context, listening, connected *os.File) error {
	for _, h := range p.launched.helpers {
		if err := p.startHelper(ctx, h); err != nil {
			return err
		}
	}
	monitor, on := "-qmp", "chardev:" // QEMU 11.1 warns of -mon
	if strings.Contains(p.name, "storage-daemon") {
		monitor, on = "--monitor", "chardev="
	}
	fd := 3 + len(p.cmd.ExtraFiles)
	p.cmd.ExtraFiles = append(slices.Clone(p.cmd.ExtraFiles), listening, connected)
	p.cmd.Args = append(slices.Clone(p.cmd.Args),
		"--chardev", fmt.Sprintf("socket,id=qmp-launch,fd=%d,server=on,wait=off", fd), monitor, on+"qmp-launch",
		"--chardev", fmt.Sprintf("socket,id=qmp-start,fd=%d", fd+1), monitor, on+"qmp-start")
	if p.launched.livesOn {
		p.detach()
	}
	return p.run(func() {})
}

// connect makes the connection, over first; later connections are made to the socket at which the server listens.
func (p *Process) connect(ctx context.Context, first io.ReadWriteCloser) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.exited:
		case <-p.launched.down:
		case <-ctx.Done():
		}
		cancel()
	}()
	o := newOptions(p.launched.opts)
	o.ended = p.whyEnded
	dial := func(ctx context.Context) (io.ReadWriteCloser, error) {
		if rw := first; rw != nil {
			first = nil
			return rw, nil
		}
		return openAddress(ctx, p.launched.addr, o)
	}
	as := qmpServer()
	var connected atomic.Bool
	as.prepare = func(s *session) { s.starting = !connected.Load() }
	conn, err := dialStream(ctx, dial, o, as)
	if err != nil {
		return p.connectError(err)
	}
	connected.Store(true)
	p.Conn = conn
	return nil
}

// whyEnded returns why the stream of a session has ended with err. If the server has ended, too, it is the server's error.
func (p *Process) whyEnded(err error, closed <-chan struct{}) error {
	timer := time.NewTimer(exitWait)
	defer timer.Stop()
	select {
	case <-p.exited:
		if p.err != nil {
			return p.err
		}
	case <-closed:
	case <-timer.C:
	}
	return err
}

// connectError returns why connecting failed with err: the end of the process or of a helper, otherwise err.
func (p *Process) connectError(err error) error {
	if p.hasExited() {
		if p.err != nil {
			return p.err
		}
		return p.withStderr(errors.New("exit status 0"))
	}
	for _, h := range p.launched.helpers {
		if h.hasExited() {
			return h.ending()
		}
	}
	return p.withStderr(err)
}

// awaitEnd waits for the end of the process, and then ends its connection and its helpers.
func (p *Process) awaitEnd() {
	defer close(p.over)
	for _, h := range p.launched.helpers {
		go p.watch(h)
	}
	<-p.exited
	p.endConn()
	for _, h := range slices.Backward(p.launched.helpers) {
		h.terminate()
		<-h.exited
	}
	p.launched.remove()
}

// endConn ends the connection, after it has received what the process sent last.
func (p *Process) endConn() {
	cause := p.err
	if cause == nil {
		cause = io.EOF
	}
	last := p.Conn.current()
	timer := time.NewTimer(drainTime) // a child of the process may hold the stream open
	defer timer.Stop()
	select {
	case <-last.done:
	case <-timer.C:
		last.fail(&peerError{cause})
	}
	if p.Conn.again != nil {
		p.Conn.again.end(&closedError{cause: cause, byPeer: true})
	}
}

// endAll kills what was started.
func (p *Process) endAll() {
	children := []*child{p.child}
	for _, h := range slices.Backward(p.launched.helpers) {
		children = append(children, h.child)
	}
	for _, c := range children {
		if c.cmd.Process != nil {
			_ = c.cmd.Process.Kill() // it fails if the process has ended
			<-c.exited
		}
	}
	p.launched.remove()
}

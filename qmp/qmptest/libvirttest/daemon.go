package libvirttest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/goqapi/goqapi/internal/virrpc"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

const (
	maxClientRequests = 5
	maxWorkers        = 20
)

// A Daemon is a fake libvirt. Its methods may be called at any time, by any number of
// goroutines.
type Daemon struct {
	ctx     context.Context // ends with the daemon
	cancel  context.CancelFunc
	running sync.WaitGroup
	workers chan struct{} // has a value for each that is busy

	mu        sync.Mutex
	down      error // why it takes no connections
	polkit    *bool // whether polkit accepts users; nil: it is not asked
	sessions  map[*session]bool
	listeners []net.Listener
	domains   []*domain // in the order in which they were added
	lastID    int32
	most      Load
	busy      int
}

// A Load is how many calls to monitors and agents are executed at a time.
type Load struct {
	Client int // those of one client
	Daemon int // all
}

// New returns a fake libvirt without domains. It must be closed in the end.
func New() *Daemon {
	d := &Daemon{sessions: map[*session]bool{}, workers: make(chan struct{}, maxWorkers)}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// Start returns a fake libvirt that is closed when the test ends.
func Start(t testing.TB) *Daemon {
	d := New()
	t.Cleanup(d.Close)
	return d
}

// Close ends the daemon and waits for its goroutines. The fakes of its domains are not closed.
func (d *Daemon) Close() {
	d.cancel()
	d.mu.Lock()
	d.down = net.ErrClosed
	listeners, domains := d.listeners, d.domains
	d.mu.Unlock()
	for _, l := range listeners {
		_ = l.Close()
	}
	d.Cut()
	for _, m := range domains {
		m.stop()
	}
	d.running.Wait()
}

// Dial connects to the daemon, for libvirt.WithDialer. Files cannot be passed on such a connection.
func (d *Daemon) Dial(ctx context.Context) (io.ReadWriteCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	client, server := net.Pipe()
	if err := d.serve(server); err != nil {
		return nil, err
	}
	return client, nil
}

// Listen lets clients connect at a Unix socket, and returns the URI for libvirt.Dial.
func (d *Daemon) Listen(path string) (uri string, err error) {
	l, err := net.Listen("unix", path) //nolint:noctx // it returns at once
	if err != nil {
		return "", fmt.Errorf("libvirttest: %w", err)
	}
	d.Serve(l)
	return "qemu:///system?socket=" + url.QueryEscape(path), nil
}

// Serve lets clients connect at l, such as a TCP port. It closes l in the end.
func (d *Daemon) Serve(l net.Listener) {
	d.mu.Lock()
	d.listeners = append(d.listeners, l)
	d.mu.Unlock()
	d.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = d.serve(conn) // it closes what it refuses
		}
	})
}

// serve talks to a client until it leaves.
func (d *Daemon) serve(conn net.Conn) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down != nil {
		conn.Close()
		return d.down
	}
	s := newSession(d, conn)
	d.sessions[s] = true
	d.running.Go(func() {
		s.run()
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.sessions, s)
	})
	return nil
}

// errDown is the error of connections that are refused.
var errDown = errors.New("libvirttest: connection refused")

// SetDown makes the daemon refuse connections, or accept them again.
func (d *Daemon) SetDown(down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case !down && d.down == errDown:
		d.down = nil
	case down && d.down == nil:
		d.down = errDown
	}
}

// SetPolkit has polkit decide about each new connection: it accepts all or refuses all, as it does with users that are
// neither root nor in the group libvirt.
func (d *Daemon) SetPolkit(accepts bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.polkit = &accepts
}

// askPolkit returns whether polkit accepts users; nil: it is not asked.
func (d *Daemon) askPolkit() *bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.polkit
}

// Cut breaks all connections. Commands that are being executed continue, and their replies are lost.
func (d *Daemon) Cut() {
	for _, s := range d.clients() {
		s.conn.Close()
	}
}

// Mute makes the daemon ignore the connections that exist now, as if the host were gone: it does not
// handle what comes from them, and sends nothing.
func (d *Daemon) Mute() {
	for _, s := range d.clients() {
		s.mute()
	}
}

func (d *Daemon) clients() []*session {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []*session
	for s := range d.sessions {
		list = append(list, s)
	}
	return list
}

// Clients returns how many connections there are.
func (d *Daemon) Clients() int { return len(d.clients()) }

// Most returns the highest load so far.
func (d *Daemon) Most() Load {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.most
}

// Run starts a domain: vm is its QEMU, and agent the agent in its guest, which may be nil. After
// Stop, Run starts the domain again. The domain stops when its QEMU ends.
func (d *Daemon) Run(name string, vm, agent *qmptest.Server) error {
	m := &domain{d: d, vm: vm, agent: agent, turn: make(chan struct{}, 1), agentTurn: make(chan struct{}, 1)}
	m.ctx, m.cancel = context.WithCancel(d.ctx)
	if before := d.find(name); before != nil && before.now().ID >= 0 {
		return fmt.Errorf("libvirttest: domain %s runs already: Stop ends it", name)
	}
	m.is = d.next(name)
	m.conn = openMonitor(vm.Pipe(), m.event)
	if err := m.conn.negotiate(); err != nil {
		return fmt.Errorf("libvirttest: domain %s: %w", name, err)
	}
	d.mu.Lock()
	d.domains = append(slices.DeleteFunc(slices.Clone(d.domains), func(o *domain) bool { return o.is.Name == name }), m)
	d.mu.Unlock()
	d.lifecycle(m.is, started, 0)
	d.running.Go(m.awaitEnd)
	return nil
}

// next names the next run of a domain.
func (d *Daemon) next(name string) virrpc.Domain {
	is := virrpc.Domain{Name: name}
	if before := d.find(name); before != nil {
		is = before.is
	} else {
		_, _ = rand.Read(is.UUID[:]) // it never fails
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lastID++
	is.ID = d.lastID
	return is
}

// Stop ends a domain, as virsh destroy does. It closes the connection to the QEMU, the fake, and does not
// change the fake otherwise.
func (d *Daemon) Stop(name string) {
	if m := d.find(name); m != nil && m.stop() {
		d.lifecycle(m.now(), stopped, destroyed)
	}
}

// LoseShutdown makes libvirt lose what the QEMU of a domain says last when it quits: the reply of quit
// and the event SHUTDOWN, as a real libvirt often does on a busy machine.
func (d *Daemon) LoseShutdown(name string) {
	if m := d.find(name); m != nil {
		m.conn.loseLast.Store(true)
	}
}

// Hang stops the QEMU of a domain from answering, as SIGSTOP does, if on is true. Otherwise it lets the
// QEMU answer again.
func (d *Daemon) Hang(name string, on bool) {
	if m := d.find(name); m != nil {
		m.hang(on)
	}
}

// Lifecycle events and the reasons of the event stopped, as libvirt numbers them.
const (
	started      = 2
	paused       = 3
	resumed      = 4
	stopped      = 5
	shuttingDown = 6

	shutDown  = 0
	destroyed = 1
	failed    = 5
)

func (d *Daemon) lifecycle(is virrpc.Domain, event, detail int32) {
	var e virrpc.Encoder
	e.Lifecycle(virrpc.Lifecycle{Domain: is, Event: event, Detail: detail})
	for _, s := range d.clients() {
		s.event(virrpc.Remote, virrpc.DomainEventLifecycle, e.Buf)
	}
}

func (d *Daemon) find(name string) *domain {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.domains, func(m *domain) bool { return m.is.Name == name })
	if i < 0 {
		return nil
	}
	return d.domains[i]
}

// work executes f on a worker, and counts it.
func (d *Daemon) work(s *session, f func()) {
	select {
	case d.workers <- struct{}{}:
	case <-d.ctx.Done():
		return
	}
	d.count(s, 1)
	f()
	d.count(s, -1)
	<-d.workers
}

func (d *Daemon) count(s *session, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy += n
	s.busy += n
	d.most = Load{max(d.most.Client, s.busy), max(d.most.Daemon, d.busy)}
}

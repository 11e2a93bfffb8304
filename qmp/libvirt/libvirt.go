package libvirt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/goqapi/goqapi/internal/virrpc"
)

// A Host is a libvirt, on this host or another one. Connections to it are made when they are
// needed. When the connection that receives events is lost, all streams end; the next dial connects
// again. When another one is lost, the streams whose commands it carries end. The methods of a Host
// may be called by any number of goroutines.
type Host struct {
	at   *endpoint
	opts options
	gate *gate

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wait   sync.WaitGroup // the goroutines of connections

	mu       sync.Mutex
	closed   bool
	conns    [maxConns]lazyConn
	streams  map[virrpc.UUID][]*stream
	feeds    []*feed
	resuming bool // the first connection is being made again, for the feeds
	stops    int  // events about domains that have stopped
}

// An Option sets something about a [Host].
type Option func(*options)

type options struct {
	timeout     time.Duration
	eventBuffer int
	dial        func(context.Context) (io.ReadWriteCloser, error) // nil: as the URI says
	dialTLS     func(context.Context, *url.URL) (io.ReadWriteCloser, error)
	keepalive   time.Duration
}

// WithCallTimeout limits how long a command may wait for its turn and for its reply, together;
// 1 minute without this option, no limit with 0. Where a command may take longer, such as the
// savevm of the human monitor, set it higher; a context or [qmp.WithTimeout] ends a call
// sooner.
func WithCallTimeout(d time.Duration) Option { return func(o *options) { o.timeout = d } }

// WithDialer makes connections to libvirt with dial, for example through an SSH client in your
// program to the socket /run/libvirt/libvirt-sock. Of the URI only the path is used then, as in
// "qemu:///system". dial must return when ctx ends.
func WithDialer(dial func(ctx context.Context) (io.ReadWriteCloser, error)) Option {
	return func(o *options) { o.dial = dial }
}

// WithTLSDialer makes the connections to libvirt for URIs whose transport is TLS. dial returns
// a stream whose TLS handshake is done, and is to return when ctx ends. It gets the URI of
// [Dial], which is checked; its parameters may be pkipath, no_verify and no_tty. Most programs
// need libvirttls.WithTLS instead.
func WithTLSDialer(dial func(ctx context.Context, uri *url.URL) (io.ReadWriteCloser, error)) Option {
	return func(o *options) { o.dialTLS = dial }
}

// WithEventBuffer sets how many events may wait in each range over [Host.Events]; 16384
// without this option.
func WithEventBuffer(n int) Option { return func(o *options) { o.eventBuffer = max(n, 1) } }

// Dial connects to a libvirt. uri is written as for libvirt's own clients and its QEMU driver:
//
//	qemu:///system                  the libvirt of this host: virtqemud, otherwise libvirtd
//	qemu:///session                 the libvirt of this user
//	qemu:///system?socket=/path     a socket elsewhere
//	qemu+ssh://user@host:22/system  runs ssh, with the user's configuration of it
//	qemu+tls://host/system          port 16514, or qemu://host/system; needs libvirttls.WithTLS
//	qemu+tcp://host/system          port 16509, not encrypted
//
// These parameters are known: socket, mode (auto, legacy, direct); for ssh also command,
// keyfile, no_tty, no_verify, proxy (auto, native, netcat) and netcat; for TLS pkipath and
// no_verify. Any other is an error. ssh never asks for a password.
//
// ctx limits only the first connection.
func Dial(ctx context.Context, uri string, opts ...Option) (*Host, error) {
	o := options{timeout: time.Minute, eventBuffer: 16384, keepalive: keepaliveInterval}
	for _, opt := range opts {
		opt(&o)
	}
	at, err := parseURI(uri)
	if err != nil {
		return nil, fmt.Errorf("libvirt: %w", err)
	}
	if err := o.checkTLS(at); err != nil {
		return nil, fmt.Errorf("libvirt: %w", err)
	}
	h := &Host{at: at, opts: o, streams: map[virrpc.UUID][]*stream{}}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.gate = gates.join(h.gateKey())
	if _, err := h.connAt(ctx, 0); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// Close closes the connections to libvirt. Streams, and the connections that use them, end.
func (h *Host) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	var conns []*conn
	for i := range h.conns {
		if c := h.conns[i].conn; c != nil {
			conns = append(conns, c)
		}
	}
	h.mu.Unlock()
	h.cancel()
	for _, c := range conns {
		c.fail(errClosed)
	}
	h.endStreams(errClosed) // one may wait for its turn
	h.wait.Wait()
	h.endFeeds(errClosed)
	gates.leave(h.gateKey())
	return nil
}

// errClosed is why everything ends after Close.
var errClosed = errors.New("the libvirt.Host is closed")

// A Domain is a virtual machine that libvirt knows.
type Domain struct {
	Name  string
	UUID  string // such as "c7a5fdbd-cdaf-9455-926a-d65c16db1809"
	ID    int    // libvirt's number for the present run; -1: it does not run
	State State
}

func newDomain(d virrpc.Domain) Domain {
	return Domain{Name: d.Name, UUID: d.UUID.String(), ID: int(d.ID)}
}

// A State is the state of a domain, as libvirt reports it.
type State string

// The states. libvirt may have others.
const (
	StateUnknown      State = ""
	StateRunning      State = "running"
	StateBlocked      State = "blocked" // it waits for something of the host, such as a disk
	StatePaused       State = "paused"
	StateShuttingDown State = "shutting down"
	StateShutOff      State = "shut off" // it does not run
	StateCrashed      State = "crashed"
	StateSuspended    State = "suspended" // by its guest
)

var states = []State{
	StateUnknown, StateRunning, StateBlocked, StatePaused, StateShuttingDown, StateShutOff, StateCrashed, StateSuspended,
}

func newState(n int32) State { return named(states, n, "state") }

// Domains returns the domains that libvirt knows, also those that do not run, sorted by name.
// Only libvirt is asked, and no QEMU.
func (h *Host) Domains(ctx context.Context) ([]Domain, error) {
	var e virrpc.Encoder
	e.Uint(0) // all domains
	e.Uint(virrpc.StatsState)
	e.Uint(0)
	body, err := h.ask(ctx, virrpc.ConnectGetAllDomainStats, e.Buf)
	if err != nil {
		return nil, fmt.Errorf("libvirt: domains: %w", err)
	}
	d := virrpc.Decoder{Buf: body}
	var list []Domain
	for _, v := range d.DomainStates() {
		dom := newDomain(v.Domain)
		dom.State = newState(v.State)
		list = append(list, dom)
	}
	if err := d.Err(); err != nil {
		return nil, fmt.Errorf("libvirt: domains: the reply of libvirt: %w", err)
	}
	slices.SortFunc(list, func(a, b Domain) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// lookup returns the domain of a name.
func lookup(ctx context.Context, c *conn, name string) (virrpc.Domain, error) {
	var e virrpc.Encoder
	e.String(name)
	body, err := c.call(ctx, virrpc.Remote, virrpc.DomainLookupByName, e.Buf)
	if err != nil {
		return virrpc.Domain{}, err
	}
	d := virrpc.Decoder{Buf: body}
	return d.Domain(), d.Err()
}

// ask calls a procedure that libvirt answers by itself.
func (h *Host) ask(ctx context.Context, procedure int32, args []byte) ([]byte, error) {
	ctx, cancel := h.limit(ctx)
	defer cancel()
	c, err := h.connAt(ctx, 0)
	if err != nil {
		return nil, err
	}
	return c.call(ctx, virrpc.Remote, procedure, args)
}

// limit applies the limit of a call.
func (h *Host) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if h.opts.timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, h.opts.timeout, fmt.Errorf("no answer within %v", h.opts.timeout))
}

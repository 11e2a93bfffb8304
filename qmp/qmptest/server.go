// Package qmptest has a fake QEMU for tests, and for programs that want to run
// where there is none. It speaks the protocol as QEMU does: greeting,
// negotiation, replies in order, events to every monitor. And it knows the schema
// of the release that it plays: a command that this one does not have, and
// arguments that it does not take, are refused as it refuses them; and a reply or an
// event of yours that it would never send fails the test. Behind it is a small virtual
// machine, of which each command can be replaced; one that neither it nor you execute
// fails the test:
//
//	srv := qmptest.Start(t, qmptest.Release("10.0"))
//	srv.Reply("query-name", qapi.NameInfo{Name: new("vm1")})
//	qmptest.Handle(srv, srv.Commands.Eject, func(ctx context.Context, args ...qapi.EjectArgs) error {
//		return &qmp.Error{Class: qmp.ClassGenericError, Desc: "the tray is jammed"}
//	})
//	conn, err := srv.Dial(t.Context())
//
// What clients do is seen by [Server.Expect], [Server.Met], [Server.Calls] and [Server.Count]; what
// goes wrong is up to [Server.Fail], [Server.Fault], [Server.Inject], [Server.Cut],
// [Server.CutAfter], [Server.Flood] and [SlowReader]. Servers that are hostile, or were
// left in the middle of something, are made by [Server.FaultGreeting], [Server.Stall],
// [Server.Stray], [Server.Leftover] and [Leftovers]. [StartAgent] starts a fake guest agent.
//
// # Releases
//
// Values of package qapi's types, which are those of all releases, are cut to what the
// release has that is played: members that it does not have are left out where they are
// zero. One that is set and does not fit fails the test, as does anything that does not
// fit in another value.
//
// # The virtual machine
//
// It is as QEMU makes it of -S -nodefaults -display none -machine pc, with a
// virtio-scsi-pci controller scsi0 and a CD drive cd0, and has state: stop, cont,
// system_reset, system_powerdown and quit with their events in QEMU's order, block
// nodes, devices that are plugged and unplugged, the tray, jobs of every type that run and
// conclude, dumps of the memory, transactions, dirty bitmaps, exports, objects, character devices, network backends and
// files that are passed over Unix sockets. There is no guest in it, but one
// is assumed that does at once what it is asked, or as [Server.Guest] says; every file exists, and every address
// can be reached. A job has done its work right behind the reply to what starts it;
// one that takes seconds at its limit of speed is one further behind each query-jobs and
// query-block-jobs, and stands still if nobody asks. So it is with a migration and
// query-migrate; it arrives at a server made with [Incoming], if one waits there, and
// fails if that ends. [Server.FailMigration] and [Server.DirtyMemory] make it fail, and
// take its time.
//
// Devices are those of the release that is played, or, where package schema/qemu has none of it,
// of those before and after it. device_add refuses what a real QEMU refuses: names of
// devices and properties that are not there, values of the wrong kind or out of range, drives,
// network backends, character devices and objects that are not there or in use, buses that are
// not there or do not fit, slots that are taken, and what cannot be plugged in while a machine
// runs. Before 9.2 it takes "2" for 2 and "on" for true, and drops null and lists without a
// word, as QEMU did; with [StrictDevices] it does not. [Plugged] adds controllers and ports,
// [RootPorts] makes it a q35, [CPUs] and [MemorySlots] limit how much there is room for.
// audiodevs and the host's own devices are taken to be there, and so is room for memory and processors.
// [Bare] leaves the machine out.
//
// What its guest reads from its drives and writes to them is up to [Server.GuestReads] and
// [Server.GuestWrites], and to qemu-io of the human monitor: statistics, dirty bitmaps and thresholds
// move with it. A card with a screen gives screendump a picture to write; nothing else is written.
//
// Over [Server.Dial] and [Server.Pipe] it works inside testing/synctest bubbles.
package qmptest

import (
	"context"
	"fmt"
	"maps"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest/internal/machine"
	"github.com/goqapi/goqapi/qmp/qmptest/internal/release"
	"github.com/goqapi/goqapi/schema/qemu"
)

// A Server is a fake QEMU. Its methods may be called at any time, by any number
// of goroutines.
type Server struct {
	// Commands names commands, for [Handle]: it is connected to nothing.
	Commands *qapi.Client
	// AgentCommands does so for a guest agent's; see [NewAgent].
	AgentCommands *qga.Client

	t         reporter
	plays     string
	version   qmp.Version
	rel       *release.Release
	pretty    bool
	unchecked bool
	bare      bool
	agent     bool
	guest     guest
	pulse     pulse
	slow      slowness
	leftovers bool
	incoming  bool
	strict    bool          // of the machine's devices
	plugged   []qapi.Device // from the start
	furnish   []func(*machine.Machine)

	ctx      context.Context // ends with the server
	cancel   context.CancelFunc
	sessions sync.WaitGroup // and what else runs

	vm *machine.Machine // nil: there is none

	emitting sync.Mutex // held while an event is sent to all clients

	mu       sync.Mutex
	closed   bool
	builtin  map[string]Handler
	handlers map[string]Handler // the user's
	open     map[*session]bool
	ends     []net.Listener
	calls    []Call
	script   script
	faults   map[string]*faults // by command; "": of all
	left     [][]byte           // what the next client gets of the one before it
	stalled  time.Time          // until when nothing is executed
}

// An Option sets something about a server.
type Option func(*Server)

// Release sets the release that the server plays, such as "7.2": any from 5.2 on
// that package schema/qemu has. Without it that is the newest. Any other makes [New]
// panic.
func Release(name string) Option {
	return func(s *Server) { s.plays, s.version = name, versionOf(name) }
}

// Version sets the version that the server says it has. It plays the release that
// is nearest: the newest of those that [Release] takes that is not newer, or the
// oldest.
func Version(v qmp.Version) Option {
	return func(s *Server) {
		s.plays, s.version = release.Nearest(fmt.Sprintf("%d.%d", v.Major, v.Minor)), v
	}
}

// Pretty makes the server print its messages over several lines, as QEMU does
// with -qmp-pretty.
func Pretty() Option { return func(s *Server) { s.pretty = true } }

// Unchecked has nothing held against the schema, nor cut to it: for tests of what lies below it,
// with commands, arguments and events that no QEMU has. It implies [Bare].
func Unchecked() Option { return func(s *Server) { s.unchecked, s.bare = true, true } }

// New returns a server. It must be closed in the end; [Server.Close] then tells what
// the test did wrong.
func New(opts ...Option) *Server {
	s, err := newServer(&failures{}, opts)
	if err != nil {
		panic(err.Error())
	}
	return s
}

// Start returns a server that is closed when the test ends. What is wrong with what
// the test has it do fails the test at once.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s, err := newServer(t, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("qmptest: close: %v", err)
		}
	})
	return s
}

func newServer(t reporter, opts []Option) (*Server, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		t:        t,
		ctx:      ctx,
		cancel:   cancel,
		handlers: map[string]Handler{},
		open:     map[*session]bool{},
		faults:   map[string]*faults{},
		guest:    guest{mounted: []string{"/"}},
	}
	Release(release.Newest())(s)
	for _, opt := range opts {
		opt(s)
	}
	root, builtins := qemu.QMP, s.builtins
	if s.agent {
		root, builtins = qemu.QGA, s.agentBuiltins
	}
	var err error
	if s.rel, err = release.Load(s.plays, root); err != nil {
		return nil, fmt.Errorf("qmptest: %w", err)
	}
	s.builtin = builtins()
	if !s.bare && !s.agent {
		handlers, err := s.machineHandlers()
		if err != nil {
			return nil, fmt.Errorf("qmptest: %w", err)
		}
		maps.Copy(s.builtin, handlers)
	}
	names := namer()
	s.Commands, s.AgentCommands = qapi.NewClient(names), qga.NewClient(names)
	return s, nil
}

// Release is the release that the server plays, such as "10.0".
func (s *Server) Release() string { return s.plays }

// Close ends the server and all connections, and waits until nothing of it runs.
// Handlers must return when their ctx ends. The error, of a server made by [New],
// is what the test did wrong, replies, events and names that do not fit the schema,
// and which commands clients did not issue as expected.
func (s *Server) Close() error {
	s.t.Helper()
	s.stopListening()
	s.cancel()
	for _, c := range s.clients() {
		c.conn.Close()
	}
	s.sessions.Wait()
	if s.vm != nil {
		s.vm.Close()
	}
	s.finish()
	if f, ok := s.t.(*failures); ok {
		return f.take()
	}
	return nil
}

// Inject sends any text to all clients, as it is: garbage, half a message, an
// error without an id, an event of your own making.
func (s *Server) Inject(text string) {
	for _, c := range s.clients() {
		c.out.write([]byte(text))
	}
}

// Cut breaks all connections, as the kernel does when QEMU is killed: what has been sent
// by then still reaches the clients.
func (s *Server) Cut() {
	for _, c := range s.clients() {
		c.out.end()
	}
}

func (s *Server) clients() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*session
	for c := range s.open {
		list = append(list, c)
	}
	return list
}

// Package qmptest has a fake QEMU for tests, and for programs that run without a QEMU. It speaks
// the protocol as QEMU does: greeting, negotiation, replies in order, events to every monitor. It
// knows the schema of the release that it plays. Commands that the release does not have, and
// arguments that it does not take, are refused as QEMU refuses them. A reply or an event of yours
// that QEMU would never send fails the test.
//
// The server has a small virtual machine, which executes the commands. You can replace each of
// them; one that neither the machine nor you execute fails the test:
//
//	srv := qmptest.Start(t, qmptest.Release("10.0"))
//	srv.Reply("query-name", qapi.NameInfo{Name: new("vm1")})
//	qmptest.Handle(srv, srv.Commands.Eject, func(ctx context.Context, args ...qapi.EjectArgs) error {
//		return &qmp.Error{Class: qmp.ClassGenericError, Desc: "the tray is jammed"}
//	})
//	conn, err := srv.Dial(t.Context())
//
// [Server.Expect], [Server.Met], [Server.Calls] and [Server.Count] check what clients do.
// [Server.Fail], [Server.Fault], [Server.Inject], [Server.Cut], [Server.CutAfter], [Server.Flood]
// and [SlowReader] make things go wrong. [Server.FaultGreeting], [Server.Stall], [Server.Stray],
// [Server.Leftover] and [Leftovers] make a server that is hostile, or that an earlier client has
// left in the middle of something. [StartAgent] starts a fake guest agent.
//
// # Releases
//
// The types of package qapi are for all releases. In their values, members that the release does not
// have are left out where they are zero. A member that is set and that the release does not have
// fails the test, as does any other value that does not fit.
//
// # The virtual machine
//
// It is the machine that QEMU makes with -S -nodefaults -display none -machine pc, a
// virtio-scsi-pci controller scsi0 and a CD drive cd0. It has state: stop, cont,
// system_reset, system_powerdown and quit with their events in QEMU's order, block
// nodes, devices that are plugged and unplugged, the tray, jobs of every type that run and
// conclude, dumps of the memory, transactions, dirty bitmaps, exports, objects, character
// devices, network backends and files that are passed through Unix sockets. No guest runs in it; the
// machine behaves as if a guest did at once what it is asked to do, or what [Server.Guest] says. Every file exists,
// and every address can be connected to.
//
// A job has done its work right after the reply to the command that starts it. A job that takes
// seconds because of its speed limit advances by one second after each query-jobs and
// query-block-jobs, and does not advance if nobody asks. A migration advances in the same way after
// each query-migrate. It arrives at a server made with [Incoming], if one waits at its address, and
// fails if that server ends. [Server.FailMigration] makes it fail, [Server.DirtyMemory] makes it
// take longer.
//
// The devices are those of the release; if package schema/qemu does not list them, those of the
// releases before and after it. device_add refuses what a real QEMU refuses: names of
// devices and properties that do not exist; values of the wrong kind or out of range; drives,
// network backends, character devices and objects that do not exist or are in use; buses that
// do not exist or do not fit; slots that are taken; and what cannot be plugged in while a machine
// runs. Before 9.2 it takes "2" for 2 and "on" for true, and ignores null and lists,
// as QEMU did; with [StrictDevices] it does not. [Plugged] adds controllers and ports,
// [RootPorts] makes the machine a q35, [CPUs] and [MemorySlots] limit how much fits in. Without
// them, any number of processors and any amount of memory fit; all audiodevs and all devices of the
// host exist.
// [WithoutMachine] leaves the machine out.
//
// [Server.GuestReads], [Server.GuestWrites] and the command qemu-io of the human monitor make the
// guest read from drives and write to them, which changes statistics, dirty bitmaps and thresholds.
// screendump writes a picture of a card that has a screen; no other file is written.
//
// With [Server.Dial] and [Server.Pipe] the server works inside testing/synctest bubbles.
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
	// Commands names commands, for [Handle]: its methods are not for calls, since it is not connected to a
	// server.
	Commands *qapi.Client
	// AgentCommands names the commands of a guest agent, for [Handle]; see [NewAgent].
	AgentCommands *qga.Client

	t          reporter
	plays      string
	version    qmp.Version
	rel        *release.Release
	pretty     bool
	unchecked  bool
	noMachine  bool
	agent      bool
	guest      guest
	agentState agentState
	slow       slowness
	leftovers  bool
	incoming   bool
	strict     bool          // see StrictDevices
	plugged    []qapi.Device // from the start
	furnish    []func(*machine.Machine)

	ctx      context.Context // ends with the server
	cancel   context.CancelFunc
	sessions sync.WaitGroup // and other goroutines of the server

	vm *machine.Machine // nil: the server does not have one

	emitting sync.Mutex // held while an event is sent to all clients

	mu       sync.Mutex
	closed   bool
	builtin  map[string]Handler
	handlers map[string]Handler // the user's
	open     map[*session]bool
	ends     []net.Listener
	calls    []Call
	script   script
	faults   map[string]*faults // by command; "": of all commands
	left     [][]byte           // replies to an earlier client that the next one gets
	stalled  time.Time          // until when nothing is executed
}

// An Option sets something about a server.
type Option func(*Server)

// Release sets the release that the server plays, such as "7.2": one of those of package
// schema/qemu, from 5.2 on. Without this option it is the newest of them. [New] panics if there
// is no such release.
func Release(name string) Option {
	return func(s *Server) { s.plays, s.version = name, versionOf(name) }
}

// Version sets the version that the server reports. The server plays the newest release that is not
// newer than the version, or the oldest release.
func Version(v qmp.Version) Option {
	return func(s *Server) {
		s.plays, s.version = release.Nearest(fmt.Sprintf("%d.%d", v.Major, v.Minor)), v
	}
}

// Pretty makes the server print its messages over several lines, as QEMU does
// with -qmp-pretty.
func Pretty() Option { return func(s *Server) { s.pretty = true } }

// Unchecked makes the server check nothing against the schema, and leave nothing out. It is for
// tests of the protocol, with commands, arguments and events that no QEMU has. It implies [WithoutMachine].
func Unchecked() Option { return func(s *Server) { s.unchecked, s.noMachine = true, true } }

// New returns a server, which must be closed in the end. [Server.Close] returns what the test did
// wrong.
func New(opts ...Option) *Server {
	s, err := newServer(&failures{}, opts)
	if err != nil {
		panic(err.Error())
	}
	return s
}

// Start returns a server that is closed when the test ends. If the test makes the server do
// something that the release never does, the test fails immediately.
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
	if !s.noMachine && !s.agent {
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

// Release returns the release that the server plays, such as "10.0".
func (s *Server) Release() string { return s.plays }

// Close ends the server and all connections, and waits until all its goroutines have ended.
// Handlers must return when their ctx ends. If the server was made by [New], the error has what the
// test did wrong: replies, events and names that do not fit the schema, and commands that clients
// did not issue as expected.
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

// Cut breaks all connections, as the kernel does when QEMU is killed: clients still get what has
// already been sent.
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

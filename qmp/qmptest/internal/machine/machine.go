// Package machine is a virtual machine as a manager sees it through QMP: its state, its block nodes,
// devices, backends and jobs, and the events about them. It does not have a guest or data.
//
// It is the machine that QEMU makes with
//
//	-S -nodefaults -display none -machine pc -m 64
//	-device virtio-scsi-pci,id=scsi0 -device ide-cd,id=cd0
//
// Where a real machine depends on its host, this one has all that it needs: every file
// exists, is large enough and has the format that is asked for, unless
// blockdev-create has made it; every address can be reached. The guest does at once
// what it is asked: it releases devices, and shuts down when the power button is
// pressed while it runs. Time passes only for jobs and migrations, at fixed points: see [job].
//
// Devices, their properties and the values of these are those of the release: see
// package schema/devices. Options of nodes that do not matter here are not checked.
package machine

import (
	"context"
	"fmt"
	"maps"
	"os"
	"sync"
	"sync/atomic"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/schema/qemu"
)

// A Host is the server that has the machine.
type Host interface {
	// Emit sends an event to every monitor that has negotiated.
	Emit(e qapi.Event)
	// Release returns the QEMU release that is played, such as "7.2".
	Release() string
	// Stop ends the server, after it has sent what is queued.
	Stop()
	// NotExecuted reports something that the machine does not execute. The client gets the
	// error.
	NotExecuted(what string) error
}

// A Request is a command whose arguments are known to fit the schema.
type Request interface {
	// Decode stores the arguments in the value that v points to.
	Decode(v any) error
	// After calls f after the reply.
	After(f func())
	// TakeFile returns a file that was passed; nil if there is none.
	TakeFile() *os.File
}

// A Handler executes a command. Its errors are of type [*qmp.Error].
type Handler = func(ctx context.Context, req Request) (any, error)

// A Machine is a virtual machine.
type Machine struct {
	host Host

	ended atomic.Bool // the server has ended, or is about to

	mu        sync.Mutex // for all fields below; events are emitted while it is locked, so that they are in order
	status    qapi.RunState
	action    struct{ stays, noReboot bool } // on a shutdown and on a reset; see set-action
	nodes     []*node                        // the newest first, parents before their children
	disks     map[string]*disk
	devices   []*device
	ran       bool         // it has run at some time
	guest     Guest        // how the guest reacts when it is asked for something
	q35       bool         // its own PCI bus is one of PCI Express
	places    int          // for processors; 0: as many as are asked for
	slots     int          // for memory modules; 0: as many as are asked for
	goneCPUs  []*device    // processors that are gone, and whose last event has not been sent yet
	ejected   map[int]bool // places whose processor the guest has released
	netdevs   []netdev
	objects   []*object
	chardevs  []*chardev
	jobs      []*job
	nbd       bool // its server runs
	exports   []*export
	files     map[string]*os.File // passed with getfd, by name
	fdsets    []*fdset            // by their numbers
	migration migration
	traced    map[string]bool           // trace events that are on
	blocking  map[*job]bool             // mirrors that copy immediately what is written
	traffic   map[*device]*traffic      // of drives
	props     map[string]jsontext.Value // properties, by path, a dot and name
	dirty     dirtyRate
	strict    bool                                                       // properties take only the values that the newest releases take
	dump      qapi.DumpQueryResult                                       // the last one
	made      struct{ nodes, devices, ptys, threads, groups, files int } // how many names were generated
}

// New returns a machine that has not been started.
func New(h Host) *Machine {
	m := &Machine{
		host: h, status: qapi.RunStatePrelaunch, disks: map[string]*disk{}, files: map[string]*os.File{}, ejected: map[int]bool{},
		traced: map[string]bool{}, blocking: map[*job]bool{}, traffic: map[*device]*traffic{}, props: map[string]jsontext.Value{},
	}
	m.dump.Status = qapi.DumpStatusNone
	m.devices = []*device{
		bootCPU(),
		{driver: "virtio-scsi-pci", id: "scsi0", path: peripheral + "scsi0", bus: rootBus, slot: firstSlot},
		{driver: "ide-cd", id: "cd0", path: peripheral + "cd0", bus: cdBus, fixed: true},
	}
	for _, d := range m.devices {
		d.props = map[string]any{}
		m.addOwnBuses(d)
	}
	m.newMigration()
	return m
}

// exit ends the server.
func (m *Machine) exit() {
	m.ended.Store(true)
	m.host.Stop()
}

// Commands returns what the machine executes, by name.
func (m *Machine) Commands() map[string]Handler {
	all := map[string]Handler{}
	for _, some := range []map[string]Handler{
		m.runCommands(), m.nodeCommands(), m.trayCommands(), m.deviceCommands(), m.qomCommands(),
		m.objectCommands(), m.netdevCommands(), m.chardevCommands(), m.jobCommands(), m.blockJobCommands(), m.chainCommands(),
		m.memoryCommands(), m.screenCommands(), m.yankCommands(), m.bitmapCommands(), m.exportCommands(), m.imageCommands(), m.fileCommands(), m.constantCommands(),
		m.migrationCommands(), m.dumpCommands(), m.snapshotJobCommands(), m.placeCommands(),
		m.answerCommands(), m.capabilityCommands(), m.reopenCommands(), m.virtioCommands(), m.removedCommands(),
		{"transaction": change(m, m.transaction)},
	} {
		maps.Copy(all, some)
	}
	return all
}

// handle makes a handler from a function that gets the arguments. The machine is locked while it
// runs.
func handle[A any](m *Machine, f func(args A, req Request) (any, error)) Handler {
	return func(_ context.Context, req Request) (any, error) {
		var args A
		if err := req.Decode(&args); err != nil {
			return nil, err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		return f(args, req)
	}
}

// change makes a handler of a function that has no result.
func change[A any](m *Machine, f func(args A, req Request) error) Handler {
	return handle(m, func(args A, req Request) (any, error) { return nil, f(args, req) })
}

// query makes a handler of a function that has no arguments.
func query[R any](m *Machine, f func() R) Handler {
	return handle(m, func(struct{}, Request) (any, error) { return f(), nil })
}

// after calls f after the reply, with the machine locked.
func (m *Machine) after(req Request, f func()) {
	req.After(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		f()
	})
}

// since reports whether the release is this one or a newer one.
func (m *Machine) since(release string) bool { return qemu.Compare(m.host.Release(), release) >= 0 }

// emitEarly sends an event before the reply, as newer releases do, or after it, as QEMU 5.2 does.
func (m *Machine) emitEarly(req Request, e qapi.Event) {
	if m.since("6.0") {
		m.host.Emit(e)
	} else {
		m.after(req, func() { m.host.Emit(e) })
	}
}

// generic returns an error of the class GenericError.
func generic(format string, args ...any) error {
	return &qmp.Error{Class: qmp.ClassGenericError, Desc: fmt.Sprintf(format, args...)}
}

func notFound(id string) error { return notFoundf("Device '%s' not found", id) }

func notFoundf(format string, args ...any) error {
	return &qmp.Error{Class: qmp.ClassDeviceNotFound, Desc: fmt.Sprintf(format, args...)}
}

func inactive(format string, args ...any) error {
	return &qmp.Error{Class: qmp.ClassDeviceNotActive, Desc: fmt.Sprintf(format, args...)}
}

// wellFormed reports whether an id has the form that QEMU asks for in most places.
func wellFormed(id string) bool {
	for i, c := range []byte(id) {
		switch letter := c|0x20 >= 'a' && c|0x20 <= 'z'; {
		case letter:
		case i > 0 && (c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_'):
		default:
			return false
		}
	}
	return id != ""
}

func badID() error { return generic("Parameter 'id' expects an identifier") }

// value returns the value to which a pointer points, or the zero value if it is nil.
func value[T any](p *T) (v T) {
	return valueOr(p, v)
}

// valueOr returns the value to which a pointer points, or a default if it is nil.
func valueOr[T any](p *T, absent T) T {
	if p != nil {
		return *p
	}
	return absent
}

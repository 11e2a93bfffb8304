package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/libvirt"
)

// A fleet follows hosts, with one goroutine for each.
type fleet struct {
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed when something has changed
	hosts   []*host
}

// A host is what is known of one. Its fields are guarded by the fleet's mutex.
type host struct {
	name    string
	domains map[string]libvirt.State // by UUID
	events  int
	lost    int   // how often events may be missing
	err     error // why it cannot be followed
}

// A row of the table.
type row struct {
	host   string
	states map[libvirt.State]int
	events int
	lost   int
	err    error
}

func newFleet() *fleet {
	f := &fleet{changed: make(chan struct{})}
	f.ctx, f.stop = context.WithCancel(context.Background())
	return f
}

func (f *fleet) close() {
	f.stop()
	f.running.Wait()
}

// add follows a host from now on.
func (f *fleet) add(name, uri string, opts ...libvirt.Option) {
	h := &host{name: name, domains: map[string]libvirt.State{}}
	f.update(func() { f.hosts = append(f.hosts, h) })
	f.running.Go(func() { f.follow(h, uri, opts) })
}

// update changes what is known, and wakes those who wait for it.
func (f *fleet) update(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.changed)
	f.changed = make(chan struct{})
}

// follow connects to a host, as often as needed, and follows it.
func (f *fleet) follow(h *host, uri string, opts []libvirt.Option) {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
		v, err := libvirt.Dial(f.ctx, uri, opts...)
		if err == nil {
			err = f.watch(h, v)
			err = errors.Join(err, v.Close())
		}
		f.update(func() { h.err = err })
		select {
		case <-time.After(pause):
		case <-f.ctx.Done():
			return
		}
	}
}

// watch follows the events of a host. The Host makes its connection again when that is lost,
// and then there is a gap in the events.
func (f *fleet) watch(h *host, v *libvirt.Host) error {
	events := v.Events(f.ctx) // before the states are asked for
	if err := f.refresh(h, v); err != nil {
		return err
	}
	for e, err := range events {
		if missing(err) {
			err = f.refresh(h, v)
			f.update(func() { h.lost++ })
		} else if err == nil {
			f.update(func() { h.note(e) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// missing reports whether err stands in a stream in place of events that are lost.
func missing(err error) bool {
	_, gap := errors.AsType[*qmp.GapError](err)
	_, overflow := errors.AsType[*qmp.OverflowError](err)
	return gap || overflow
}

// refresh asks for the states of all domains.
func (f *fleet) refresh(h *host, v *libvirt.Host) error {
	domains, err := v.Domains(f.ctx)
	for errors.Is(err, context.DeadlineExceeded) && f.ctx.Err() == nil { // the host may be down for long
		domains, err = v.Domains(f.ctx)
	}
	if err != nil {
		return err
	}
	f.update(func() {
		h.err = nil
		clear(h.domains)
		for _, d := range domains {
			h.domains[d.UUID] = d.State
		}
	})
	return nil
}

// after has the state of a domain after an event.
var after = map[string]libvirt.State{
	"STOP":                             libvirt.StatePaused,
	"RESUME":                           libvirt.StateRunning,
	"SUSPEND":                          libvirt.StateSuspended,
	"WAKEUP":                           libvirt.StateRunning,
	string(libvirt.LifecycleDefined):   libvirt.StateShutOff,
	string(libvirt.LifecycleStarted):   libvirt.StateRunning,
	string(libvirt.LifecyclePaused):    libvirt.StatePaused,
	string(libvirt.LifecycleResumed):   libvirt.StateRunning,
	string(libvirt.LifecycleSuspended): libvirt.StateSuspended,
	string(libvirt.LifecycleStopped):   libvirt.StateShutOff,
	string(libvirt.LifecycleCrashed):   libvirt.StateCrashed,
}

// note notes an event.
func (h *host) note(e libvirt.Event) {
	h.events++
	id := e.Domain.UUID
	_, known := h.domains[id]
	state, changes := after[cmp.Or(e.QMP.Name, string(e.Lifecycle))]
	switch {
	case e.Lifecycle == libvirt.LifecycleUndefined && h.domains[id] == libvirt.StateShutOff:
		delete(h.domains, id)
	case e.Lifecycle == libvirt.LifecycleDefined && known: // its definition has changed
	case changes:
		h.domains[id] = state
	}
}

// table returns what is known at present.
func (f *fleet) table() []row {
	f.mu.Lock()
	defer f.mu.Unlock()
	var rows []row
	for _, h := range f.hosts {
		r := row{host: h.name, states: map[libvirt.State]int{}, events: h.events, lost: h.lost, err: h.err}
		for _, state := range h.domains {
			r.states[state]++
		}
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.host, b.host) })
	return rows
}

// await waits until done returns true for every row.
func (f *fleet) await(ctx context.Context, done func(row) bool) error {
	for {
		f.mu.Lock()
		changed := f.changed
		f.mu.Unlock()
		if !slices.ContainsFunc(f.table(), func(r row) bool { return !done(r) }) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

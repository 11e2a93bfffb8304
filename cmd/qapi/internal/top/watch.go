package top

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/disk"
	"github.com/goqapi/goqapi/qmp"
)

// patience is how long a server may take until it answers a connection: a server with
// another client never answers.
const patience = 5 * time.Second

// Watch reads what a machine does, once for each interval, until ctx ends or emit returns false. For a
// machine that cannot be reached, or whose connection is lost, emit gets a Reading with an error, and the
// machine is tried again.
func Watch(ctx context.Context, m target.Machine, interval time.Duration, emit func(Reading) bool) {
	w := watcher{machine: m, interval: interval, host: local()}
	var wait poll.Interval
	for ctx.Err() == nil {
		more := true
		err := w.follow(ctx, func(r Reading) bool {
			wait.Reset()
			more = emit(r)
			return more
		})
		if !more || ctx.Err() != nil || !emit(Reading{VM: m.Name, Time: time.Now(), Error: reason(err), Code: exit.Code(err)}) {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(max(wait.Next(), interval/4)):
		}
	}
}

// reason returns, in a few words and without the name of the machine, why it could not be read.
func reason(err error) string {
	_, connecting := errors.AsType[*target.ConnectError](err)
	if errno, ok := errors.AsType[syscall.Errno](err); ok && connecting {
		return "no connection: " + errno.Error()
	}
	return exit.Explain(err)
}

type watcher struct {
	machine  target.Machine
	interval time.Duration
	host     host
}

// follow reads what a machine does until the connection ends or emit returns false.
func (w *watcher) follow(ctx context.Context, emit func(Reading) bool) error {
	c, err := w.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	before, err := w.sample(ctx, c)
	if err != nil {
		return err
	}
	for devices, err := range disk.Rates(ctx, c, w.interval) {
		if err != nil {
			return err
		}
		now, err := w.sample(ctx, c)
		if err != nil {
			return err
		}
		r := now.since(before)
		r.VM, r.Devices = w.machine.Name, devicesOf(devices)
		if !emit(r) {
			return nil
		}
		before = now
	}
	return ctx.Err()
}

func (w *watcher) dial(ctx context.Context) (*qapi.Client, error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := w.machine.Dial(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("no answer in %v: it may serve another client", patience)
	}
	return c, err
}

// A sample is the state of a machine at one time.
type sample struct {
	reading Reading
	cpu     cpuSample
	traffic map[string]traffic
}

func (w *watcher) sample(ctx context.Context, c *qapi.Client) (s sample, err error) {
	status, err := c.QueryStatus(ctx)
	if err != nil {
		return s, err
	}
	cpus, err := c.QueryCPUsFast(ctx)
	if err != nil {
		return s, err
	}
	s.reading = Reading{Time: time.Now(), State: string(status.Status), VCPUs: len(cpus)}
	s.cpu = cpuSample{at: s.reading.Time, busy: map[int64]time.Duration{}}
	for _, cpu := range cpus {
		if s.reading.PID == 0 && w.mayBeLocal() {
			s.reading.PID = w.host.process(cpu.ThreadID)
		}
		if time, ok := w.host.threadTime(s.reading.PID, cpu.ThreadID); ok && s.reading.PID != 0 {
			s.cpu.busy[cpu.ThreadID] = time
		}
	}
	if len(s.cpu.busy) == 0 {
		if s.cpu.idle, err = readIdle(ctx, c); fatal(err) {
			return s, err
		}
	}
	s.traffic = w.host.traffics(s.reading.PID, w.host.taps(s.reading.PID))
	return s, w.memory(ctx, c, &s.reading)
}

// mayBeLocal reports whether the machine may run on this host.
func (w *watcher) mayBeLocal() bool {
	m := w.machine
	return m.PID != 0 || strings.HasPrefix(m.Address, "unix:")
}

func (w *watcher) memory(ctx context.Context, c *qapi.Client, r *Reading) error {
	size, err := c.QueryMemorySizeSummary(ctx)
	if fatal(err) {
		return err
	}
	r.Memory = int64(size.BaseMemory + qapi.Value(size.PluggedMemory))
	balloon, err := c.QueryBalloon(ctx)
	if err == nil {
		r.Balloon = &balloon.Actual
	}
	if !fatal(err) {
		err = nil
	}
	return err
}

// fatal reports whether an error is not only a refusal, as when the machine has no balloon or QEMU
// is too old.
func fatal(err error) bool {
	_, refused := errors.AsType[*qmp.Error](err)
	return err != nil && !refused
}

// since returns what was done since an earlier sample.
func (s sample) since(old sample) Reading {
	r := s.reading
	r.CPU = s.cpu.since(old.cpu)
	passed := s.cpu.at.Sub(old.cpu.at).Seconds()
	for _, name := range slices.Sorted(maps.Keys(s.traffic)) {
		now := s.traffic[name]
		before, ok := old.traffic[name]
		if ok && passed > 0 && now.received >= before.received && now.sent >= before.sent {
			r.Networks = append(r.Networks, Network{name, float64(now.received-before.received) / passed, float64(now.sent-before.sent) / passed})
		}
	}
	return r
}

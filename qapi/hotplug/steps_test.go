package hotplug_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qapi/hotplug"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// An operation is a call of this package, which takes several steps.
type operation struct {
	name    string
	prepare func(t *testing.T, c *qapi.Client)
	do      func(ctx context.Context, c *qapi.Client) error
	adds    bool  // if it fails, nothing is left
	want    state // the state when it has succeeded

	once bool // the connection is not made again
}

// A state is the part of a machine's state that operations change.
type state struct {
	Devices, Nodes, Objects []string
	CPUs                    int
	Balloon, Memory         uint64
}

func stateOf(t *testing.T, c *qapi.Client) state {
	t.Helper()
	s := state{Devices: devices(t, c), Nodes: nodes(t, c), Objects: objects(t, c), CPUs: cpus(t, c)}
	slices.Sort(s.Nodes)
	balloon, err := c.QueryBalloon(t.Context())
	require.NoError(t, err)
	memory, err := c.QueryMemorySizeSummary(t.Context())
	require.NoError(t, err)
	s.Balloon, s.Memory = uint64(balloon.Actual), *memory.PluggedMemory
	return s
}

func (s state) equal(t *testing.T, c *qapi.Client, about string) {
	t.Helper()
	base := state{Devices: []string{"b"}, Nodes: []string{}, Objects: []string{}, CPUs: 1, Balloon: 64 << 20}
	if s.Devices != nil {
		base.Devices = s.Devices
	}
	if s.Nodes != nil {
		base.Nodes = s.Nodes
	}
	if s.Objects != nil {
		base.Objects = s.Objects
	}
	base.CPUs, base.Memory = max(s.CPUs, 1), s.Memory
	if s.Balloon != 0 {
		base.Balloon = s.Balloon
	}
	assert.Equal(t, base, stateOf(t, c), about)
}

func nothing(*testing.T, *qapi.Client) {}

func addDisk(ctx context.Context, c *qapi.Client) error {
	return hotplug.AddDisk(ctx, c, device.VirtioBlkPCI{ID: "vd", Drive: "top"}, nullDisk("n"), rawOverN("top"))
}

func addDIMM(ctx context.Context, c *qapi.Client) error {
	return hotplug.AddMemory(ctx, c, device.PcDimm{ID: "dimm", Memdev: "m"}, ram("m", 128<<20))
}

func addVirtioMem(ctx context.Context, c *qapi.Client) error {
	return hotplug.AddMemory(ctx, c, device.VirtioMemPCI{ID: "vm", Memdev: "m", RequestedSize: new(uint64(0))}, ram("m", 1<<30))
}

func addNIC(ctx context.Context, c *qapi.Client) error {
	return hotplug.AddNIC(ctx, c, device.VirtioNetPCI{ID: "nic", Netdev: "hub"}, hub("hub"))
}

func setCPUs(n int) func(context.Context, *qapi.Client) error {
	return func(ctx context.Context, c *qapi.Client) error { return hotplug.SetCPUs(ctx, c, n) }
}

func resize(size uint64) func(context.Context, *qapi.Client) error {
	return func(ctx context.Context, c *qapi.Client) error { return hotplug.ResizeMemory(ctx, c, "vm", size) }
}

// before returns a function that does some operations before another one.
func before(list ...func(context.Context, *qapi.Client) error) func(*testing.T, *qapi.Client) {
	return func(t *testing.T, c *qapi.Client) {
		t.Helper()
		for _, do := range list {
			require.NoError(t, do(t.Context(), c))
		}
	}
}

var operations = []operation{
	{"Plug", nothing, func(ctx context.Context, c *qapi.Client) error {
		return hotplug.Plug(ctx, c, device.VirtioRngPCI{ID: "rng"})
	}, true, state{Devices: []string{"b", "rng"}}, false},
	{"Unplug", plugBlk, func(ctx context.Context, c *qapi.Client) error {
		return hotplug.Unplug(ctx, c, "vd")
	}, false, state{Nodes: []string{"n"}}, false},
	{"AddDisk", nothing, addDisk, true, state{Devices: []string{"b", "vd"}, Nodes: []string{"n", "top"}}, false},
	{"RemoveDisk", before(addDisk), func(ctx context.Context, c *qapi.Client) error {
		return hotplug.RemoveDisk(ctx, c, "vd", "top", "n")
	}, false, state{}, false},
	{"AddNIC", nothing, addNIC, true, state{Devices: []string{"b", "nic"}}, false},
	{"RemoveNIC", before(addNIC), func(ctx context.Context, c *qapi.Client) error {
		return hotplug.RemoveNIC(ctx, c, "nic", "hub")
	}, false, state{}, false},
	{"AddMemory", nothing, addDIMM, true, state{Devices: []string{"b", "dimm"}, Objects: []string{"m"}, Memory: 128 << 20}, false},
	{"RemoveMemory", before(addDIMM), func(ctx context.Context, c *qapi.Client) error {
		return hotplug.RemoveMemory(ctx, c, "dimm", "m")
	}, false, state{}, false},
	{"RemoveMemory of virtio-mem", before(addVirtioMem, resize(64<<20)), func(ctx context.Context, c *qapi.Client) error {
		return hotplug.RemoveMemory(ctx, c, "vm", "m")
	}, false, state{}, false},
	{"ResizeMemory", before(addVirtioMem), resize(128 << 20), false, state{Devices: []string{"b", "vm"}, Objects: []string{"m"}, Memory: 128 << 20}, false},
	{"SetCPUs, more", nothing, setCPUs(3), true, state{Devices: []string{"b", "cpu-0-1-0", "cpu-0-2-0"}, CPUs: 3}, false},
	{"SetCPUs, fewer", before(setCPUs(3)), setCPUs(1), false, state{}, false},
	{"Balloon", nothing, func(ctx context.Context, c *qapi.Client) error {
		_, err := hotplug.Balloon(ctx, c, 32<<20)
		return err
	}, false, state{Balloon: 32 << 20}, false},
}

// A disturbance happens at one of the calls of an operation, in place of the answer to the call. do
// executes the call and returns its answer.
type disturbance func(srv *qmptest.Server, do func() (any, error)) (any, error)

// at runs an operation with a disturbance at one of its calls, and returns its error and the number
// of calls.
func (op operation) at(t *testing.T, call int, d disturbance) (c *qapi.Client, calls int, err error) {
	t.Helper()
	srv, c := fake(t)
	if op.once {
		conn, err := srv.Dial(t.Context())
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		c = qapi.NewClient(conn)
	}
	require.NoError(t, c.DeviceAdd(t.Context(), device.VirtioBalloonPCI{ID: "b"}))
	require.NoError(t, c.Cont(t.Context()))
	op.prepare(t, c)
	commands := map[string]bool{}
	for _, name := range []string{
		"device_add", "device_del", "blockdev-add", "blockdev-del", "netdev_add", "netdev_del", "object-add", "object-del",
		"qom-get", "qom-set", "qom-list", "query-named-block-nodes", "human-monitor-command", "query-memory-devices",
		"query-memory-size-summary", "query-balloon", "balloon", "query-hotpluggable-cpus", "query-version", "query-kvm", "query-pci", "query-acpi-ospm-status",
	} {
		commands[name] = true
		h := srv.Handler(name)
		srv.Handle(name, func(ctx context.Context, req *qmptest.Request) (any, error) {
			calls++
			if calls-1 == call {
				return d(srv, func() (any, error) { return h(ctx, req) })
			}
			return h(ctx, req)
		})
	}
	met := len(srv.Calls())
	err = op.do(t.Context(), c)
	n := calls
	for _, name := range slices.Collect(maps.Keys(commands)) {
		srv.Handle(name, nil)
	}
	for _, call := range srv.Calls()[met:] {
		require.True(t, commands[call.Command] || call.Command == "qmp_capabilities", "%s is not counted", call.Command)
	}
	return c, n, err
}

// eachStep runs a test for each call of each operation.
func eachStep(t *testing.T, f func(t *testing.T, op operation, call int)) {
	t.Helper()
	for _, op := range operations {
		steps := 0
		synctest.Test(t, func(t *testing.T) {
			var err error
			_, steps, err = op.at(t, -1, nil)
			require.NoError(t, err, op.name)
		})
		for call := range steps {
			t.Run(fmt.Sprintf("%s/%d", op.name, call), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { f(t, op, call) })
			})
		}
	}
}

// A connection is cut in each step, before the command was executed or after that, and is
// made again: everything is done, and only once.
func TestCutInEachStep(t *testing.T) {
	cuts := map[string]disturbance{
		"before": func(srv *qmptest.Server, _ func() (any, error)) (any, error) {
			srv.Cut()
			return nil, &qmp.Error{Class: qmp.ClassGenericError, Desc: "nobody reads this"}
		},
		"after": func(srv *qmptest.Server, do func() (any, error)) (any, error) {
			srv.Cut()
			return do()
		},
	}
	eachStep(t, func(t *testing.T, op operation, call int) {
		for when, cut := range cuts {
			start := time.Now()
			c, _, err := op.at(t, call, cut)
			require.NoError(t, err, when)
			op.want.equal(t, c, when)
			assert.Less(t, time.Since(start), 5*time.Second)
		}
	})
}

// When the server refuses any step, nothing of what was added is left.
func TestRefusedInEachStep(t *testing.T) {
	eachStep(t, func(t *testing.T, op operation, call int) {
		c, _, err := op.at(t, call, func(*qmptest.Server, func() (any, error)) (any, error) {
			return nil, &qmp.Error{Class: qmp.ClassGenericError, Desc: "not today"}
		})
		if err == nil { // the human monitor is optional; a second request to a guest may be refused
			op.want.equal(t, c, "")
			return
		}
		require.ErrorContains(t, err, "not today")
		if op.adds {
			state{}.equal(t, c, "")
		}
	})
}

// When ctx ends in any step, nothing of what was added is left.
func TestCancelledInEachStep(t *testing.T) {
	eachStep(t, func(t *testing.T, op operation, call int) {
		var cancel context.CancelFunc
		do := op.do
		op.do = func(ctx context.Context, c *qapi.Client) error {
			ctx, cancel = context.WithCancel(ctx)
			defer cancel()
			return do(ctx, c)
		}
		c, steps, err := op.at(t, call, func(_ *qmptest.Server, do func() (any, error)) (any, error) {
			cancel()
			synctest.Wait()
			return do()
		})
		if err == nil { // it was done
			assert.GreaterOrEqual(t, call, steps-3, "the last steps")
			op.want.equal(t, c, "")
			return
		}
		require.ErrorIs(t, err, context.Canceled)
		assert.NotContains(t, err.Error(), "left behind")
		if op.adds {
			state{}.equal(t, c, "")
		}
	})
}

// When QEMU is killed in any step, the operation ends at once.
func TestKilledInEachStep(t *testing.T) {
	eachStep(t, func(t *testing.T, op operation, call int) {
		op.once = true
		start := time.Now()
		_, _, err := op.at(t, call, func(srv *qmptest.Server, do func() (any, error)) (any, error) {
			srv.Cut()
			return do()
		})
		require.ErrorIs(t, err, qmp.ErrClosed)
		assert.Less(t, time.Since(start), time.Second)
	})
}

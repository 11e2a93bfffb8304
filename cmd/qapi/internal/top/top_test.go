package top

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// listen makes a fake machine listen on a socket.
func listen(t *testing.T, vm *qmptest.Server) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "top") // t.TempDir can be too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	address, err := vm.Listen("unix:" + filepath.Join(dir, "qmp"))
	require.NoError(t, err)
	return address
}

// read returns the first readings that f wants.
func read(t *testing.T, m target.Machine, wanted func(Reading) bool) Reading {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got Reading
	Watch(ctx, m, 100*time.Millisecond, func(r Reading) bool { got = r; return !wanted(r) })
	require.NoError(t, ctx.Err(), "the last reading: %+v", got)
	return got
}

func TestWatch(t *testing.T) {
	vm := qmptest.Start(t)
	m := target.Machine{Name: "web01", Address: listen(t, vm)}
	r := read(t, m, func(Reading) bool { return true })
	assert.Equal(t, "web01", r.VM)
	assert.Equal(t, "prelaunch", r.State)
	assert.Empty(t, r.Error)
	assert.Positive(t, r.VCPUs)
	assert.Positive(t, r.Memory)
	assert.Nil(t, r.CPU, "the fake has no threads and no statistics")
}

// After a lost connection, the machine is tried again.
func TestWatchAgain(t *testing.T) {
	vm := qmptest.Start(t)
	m := target.Machine{Name: "web01", Address: listen(t, vm)}
	seen := ""
	read(t, m, func(r Reading) bool {
		switch {
		case seen == "" && r.Error == "":
			seen = "running"
			vm.Cut()
		case seen == "running" && r.Error != "":
			seen = "away"
		case seen == "away" && r.Error == "":
			return true
		}
		return false
	})

	r := read(t, target.Machine{Name: "nobody", Address: "unix:/none/x"}, func(Reading) bool { return true })
	assert.Equal(t, "no connection: no such file or directory", r.Error)
	assert.Equal(t, "nobody", r.VM)
}

// statistics returns KVM's statistics for one vCPU.
func statistics(waited uint64, blocking bool) []qapi.StatsResult {
	return []qapi.StatsResult{{Provider: qapi.StatsProviderKVM, QOMPath: new("/machine/cpu0"), Stats: []qapi.Stats{
		{Name: "halt_wait_ns", Value: qapi.Uint(waited)}, {Name: "exits", Value: qapi.Uint(5)},
		{Name: "halt_poll_fail_ns", Value: qapi.Uint(1)}, {Name: "blocking", Value: qapi.Bool(blocking)},
		{Name: "halt_wait_hist", Value: qapi.UintList{1, 2}},
	}}}
}

func TestIdle(t *testing.T) {
	vm := qmptest.New()
	defer vm.Close()
	replies := [][]qapi.StatsResult{statistics(5e8, false), statistics(12.5e8, false), statistics(12.5e8, true), nil}
	qmptest.Handle(vm, vm.Commands.QueryStats, func(context.Context, qapi.StatsFilter) ([]qapi.StatsResult, error) {
		next := replies[0]
		replies = replies[1:]
		return next, nil
	})
	conn, err := vm.Dial(t.Context())
	require.NoError(t, err)
	c := qapi.NewClient(conn)
	defer c.Close()
	start := time.Now()
	var samples []cpuSample
	for i := range 4 {
		idle, err := readIdle(t.Context(), c)
		require.NoError(t, err)
		samples = append(samples, cpuSample{at: start.Add(time.Duration(i) * time.Second), idle: idle})
	}
	assert.InDelta(t, 25, *samples[1].since(samples[0]), 0.01, "it waited for 3/4 of a second")
	assert.InDelta(t, 0, *samples[2].since(samples[1]), 0.01, "it waits, and that is not counted yet")
	assert.Nil(t, samples[3].since(samples[2]), "nothing is known")
	assert.Nil(t, samples[1].since(samples[1]), "no time has passed")
}

func proc() host {
	stat := func(user, system string) string {
		return "102 (CPU 0) R (x) R 1 2 3 4 5 6 7 8 9 10 " + user + " " + system + " 0 0 20 0 5"
	}
	return host{fstest.MapFS{
		"102/status":        {Data: []byte("Name:\tCPU 0/KVM\nTgid:\t100\nPid:\t102\n")},
		"100/cmdline":       {Data: []byte("/usr/bin/qemu-system-x86_64\x00-S")},
		"100/task/102/stat": {Data: []byte(stat("150", "50"))},
		"100/task/103/stat": {Data: []byte("103 (short) R")},
		"100/fdinfo/3":      {Data: []byte("pos:\t0\nflags:\t02\n")},
		"100/fdinfo/20":     {Data: []byte("pos:\t0\niff:\ttap0\n")},
		"100/net/dev":       {Data: []byte("Inter-|   Receive\n face |bytes\n  tap0: 100 1 0 0 0 0 0 0 900 2 0 0 0 0 0 0\n    lo: 5 1 0 0 0 0 0 0 5 2 0 0 0 0 0 0\n  tap1: broken\n")},
		"200/status":        {Data: []byte("Name:\tbash\nTgid:\t200\n")},
		"200/cmdline":       {Data: []byte("bash\x00")},
	}}
}

func TestProc(t *testing.T) {
	h := proc()
	assert.Equal(t, 100, h.process(102))
	assert.Zero(t, h.process(200), "it is not a QEMU")
	assert.Zero(t, h.process(300))
	passed, ok := h.threadTime(100, 102)
	assert.True(t, ok)
	assert.Equal(t, 2*time.Second, passed)
	for _, thread := range []int64{103, 104} {
		_, ok = h.threadTime(100, thread)
		assert.False(t, ok)
	}
	assert.Equal(t, []string{"tap0"}, h.taps(100))
	assert.Empty(t, h.taps(200))
	assert.Equal(t, map[string]traffic{"tap0": {received: 900, sent: 100}}, h.traffics(100, []string{"tap0", "tap1"}))
	assert.Empty(t, h.traffics(100, nil))
	assert.Empty(t, h.traffics(300, []string{"tap0"}))
}

// The work of a local machine is read from /proc and from its taps.
func TestSampleOfLocalMachine(t *testing.T) {
	vm := qmptest.New()
	defer vm.Close()
	qmptest.Handle(vm, vm.Commands.QueryCPUsFast, func(context.Context) ([]qapi.CPUInfoFast, error) {
		return []qapi.CPUInfoFast{{ThreadID: 102, QOMPath: "/machine/cpu0", QOMType: "x", Target: qapi.CPUInfoFastI386{}}}, nil
	})
	conn, err := vm.Dial(t.Context())
	require.NoError(t, err)
	c := qapi.NewClient(conn)
	defer c.Close()
	w := watcher{machine: target.Machine{Name: "x", Address: "unix:/x"}, host: proc()}
	before, err := w.sample(t.Context(), c)
	require.NoError(t, err)
	assert.Equal(t, 100, before.reading.PID)

	now := before
	now.cpu = cpuSample{at: before.cpu.at.Add(time.Second), busy: map[int64]time.Duration{102: 2*time.Second + 400*time.Millisecond}}
	now.traffic = map[string]traffic{"tap0": {received: 1900, sent: 100}}
	r := now.since(before)
	assert.InDelta(t, 40, *r.CPU, 0.01)
	assert.Empty(t, cmp.Diff([]Network{{"tap0", 1000, 0}}, r.Networks))

	remote := watcher{machine: target.Machine{Name: "x", Address: "tcp:elsewhere:1"}, host: proc()}
	s, err := remote.sample(t.Context(), c)
	require.NoError(t, err)
	assert.Zero(t, s.reading.PID, "its threads are those of another host")
}

func TestTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		readings := []Reading{
			{
				VM: "web01\x1b[31m", Time: now, State: "running", VCPUs: 4, CPU: new(137.4), Memory: 4 << 30, Balloon: new(int64(3 << 29)),
				Devices: []Device{
					{Name: "vd0", Read: Rate{1 << 20, 100, 0.25}, Write: Rate{512, 1, 3}},
					{Name: "vd1", Write: Rate{512, 0, 0}},
				},
				Networks: []Network{{"tap0", 2048, 0}},
			},
			{VM: "a-very-long-name-of-a-machine", Time: now, State: "paused", VCPUs: 1, CPU: new(0.0)},
			{VM: "gone", Time: now, Error: "connect to unix:/run/gone: no such file\n\x1b[2J"},
			{VM: "slow", Time: now.Add(-time.Minute), State: "running"},
			{VM: "new"},
		}
		var b bytes.Buffer
		assert.Equal(t, `VM                             STATE          CPU              MEMORY       READ      WRITE     NET IN  NET OUT
web01\x1b[31m                  running  137% of 4  1.5 GiB of 4.0 GiB  1.0 MiB/s  1.0 KiB/s  2.0 KiB/s    0 B/s
a-very-long-name-of-a-machine  paused          0%                   -          -          -          -        -
gone  connect to unix:/run/gone: no such file\n\x1b[2J
slow  no answer for 1m00s
new  …`, squeezed(Table(term.New(&b, func(string) string { return "" }), readings, now, 10*time.Second)))

		assert.Equal(t, `VM                         CPU
web01\x1b[31m        137% of 4
a-very-long-name-o…         0%
gone  connect to unix:/run/go…
slow  no answer for 1m00s
new  …`, squeezed(Table(term.Terminal(&b, 30, 24), readings, now, 10*time.Second)))

		assert.Equal(t, `VM             STATE          CPU       READ      WRITE
web01\x1b[31m  running  137% of 4  1.0 MiB/s  1.0 KiB/s

DEVICE       READ                 WRITE             FLUSH
vd0     1.0 MiB/s  100/s 0.2ms  512 B/s  1/s 3.0ms    0/s
vd1         0 B/s          0/s  512 B/s        0/s    0/s`, squeezed(Table(term.Terminal(&b, 60, 24), readings[:1], now, 10*time.Second)))
		for width := 1; width < 130; width++ {
			for _, line := range Table(term.Terminal(&b, width, 24), readings, now, 10*time.Second) {
				assert.LessOrEqual(t, term.Width(plain(line)), max(width, 12), "%d: %q", width, line)
			}
		}
	})
}

func plain(line string) string {
	for _, s := range []term.Style{term.Bold, term.Dim, term.Red, term.Yellow, ""} {
		line = strings.ReplaceAll(line, "\x1b["+string(s)+"m", "")
	}
	return line
}

func squeezed(lines []string) string { return plain(strings.Join(lines, "\n")) }

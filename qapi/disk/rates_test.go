package disk_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/cut"
	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/disk"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// statsOf are the counters of one device.
func statsOf(drive, qdev string, s qapi.BlockDeviceStats) qapi.BlockStats {
	s.TimedStats = []qapi.BlockDeviceTimedStats{}
	return qapi.BlockStats{Device: &drive, Qdev: &qdev, NodeName: new("node"), Stats: s}
}

// rates collects what Rates returns in n intervals.
func rates(ctx context.Context, t *testing.T, c *qapi.Client, interval time.Duration, n int) (all [][]disk.DeviceRates) {
	t.Helper()
	for devices, err := range disk.Rates(ctx, c, interval) {
		require.NoError(t, err)
		if all = append(all, devices); len(all) == n {
			break
		}
	}
	return all
}

func onReplies(t *testing.T, replies [][]qapi.BlockStats, f func(t *testing.T, cutter *cut.Cutter)) {
	synctest.Test(t, func(t *testing.T) {
		srv := qmptest.Start(t)
		var list []any
		for _, r := range replies {
			list = append(list, r)
		}
		srv.Reply("query-blockstats", list...)
		f(t, cut.New(func(context.Context) (io.ReadWriteCloser, error) { return srv.Pipe(), nil }))
	})
}

func TestRates(t *testing.T) {
	busy := qapi.BlockDeviceStats{
		RdBytes: 4096, RdOperations: 4, RdTotalTimeNs: 4000, WrBytes: 1 << 20, WrOperations: 2, WrTotalTimeNs: 1e6,
		FlushOperations: 1, FlushTotalTimeNs: 5e6, UnmapBytes: 100, UnmapOperations: 10, UnmapTotalTimeNs: 70,
	}
	later := busy
	later.RdBytes, later.RdOperations, later.RdTotalTimeNs = 4096+8192, 4+2, 4000+4e6
	one := func(s qapi.BlockDeviceStats) qapi.BlockStats {
		return statsOf("", "/machine/peripheral/vd0/virtio-backend", s)
	}
	other := statsOf("drive0", "/machine/peripheral-anon/device[0]/virtio-backend", qapi.BlockDeviceStats{})
	replies := [][]qapi.BlockStats{
		{one(qapi.BlockDeviceStats{})},
		{one(busy), other, {Device: new("none"), Stats: other.Stats}}, // the device is plugged in; and a drive without a device
		{one(later), other, {Device: new("none"), Stats: other.Stats}},
		{one(busy), other}, // its counters begin again
		{other},            // the device is unplugged
	}
	onReplies(t, replies, func(t *testing.T, cutter *cut.Cutter) {
		idle := disk.DeviceRates{Device: "drive0", Node: "node"}
		assert.Empty(t, cmp.Diff([][]disk.DeviceRates{
			{{
				Device: "vd0", Node: "node",
				Read:    disk.Rate{Bytes: 2048, Requests: 2, Latency: time.Microsecond},
				Write:   disk.Rate{Bytes: 1 << 19, Requests: 1, Latency: 500 * time.Microsecond},
				Flush:   disk.Rate{Requests: 0.5, Latency: 5 * time.Millisecond},
				Discard: disk.Rate{Bytes: 50, Requests: 5, Latency: 7},
			}},
			{{Device: "vd0", Node: "node", Read: disk.Rate{Bytes: 4096, Requests: 1, Latency: 2 * time.Millisecond}}, idle},
			{idle},
			{idle},
		}, rates(t.Context(), t, cutter.Client(t), 2*time.Second, 4)))
	})
}

func TestRatesEnd(t *testing.T) {
	onReplies(t, [][]qapi.BlockStats{{}}, func(t *testing.T, cutter *cut.Cutter) {
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		var n int
		var last error
		for devices, err := range disk.Rates(ctx, cutter.Client(t), time.Second) {
			assert.Empty(t, devices)
			assert.NoError(t, last, "an error is the last")
			n, last = n+1, err
		}
		assert.Equal(t, 4, n)
		assert.ErrorIs(t, last, context.DeadlineExceeded)
	})
	for _, err := range disk.Rates(t.Context(), nil, 0) {
		assert.EqualError(t, err, "disk: rates: the interval is 0s")
	}
}

// If the connection is lost in between, the next rates cover the whole time.
func TestRatesWhoseConnectionIsCut(t *testing.T) {
	onFake(t, func(t *testing.T, cutter *cut.Cutter) {
		c := cutter.Client(t)
		cutter.Survived(t, c, cut.Try{
			Name: "rates", Prep: func(*testing.T, *qapi.Client, string) {},
			Run: func(ctx context.Context, c *qapi.Client, _ string) error {
				assert.Equal(t, [][]disk.DeviceRates{{{Device: "cd0"}}, {{Device: "cd0"}}}, rates(ctx, t, c, time.Second, 2))
				return nil
			},
		}, func(string) {})
	})
}

func TestRateString(t *testing.T) {
	for want, r := range map[string]disk.Rate{
		"0 B/s (0/s, 0s)":          {},
		"1023 B/s (1/s, 10µs)":     {Bytes: 1023, Requests: 0.9, Latency: 12345},
		"1.5 KiB/s (30/s, 2.35ms)": {Bytes: 1536, Requests: 30.2, Latency: 2345678},
		"20 MiB/s (0/s, 0s)":       {Bytes: 20 << 20},
		"3000000 GiB/s (0/s, 0s)":  {Bytes: 3e6 * (1 << 30)},
		"0.1 B/s (0/s, 1h0m0s)":    {Bytes: 0.1, Latency: time.Hour},
	} {
		assert.Equal(t, want, r.String())
	}
}

// Real servers count what QEMU itself writes on behalf of a device.
func TestQEMURates(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		c := cut.New(q.Run(t, "-machine", "pc", "-device", "virtio-scsi-pci", "-device", "scsi-cd,id=cd0",
			"-drive", "if=none,id=drive0,driver=null-co,node-name=disk0", "-device", "virtio-blk-pci,id=vd0,drive=drive0").Dial).Client(t)
		var last []disk.DeviceRates
		for devices, err := range disk.Rates(t.Context(), c, 10*time.Millisecond) {
			require.NoError(t, err)
			if last = devices; len(last) == 2 && last[0].Write.Bytes > 0 {
				break
			}
			out, err := c.HumanMonitorCommand(t.Context(), qapi.HumanMonitorCommandArgs{CommandLine: `qemu-io drive0 "aio_write 0 64k"`})
			require.NoError(t, err)
			require.Empty(t, out)
		}
		assert.Equal(t, disk.DeviceRates{Device: "cd0"}, last[1])
		vd0 := last[0]
		assert.Equal(t, disk.DeviceRates{Device: "vd0", Node: "disk0", Write: vd0.Write}, vd0)
		assert.Positive(t, vd0.Write.Requests)
		assert.InDelta(t, 64<<10, vd0.Write.Bytes/vd0.Write.Requests, 1)
		assert.Positive(t, vd0.Write.Latency)
	})
}

package disk

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/goqapi/goqapi/internal/retry"
	"github.com/goqapi/goqapi/qapi"
)

// DeviceRates are what one device reads and writes.
type DeviceRates struct {
	Device string // as the Name of a [Vertex]
	Node   string // the block node that it uses; empty for a drive without a medium

	Read, Write, Flush, Discard Rate
}

// A Rate is how much is done of one kind of request, and how fast. It is all 0 if nothing is done.
type Rate struct {
	Bytes    float64       // a second; flushes have none
	Requests float64       // a second
	Latency  time.Duration // of a request, on average
}

// String returns a rate for people, such as "1.5 MiB/s (30/s, 2ms)".
func (r Rate) String() string {
	latency := r.Latency.Round(10 * time.Microsecond)
	return fmt.Sprintf("%s/s (%.0f/s, %v)", size(r.Bytes), r.Requests, latency)
}

// size returns a number of bytes in a form for people.
func size(bytes float64) string {
	units := []string{"B", "KiB", "MiB", "GiB"}
	for len(units) > 1 && bytes >= 1024 {
		bytes, units = bytes/1024, units[1:]
	}
	if bytes < 10 && bytes > 0 {
		return fmt.Sprintf("%.1f %s", bytes, units[0])
	}
	return fmt.Sprintf("%.0f %s", bytes, units[0])
}

// Rates ranges over what a machine's devices read and write:
//
//	for devices, err := range disk.Rates(ctx, c, time.Second) {
//
// There is one list for each interval, the first after one interval. A device is left out
// in the interval in which it is plugged in, and in which its counters begin again. An
// error ends the loop. The end of ctx ends it, too, with an error. While a connection is
// made again, the loop waits, and the next list covers that time.
func Rates(ctx context.Context, c *qapi.Client, interval time.Duration) iter.Seq2[[]DeviceRates, error] {
	return func(yield func([]DeviceRates, error) bool) {
		if interval <= 0 {
			yield(nil, fmt.Errorf("disk: rates: the interval is %v", interval))
			return
		}
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		before, err := readCounters(ctx, c)
		for err == nil {
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
			var now counters
			if now, err = readCounters(ctx, c); err == nil && !yield(now.since(before), nil) {
				return
			}
			before = now
		}
		yield(nil, fmt.Errorf("disk: rates: %w", err))
	}
}

// counters are the counters of all devices at one time.
type counters struct {
	at      time.Time
	devices []qapi.BlockStats
	index   map[deviceKey]int // of devices
}

// A deviceKey identifies a device.
type deviceKey struct{ drive, qdev string }

func keyOf(s qapi.BlockStats) deviceKey { return deviceKey{qapi.Value(s.Device), qapi.Value(s.Qdev)} }

func readCounters(ctx context.Context, c *qapi.Client) (now counters, err error) {
	err = retry.Ask(ctx, c.Conn(), func(ctx context.Context) (err error) {
		now.devices, err = c.QueryBlockstats(ctx)
		return err
	})
	now.at = time.Now()
	now.index = make(map[deviceKey]int, len(now.devices))
	for i, s := range now.devices {
		now.index[keyOf(s)] = i
	}
	return now, err
}

// since returns the rates for the time since old was read.
func (now counters) since(old counters) []DeviceRates {
	var list []DeviceRates
	seconds := max(now.at.Sub(old.at), 1).Seconds() // clocks may be coarse
	for _, s := range now.devices {
		i, known := old.index[keyOf(s)]
		if !known || s.Qdev == nil {
			continue
		}
		if rates, ok := ratesOf(old.devices[i].Stats, s.Stats, seconds); ok {
			rates.Device, rates.Node = deviceName(qapi.Value(s.Device), *s.Qdev), qapi.Value(s.NodeName)
			list = append(list, rates)
		}
	}
	return list
}

// A total counts all requests of one kind since the counters began.
type total struct{ bytes, requests, nanoseconds int64 }

// totals returns the totals of reads, writes, flushes and discards.
func totals(s qapi.BlockDeviceStats) [4]total {
	return [4]total{
		{s.RdBytes, s.RdOperations, s.RdTotalTimeNs},
		{s.WrBytes, s.WrOperations, s.WrTotalTimeNs},
		{0, s.FlushOperations, s.FlushTotalTimeNs},
		{s.UnmapBytes, s.UnmapOperations, s.UnmapTotalTimeNs},
	}
}

// ratesOf returns false if a counter is lower than before: then all counters have begun again in between.
func ratesOf(old, now qapi.BlockDeviceStats, seconds float64) (DeviceRates, bool) {
	var rates [4]Rate
	before, after := totals(old), totals(now)
	for i := range rates {
		bytes, requests := after[i].bytes-before[i].bytes, after[i].requests-before[i].requests
		passed := after[i].nanoseconds - before[i].nanoseconds
		if bytes < 0 || requests < 0 || passed < 0 {
			return DeviceRates{}, false
		}
		rates[i].Bytes, rates[i].Requests = float64(bytes)/seconds, float64(requests)/seconds
		if requests > 0 {
			rates[i].Latency = time.Duration(passed / requests)
		}
	}
	return DeviceRates{Read: rates[0], Write: rates[1], Flush: rates[2], Discard: rates[3]}, true
}

package qapi_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// printRates prints what each drive of the guest reads and writes in a second, once in an
// interval, until ctx ends.
func printRates(ctx context.Context, c *qapi.Client, interval time.Duration, out io.Writer) error {
	before := map[string]qapi.BlockDeviceStats{}
	last := time.Now()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		drives, err := c.QueryBlockstats(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		now := time.Now()
		seconds := now.Sub(last).Seconds()
		last = now
		for _, d := range drives {
			name := qapi.Value(d.Qdev)
			old, known := before[name]
			before[name] = d.Stats
			if !known {
				continue
			}
			rate := func(new, old int64) float64 { return float64(new-old) / seconds }
			fmt.Fprintf(out, "%s: reads %.0f KiB/s (%.0f/s), writes %.0f KiB/s (%.0f/s)\n", name,
				rate(d.Stats.RdBytes, old.RdBytes)/1024, rate(d.Stats.RdOperations, old.RdOperations),
				rate(d.Stats.WrBytes, old.WrBytes)/1024, rate(d.Stats.WrOperations, old.WrOperations))
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// What the drives of a machine read and write. It is a fake one here, whose guest does
// nothing.
func Example_ioRates() {
	ctx, cancel := context.WithCancel(context.Background())
	vm := qmptest.New()
	defer vm.Close()
	conn, err := vm.Dial(ctx)
	if err != nil {
		log.Fatal(err)
	}
	c := qapi.NewClient(conn)
	defer c.Close()

	first := writerFunc(func(line []byte) (int, error) { // the example ends after one line
		cancel()
		return os.Stdout.Write(line)
	})
	if err := printRates(ctx, c, time.Millisecond, first); err != nil {
		log.Fatal(err)
	}
	// Output: cd0: reads 0 KiB/s (0/s), writes 0 KiB/s (0/s)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(text []byte) (int, error) { return f(text) }

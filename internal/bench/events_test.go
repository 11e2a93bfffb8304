//go:build linux

package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// BenchmarkEvents sends a flood of events, and ends when each handler has received
// the last one. The events are numbered: one that is lost or out of order fails the benchmark.
func BenchmarkEvents(b *testing.B) {
	for _, handlers := range []int{1, 10} {
		b.Run(fmt.Sprintf("handlers=%d", handlers), func(b *testing.B) {
			srv := qmptest.Start(b)
			addr, err := srv.Listen("unix:" + socketPath(b))
			require.NoError(b, err)
			c, err := qapi.Dial(b.Context(), addr, qmp.WithEventBuffer(b.N), qmp.WithEventError(func(err error) { b.Error(err) }))
			require.NoError(b, err)
			defer c.Close()
			var waiting sync.WaitGroup
			for range handlers {
				waiting.Add(1)
				n := 0
				c.OnBalloonChange(func(e qapi.BalloonChangeEvent) {
					if int(e.Actual) != n {
						b.Errorf("event %d comes as number %d", e.Actual, n)
					}
					if n++; n == b.N {
						waiting.Done()
					}
				})
			}
			var flood strings.Builder
			for i := range b.N {
				fmt.Fprintf(&flood, `{"timestamp": {"seconds": 1267020223, "microseconds": 435656}, "event": "BALLOON_CHANGE", "data": {"actual": %d}}`+"\r\n", i)
			}
			b.ResetTimer()
			srv.Inject(flood.String())
			waiting.Wait()
			b.ReportMetric(float64(handlers*b.N)/b.Elapsed().Seconds(), "handled/s")
		})
	}
}

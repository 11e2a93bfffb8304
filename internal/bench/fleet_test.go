//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
)

const (
	fleetHosts  = 500
	fleetServer = "BENCH_FLEET_SERVER" // has the test's program be the hosts, with sockets in this folder
)

// BenchmarkFleet polls many hosts once a second each, as a manager does: for their
// status, block statistics and jobs. Each host sends an event a second. The hosts
// are another process.
func BenchmarkFleet(b *testing.B) {
	dir, err := os.MkdirTemp("", "bench")
	require.NoError(b, err)
	defer os.RemoveAll(dir)
	defer startServer(b, fleetServer, dir)()

	ctx := context.Background()
	m0 := memory()
	var events atomic.Int64
	clients := make([]*qapi.Client, fleetHosts)
	for i := range clients {
		clients[i], err = qapi.Dial(ctx, "unix:"+filepath.Join(dir, strconv.Itoa(i)))
		require.NoError(b, err)
		defer clients[i].Close()
		clients[i].OnJobStatusChange(func(qapi.JobStatusChangeEvent) { events.Add(1) })
	}
	begin := time.Now()
	c0 := cpuTime(b)
	var hosts sync.WaitGroup
	for i, c := range clients {
		hosts.Go(func() {
			time.Sleep(time.Second * time.Duration(i) / fleetHosts) // not all at once
			ticker := time.NewTicker(time.Second)
			defer ticker.Stop()
			for range b.N {
				if err := poll(ctx, c); err != nil {
					b.Error(err)
					return
				}
				<-ticker.C
			}
		})
	}
	hosts.Wait()
	polls := float64(fleetHosts * b.N)
	b.ReportMetric((cpuTime(b)-c0)/polls*60, "CPU-s/host-minute")
	b.ReportMetric(float64(events.Load())/polls, "events/poll")
	b.ReportMetric(time.Since(begin).Seconds()/float64(b.N), "s/round")
	b.ReportMetric((memory()-m0)/fleetHosts, "B/host")
	b.ReportMetric(0, "ns/op")
}

func poll(ctx context.Context, c *qapi.Client) error {
	if _, err := c.QueryStatus(ctx); err != nil {
		return err
	}
	if _, err := c.QueryBlockstats(ctx, qapi.QueryBlockstatsArgs{}); err != nil {
		return err
	}
	_, err := c.QueryJobs(ctx)
	return err
}

// cpuTime is how many seconds of CPU this process has used.
func cpuTime(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// memory is how many bytes this process uses, garbage apart.
func memory() float64 {
	runtime.GC()
	runtime.GC() // pools are emptied by the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse + m.StackInuse)
}

// serveFleet is all hosts, until the client ends.
func serveFleet(dir string) {
	disks := make([]qapi.BlockStats, 4)
	for i := range disks {
		disks[i].Device, disks[i].NodeName = new(fmt.Sprint("drive", i)), new(fmt.Sprint("#block", i))
		disks[i].Backing = &qapi.BlockStats{NodeName: new(fmt.Sprint("base", i))}
	}
	stats, err := jsonv2.Marshal(disks, jsontext.SpaceAfterColon(true), jsontext.SpaceAfterComma(true))
	if err != nil {
		panic(err)
	}
	for i := range fleetHosts {
		l, err := net.Listen("unix", filepath.Join(dir, strconv.Itoa(i)))
		if err != nil {
			panic(err)
		}
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go serveHost(conn, string(stats))
			}
		}()
	}
	os.Stdout.WriteString("listening\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// serveHost answers what is polled, and sends an event with each status.
func serveHost(conn net.Conn, stats string) {
	defer conn.Close()
	if _, err := io.WriteString(conn, greeting); err != nil {
		return
	}
	for dec := json.NewDecoder(conn); ; {
		var request struct {
			Execute string
			ID      json.RawMessage
		}
		if dec.Decode(&request) != nil {
			return
		}
		reply := "{}"
		event := ""
		switch request.Execute {
		case "query-status":
			reply = `{"status": "running", "running": true}`
			event = `{"timestamp": {"seconds": 1700000000, "microseconds": 5}, "event": "JOB_STATUS_CHANGE", "data": {"status": "running", "id": "job0"}}` + "\r\n"
		case "query-blockstats":
			reply = stats
		case "query-jobs":
			reply = `[{"current-progress": 100, "status": "running", "total-progress": 1000, "type": "mirror", "id": "job0"}]`
		}
		if request.ID != nil {
			reply += fmt.Sprintf(`, "id": %s`, request.ID)
		}
		if _, err := io.WriteString(conn, event+`{"return": `+reply+"}\r\n"); err != nil {
			return
		}
	}
}

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

const fleetHosts = 500

// BenchmarkFleet polls many hosts once a second each, as a manager does: for their
// status, block statistics and jobs. Each host sends an event a second. The hosts
// are another process.
func BenchmarkFleet(b *testing.B) {
	dir := filepath.Dir(socketPath(b))
	startFleet(b, dir)
	before := memory()
	var events atomic.Int64
	clients := make([]*qapi.Client, fleetHosts)
	for i := range clients {
		var err error
		clients[i], err = qapi.Dial(b.Context(), "unix:"+filepath.Join(dir, strconv.Itoa(i)))
		require.NoError(b, err)
		defer clients[i].Close()
		clients[i].OnJobStatusChange(func(qapi.JobStatusChangeEvent) { events.Add(1) })
	}
	started := cpuTime(b)
	var hosts sync.WaitGroup
	for i, c := range clients {
		hosts.Go(func() {
			time.Sleep(time.Second * time.Duration(i) / fleetHosts) // not all at once
			ticker := time.NewTicker(time.Second)
			defer ticker.Stop()
			for range b.N {
				_, e1 := c.QueryStatus(b.Context())
				_, e2 := c.QueryBlockstats(b.Context())
				_, e3 := c.QueryJobs(b.Context())
				if err := errors.Join(e1, e2, e3); err != nil {
					b.Error(err)
					return
				}
				<-ticker.C
			}
		})
	}
	hosts.Wait()
	polls := float64(fleetHosts * b.N)
	b.ReportMetric(float64(cpuTime(b)-started)/polls*60, "CPU-ns/host-minute")
	b.ReportMetric(float64(events.Load())/polls, "events/poll")
	b.ReportMetric((memory()-before)/fleetHosts, "B/host")
	b.ReportMetric(0, "ns/op")
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return u.Utime.Nano() + u.Stime.Nano()
}

// serveFleet lets all hosts listen in a folder.
func serveFleet(dir string) error {
	disks := make([]qapi.BlockStats, 4)
	for i := range disks {
		disks[i].Device, disks[i].NodeName = new(fmt.Sprint("drive", i)), new(fmt.Sprint("#block", i))
		disks[i].Backing = &qapi.BlockStats{NodeName: new(fmt.Sprint("base", i))}
	}
	for i := range fleetHosts {
		vm := qmptest.New()
		vm.Handle("query-status", func(context.Context, *qmptest.Request) (any, error) {
			vm.Emit(qapi.JobStatusChangeEvent{ID: "job0", Status: qapi.JobStatusRunning})
			return qapi.StatusInfo{Status: qapi.RunStateRunning, Running: true}, nil
		})
		vm.Reply("query-blockstats", disks)
		vm.Reply("query-jobs", []qapi.JobInfo{{ID: "job0", Type: qapi.JobTypeMirror, Status: qapi.JobStatusRunning, CurrentProgress: 100, TotalProgress: 1000}})
		if _, err := vm.Listen("unix:" + filepath.Join(dir, strconv.Itoa(i))); err != nil {
			return err
		}
	}
	return nil
}

// TestMain lets another process of this program serve the hosts, so that their memory and CPU time do not count.
func TestMain(m *testing.M) {
	qemutest.Netcat()
	if dir := os.Getenv("BENCH_FLEET"); dir != "" {
		fmt.Println("listening", serveFleet(dir))
		_, _ = io.Copy(io.Discard, os.Stdin) // until the client ends
		return
	}
	m.Run()
}

// startFleet starts the hosts, with sockets in dir, until the benchmark ends.
func startFleet(b *testing.B, dir string) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), "BENCH_FLEET="+dir), os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(b, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	var failed string
	_, err = fmt.Fscanf(stdout, "listening %s\n", &failed)
	require.NoError(b, err)
	require.Equal(b, "<nil>", failed)
}

// memory returns how many bytes this process uses, without garbage.
func memory() float64 {
	runtime.GC()
	runtime.GC() // pools are emptied by the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse + m.StackInuse)
}

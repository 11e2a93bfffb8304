//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// A side is one of several ways to do the same thing.
type side struct {
	name string
	do   func(n int) time.Duration // does it n times and returns how long that took
}

// A comparison has the time per call of each side, round by round.
type comparison [][]float64

// compare lets the sides take turns, n calls each, so that a slow machine slows all of them
// down, and reports the median time per call of each.
func compare(b *testing.B, n int, sides ...side) comparison {
	b.Helper()
	times := make(comparison, len(sides))
	for _, s := range sides {
		s.do(n) // not measured: the first time is slower
	}
	b.ResetTimer()
	for round := range b.N {
		for i := range sides {
			i = (i + round) % len(sides)
			times[i] = append(times[i], float64(sides[i].do(n).Nanoseconds())/float64(n))
		}
	}
	b.StopTimer()
	b.ReportMetric(0, "ns/op")
	for i, s := range sides {
		b.ReportMetric(median(times[i]), s.name+"-ns")
	}
	return times
}

// ratio returns the time of side i divided by that of side j: the median of the rounds,
// since within a round the machine was equally busy for both.
func (c comparison) ratio(i, j int) float64 {
	var ratios []float64
	for round := range c[i] {
		ratios = append(ratios, c[i][round]/c[j][round])
	}
	return median(ratios)
}

// statusRequest is the shortest request for query-status.
const statusRequest = `{"execute":"query-status"}`

// bare is the loop of writes and reads with which a typed call is compared. It has as
// many requests in flight as there are callers, and does not look at the replies.
func bare(b *testing.B, conn net.Conn, callers int) side {
	return loop(b, conn, "bare", slices.Repeat([]string{statusRequest}, callers))
}

// bareID is like bare, with an id in each request, which distinguishes the replies.
func bareID(b *testing.B, conn net.Conn, callers int) side {
	var requests []string
	for i := range callers {
		requests = append(requests, fmt.Sprintf(`%s,"id":%d}`, strings.TrimSuffix(statusRequest, "}"), i+1))
	}
	return loop(b, conn, "bare-id", requests)
}

// loop keeps as many requests in flight as there are, and counts each line as a reply.
func loop(b *testing.B, conn net.Conn, name string, requests []string) side {
	window := len(requests)
	var text []byte // all requests twice, so that any that follow each other can be written at once
	at := []int{0}
	for _, r := range slices.Repeat(requests, 2) {
		text = append(text, r...)
		at = append(at, len(text))
	}
	buf := make([]byte, 64<<10)
	return side{name, func(n int) time.Duration {
		begin := time.Now()
		sent, answered := 0, 0
		send := func(n int) {
			if n == 0 {
				return
			}
			first := sent % window
			if _, err := conn.Write(text[at[first]:at[first+n]]); err != nil {
				b.Fatal(err)
			}
			sent += n
		}
		for send(min(n, window)); answered < n; {
			got, err := conn.Read(buf)
			if err != nil {
				b.Fatal(err)
			}
			lines := bytes.Count(buf[:got], []byte("\n"))
			answered += lines
			send(min(lines, n-sent))
		}
		return time.Since(begin)
	}}
}

// typed does the same with the bindings, by several callers at the same time.
func typed(b *testing.B, c *qapi.Client, callers int) side {
	ctx := b.Context()
	calls := func(n int) {
		for range n {
			if _, err := c.QueryStatus(ctx); err != nil {
				b.Error(err)
				return
			}
		}
	}
	return side{"typed", func(n int) time.Duration {
		begin := time.Now()
		if callers == 1 {
			calls(n)
			return time.Since(begin)
		}
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() { calls(n / callers) })
		}
		wg.Wait()
		return time.Since(begin)
	}}
}

// connect returns a client on a stream.
func connect(b *testing.B, conn net.Conn) *qapi.Client {
	b.Helper()
	c, err := qmp.NewConn(b.Context(), conn)
	require.NoError(b, err)
	b.Cleanup(func() { c.Close() })
	return qapi.NewClient(c)
}

// negotiate does what a bare loop needs before it can start.
func negotiate(b *testing.B, conn net.Conn) {
	b.Helper()
	line := func() {
		var text []byte
		for buf := make([]byte, 1); !bytes.HasSuffix(text, []byte("\n")); text = append(text, buf...) {
			_, err := conn.Read(buf)
			require.NoError(b, err)
		}
		require.NotContains(b, string(text), `"error"`)
	}
	line()
	_, err := conn.Write([]byte(`{"execute":"qmp_capabilities"}`))
	require.NoError(b, err)
	line()
}

// listen returns a Unix socket with a path that is short enough.
func listen(b *testing.B) net.Listener {
	b.Helper()
	dir, err := os.MkdirTemp("", "bench") // b.TempDir can be too long
	require.NoError(b, err)
	b.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	require.NoError(b, err)
	b.Cleanup(func() { l.Close() })
	return l
}

// pin keeps this process, and those that it starts from now on, on one CPU until
// the benchmark ends.
func pin(b *testing.B) {
	b.Helper()
	var before, one [16]uintptr // 1,024 CPUs
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(before), uintptr(unsafe.Pointer(&before)))
	require.Zero(b, errno)
	for i, word := range before {
		if word != 0 {
			one[i] = word & -word
			break
		}
	}
	setAffinity(b, &one)
	procs := runtime.GOMAXPROCS(1)
	b.Cleanup(func() {
		setAffinity(b, &before)
		runtime.GOMAXPROCS(procs)
	})
}

// setAffinity sets the CPUs of all threads. A new thread has those of the thread that
// started it, so a second pass finds any thread that was started meanwhile.
func setAffinity(b *testing.B, cpus *[16]uintptr) {
	b.Helper()
	for range 2 {
		tasks, err := os.ReadDir("/proc/self/task")
		require.NoError(b, err)
		for _, task := range tasks {
			tid, err := strconv.Atoi(task.Name())
			require.NoError(b, err)
			_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(tid), unsafe.Sizeof(*cpus), uintptr(unsafe.Pointer(cpus)))
			if errno != syscall.ESRCH { // it has ended
				require.Zero(b, errno)
			}
		}
	}
}

//go:build linux

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// BenchmarkQEMU compares typed calls with a loop in C, and with a bare loop in Go: the
// network poller of Go's runtime has a cost that no package can avoid. One caller needs no ids. Several callers need
// them to distinguish the replies: so the loop is run without ids, which is the least work for a
// server, and with ids. Package main pins all of it to one CPU. Each has a QEMU of its own, since of
// several monitors of a QEMU the first is faster.
func BenchmarkQEMU(b *testing.B) {
	program := filepath.Join(b.TempDir(), "loop")
	out, err := exec.Command(cmp.Or(os.Getenv("CC"), "cc"), "-O2", "-o", program, "testdata/loop.c").CombinedOutput()
	require.NoError(b, err, "%s", out)
	for _, q := range qemutest.QEMUs(b) {
		b.Run(cmp.Or(q.Release, filepath.Base(q.Path)), func(b *testing.B) {
			client, loop := connect(b, q.Start(b, "-qmp")), negotiate(b, q.Start(b, "-qmp"))
			inC := startLoop(b, program, negotiate(b, q.Start(b, "-qmp")))
			b.Run("callers=1", func(b *testing.B) {
				compare(b, 32, []side{typed(b, "typed", client, 1), bare(b, "bare", loop, 1), inC}, "typed/bare", "C/typed", "C/bare")
			})
			for _, callers := range []int{8, 64} {
				b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
					compare(b, 4*callers, []side{typed(b, "typed", client, callers), bare(b, "bare", loop, callers), bare(b, "bare-id", loop, callers)},
						"typed/bare", "typed/bare-id")
				})
			}
		})
	}
}

// negotiate does what a bare loop needs before it can start.
func negotiate(b *testing.B, conn net.Conn) net.Conn {
	b.Helper()
	lines := bufio.NewReader(conn)
	_, greeted := lines.ReadString('\n')
	_, asked := conn.Write([]byte(`{"execute":"qmp_capabilities"}`))
	_, answered := lines.ReadString('\n')
	require.NoError(b, errors.Join(greeted, asked, answered))
	return conn
}

// startLoop starts the C program on a connection that has negotiated.
func startLoop(b *testing.B, program string, conn net.Conn) side {
	b.Helper()
	f, err := conn.(*net.UnixConn).File()
	require.NoError(b, err)
	defer f.Close()
	cmd := exec.Command(program)
	cmd.ExtraFiles, cmd.Stderr = []*os.File{f}, os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(b, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		stdin.Close()
		require.NoError(b, cmd.Wait())
	})
	return side{"C", func(n int) (took time.Duration) {
		fmt.Fprintln(stdin, n)
		if _, err := fmt.Fscan(stdout, (*int64)(&took)); err != nil {
			b.Fatal(err)
		}
		return took
	}}
}

// A side is one of several ways to do the same thing.
type side struct {
	name string
	do   func(n int) time.Duration // makes n calls and returns how long they took
}

// compare lets the sides take turns, n calls each, so that a slow machine slows all of them
// down. It reports the median time of a call of each, and the ratios "a/b" of two of them: medians of those of
// each round, since within a round the machine was equally busy for both.
func compare(b *testing.B, n int, sides []side, ratios ...string) {
	b.Helper()
	times := map[string][]float64{}
	for _, s := range sides {
		s.do(n) // not measured: the first time is slower
	}
	b.ResetTimer()
	for round := range b.N {
		for i := range sides {
			s := sides[(i+round)%len(sides)]
			times[s.name] = append(times[s.name], float64(s.do(n).Nanoseconds())/float64(n))
		}
		if b.Failed() {
			b.FailNow()
		}
	}
	b.ReportMetric(0, "ns/op")
	for name, list := range times {
		b.ReportMetric(median(list), name+"-ns")
	}
	for _, unit := range ratios {
		name, other, _ := strings.Cut(unit, "/")
		var each []float64
		for i := range times[name] {
			each = append(each, times[name][i]/times[other][i])
		}
		b.ReportMetric(median(each), unit)
	}
}

// calls is a side of several callers, each of which makes one call after another.
func calls(b *testing.B, name string, callers int, call func() error) side {
	return side{name, func(n int) time.Duration {
		begin := time.Now()
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				for range n / callers {
					if err := call(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		return time.Since(begin)
	}}
}

// typed makes typed calls.
func typed(b *testing.B, name string, c *qapi.Client, callers int) side {
	return calls(b, name, callers, func() error {
		_, err := c.QueryStatus(b.Context())
		return err
	})
}

// statusRequest is the shortest request for query-status.
const statusRequest = `{"execute":"query-status"}`

// bare is the loop of writes and reads with which typed calls are compared. It has as many requests in
// flight as there are callers, and counts each line as a reply. As "bare-id" it has an id in each
// request, which distinguishes the replies.
func bare(b *testing.B, name string, conn net.Conn, callers int) side {
	requests := slices.Repeat([]string{statusRequest}, callers)
	if name == "bare-id" {
		for i := range requests {
			requests[i] = fmt.Sprintf(`{"execute":"query-status","id":%d}`, i+1)
		}
	}
	in, out := make([]byte, 64<<10), make([]byte, 0, 64<<10)
	return side{name, func(n int) time.Duration {
		begin := time.Now()
		for sent, answered, more := 0, 0, len(requests); answered < n; {
			out = out[:0]
			for range min(more, n-sent) {
				out = append(out, requests[sent%len(requests)]...)
				sent++
			}
			if len(out) > 0 {
				if _, err := conn.Write(out); err != nil {
					b.Fatal(err)
				}
			}
			got, err := conn.Read(in)
			if err != nil {
				b.Fatal(err)
			}
			more = bytes.Count(in[:got], []byte("\n"))
			answered += more
		}
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

// socketPath returns a path that is short enough for a Unix socket.
func socketPath(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp("", "bench") // b.TempDir can be too long
	require.NoError(b, err)
	b.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

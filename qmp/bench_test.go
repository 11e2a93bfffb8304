//go:build linux

package qmp

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// These benchmarks are for work on this package: the server does almost nothing. internal/bench
// measures what users get.

const (
	statusRequest = `{"execute":"query-status"}`
	statusReply   = `{"return": {"status": "running", "running": true}}` + "\r\n"
)

// echo answers each request with reply, and with its id. It is minimal, so that the benchmarks do
// not measure it.
func echo(c net.Conn, reply string) {
	defer c.Close()
	in := make([]byte, 64<<10)
	var out []byte
	head := strings.TrimSuffix(reply, "}\r\n")
	for {
		n, err := c.Read(in)
		if err != nil {
			return
		}
		out = out[:0]
		for text := in[:n]; len(text) > 0; {
			depth, end := 0, 0
			for end == 0 || depth > 0 {
				switch text[end] {
				case '{':
					depth++
				case '}':
					depth--
				}
				end++
			}
			request := text[:end]
			text = text[end:]
			out = append(out, head...)
			if _, id, ok := bytes.Cut(request, []byte(`"id":`)); ok {
				out = append(out, `, "id": `...)
				out = append(out, id...)
				out = append(out, "\r\n"...)
			} else {
				out = append(out, "}\r\n"...)
			}
		}
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// echoConn is a connection to a server that echoes.
func echoConn(tb testing.TB, reply string) *Conn {
	tb.Helper()
	ours, theirs := socketpair(tb)
	go func() {
		p := newPeer(tb, theirs)
		p.handshake()
		echo(theirs, reply)
	}()
	c, err := NewConn(background, ours)
	require.NoError(tb, err)
	tb.Cleanup(func() { c.Close() })
	return c
}

// bareLoop writes a request and reads a line, n times.
func bareLoop(tb testing.TB, c net.Conn, n int) {
	r := bufio.NewReaderSize(c, 64<<10)
	for range n {
		if _, err := c.Write([]byte(statusRequest)); err != nil {
			tb.Fatal(err)
		}
		for {
			if _, err := r.ReadSlice('\n'); err == nil {
				break
			} else if err != bufio.ErrBufferFull {
				tb.Fatal(err)
			}
		}
	}
}

func BenchmarkCall(b *testing.B) {
	b.Run("bare loop", func(b *testing.B) {
		ours, theirs := socketpair(b)
		go echo(theirs, statusReply)
		defer ours.Close()
		b.ReportAllocs()
		b.ResetTimer()
		bareLoop(b, ours, b.N)
	})
	b.Run("Execute", func(b *testing.B) {
		c := echoConn(b, statusReply)
		ctx, cancel := context.WithCancel(background)
		defer cancel()
		b.ReportAllocs()
		b.ResetTimer()
		for b.Loop() {
			var st status
			if err := c.Execute(ctx, "query-status", nil, &st); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Execute with arguments", func(b *testing.B) {
		type args struct {
			Device string `json:"device,omitzero"`
			Force  *bool  `json:"force,omitzero"`
		}
		c := echoConn(b, `{"return": {}}`+"\r\n")
		b.ReportAllocs()
		b.ResetTimer()
		for b.Loop() {
			if err := c.Execute(background, "eject", args{"cd0", new(true)}, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, callers := range []int{8, 64} {
		b.Run(fmt.Sprintf("Execute by %d callers", callers), func(b *testing.B) {
			c := echoConn(b, statusReply)
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			var left atomic.Int64
			left.Store(int64(b.N))
			for range callers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						var st status
						if err := c.Execute(background, "query-status", nil, &st); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// TestCallAllocations checks the limit of internal/bench: 4 allocations for a call with plain
// arguments, from the arguments to the result.
func TestCallAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	type args struct {
		Device string `json:"device"`
	}
	c := echoConn(t, statusReply)
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	check := func(what string, limit float64, f func() error) {
		t.Helper()
		n := testing.AllocsPerRun(1000, func() {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		})
		assert.LessOrEqual(t, n, limit, "%s: allocations", what)
		t.Logf("%s: %v allocations", what, n)
	}
	check("without arguments and result", 0, func() error { return c.Execute(ctx, "x", nil, nil) })
	check("with both", 4, func() error {
		var st status
		return c.Execute(ctx, "x", args{"cd0"}, &st)
	})
}

// TestIdleMemory checks two more limits: an idle connection takes at most 16 KiB and two
// goroutines, also after a large reply.
func TestIdleMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector needs memory of its own")
	}
	conns := 500
	switch {
	case long():
		conns = 10_000
	case testing.Short():
		conns = 100
	}
	measureIdle(t, conns, func(when string, memory, goroutines float64) {
		t.Logf("idle connections%s: %.0f bytes and %.2f goroutines each", when, memory, goroutines)
		assert.LessOrEqual(t, memory, float64(16<<10), "bytes of an idle connection%s", when)
		assert.LessOrEqual(t, goroutines, 2.0, "goroutines of an idle connection%s", when)
	})
}

// BenchmarkIdle reports what [TestIdleMemory] checks.
func BenchmarkIdle(b *testing.B) {
	measureIdle(b, 10_000, func(when string, memory, goroutines float64) {
		b.ReportMetric(memory, "B/conn"+when)
		b.ReportMetric(goroutines, "goroutines/conn"+when)
	})
	b.ReportMetric(0, "ns/op")
}

// measureIdle calls report with what each of many idle connections costs, and with what it costs
// after a reply of 1 MB. The servers' ends are plain descriptors, which take no memory of Go.
func measureIdle(tb testing.TB, conns int, report func(when string, memory, goroutines float64)) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil && uint64(2*conns+200) > limit.Max {
		conns = int(limit.Max-200) / 2 // each takes two
		tb.Logf("the limit of open files allows %d connections", conns)
	}
	used := func() (memory, goroutines float64) {
		runtime.GC()
		runtime.GC() // pools are emptied by the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapInuse + m.StackInuse), float64(runtime.NumGoroutine())
	}
	list, ends := make([]*Conn, conns), make([]int, conns)
	want := strings.Repeat("x", 1<<20)
	big := fmt.Appendf(nil, "{\"return\": %q}\r\n", want)
	var servers sync.WaitGroup
	m0, g0 := used()
	each := func(when string, do func(i int)) {
		for i := range conns {
			do(i)
		}
		servers.Wait()
		m, g := used()
		report(when, (m-m0)/float64(conns), (g-g0)/float64(conns))
	}
	each("", func(i int) {
		end, f := fdPair(tb)
		ends[i] = end
		tb.Cleanup(func() { syscall.Close(end) })
		servers.Go(func() {
			syscall.Write(end, []byte(greetingText))
			request := make([]byte, 100)
			n, _ := syscall.Read(end, request)
			_, id, _ := bytes.Cut(request[:n], []byte(`"id":`))
			syscall.Write(end, fmt.Appendf(nil, "{\"return\": {}, \"id\": %s\r\n", id))
		})
		c, err := NewConn(background, unixConn(tb, f))
		require.NoError(tb, err)
		list[i] = c
		tb.Cleanup(func() { c.Close() })
	})
	each("-later", func(i int) {
		servers.Go(func() {
			syscall.Read(ends[i], make([]byte, 100))
			for text := big; len(text) > 0; {
				n, err := syscall.Write(ends[i], text)
				if err != nil {
					return // then Execute fails
				}
				text = text[n:]
			}
		})
		var s string
		err := list[i].Execute(background, "big", nil, &s)
		require.True(tb, err == nil && s == want, "%d bytes, %v", len(s), err)
	})
	runtime.KeepAlive(want) // neither may count as a connection's memory, or as freed memory
	runtime.KeepAlive(big)
}

//go:build linux

package qmp

import (
	"bufio"
	"bytes"
	"context"
	stdjson "encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// The figures that matter are ratios: of Execute to a bare loop that writes a
// request and reads a line, on the same kind of socket with the same server.

const (
	statusRequest = `{"execute":"query-status"}`
	statusReply   = `{"return": {"status": "running", "running": true}}` + "\r\n"
)

// socketpair returns the two ends of a Unix socket.
func socketpair(tb testing.TB) (ours, theirs *net.UnixConn) {
	tb.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		tb.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "")
		c, err := net.FileConn(f)
		if err != nil {
			tb.Fatal(err)
		}
		f.Close()
		ends[i] = c.(*net.UnixConn)
	}
	return ends[0], ends[1]
}

// echo answers each request with reply, and with its id. It is no more than that,
// so as not to be what is measured.
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
	if err != nil {
		tb.Fatal(err)
	}
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

// BenchmarkEvents measures a flood of events through handlers, to the last one.
func BenchmarkEvents(b *testing.B) {
	const text = `{"timestamp": {"seconds": 1267020223, "microseconds": 435656}, "event": "BLOCK_IO_ERROR", "data": {"device": "ide0-hd1", "node-name": "#block212", "operation": "write", "action": "stop", "reason": "No space left on device"}}` + "\r\n"
	type ioError struct {
		Device    string `json:"device"`
		NodeName  string `json:"node-name"`
		Operation string `json:"operation"`
		Action    string `json:"action"`
		Reason    string `json:"reason"`
	}
	decodeEvent := func(e Event) (v ioError, err error) { err = e.Decode(&v); return }
	for _, handlers := range []int{1, 10} {
		b.Run(fmt.Sprintf("handlers=%d", handlers), func(b *testing.B) {
			ours, theirs := socketpair(b)
			defer theirs.Close()
			go newPeer(b, theirs).handshake()
			c, err := NewConn(background, ours, WithEventBuffer(b.N))
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			done := make(chan struct{}, handlers)
			for range handlers {
				n := 0
				On(c, "BLOCK_IO_ERROR", decodeEvent, func(e ioError) {
					if n++; n == b.N {
						done <- struct{}{}
					}
				})
			}
			b.ReportAllocs()
			b.ResetTimer()
			batch := []byte(strings.Repeat(text, 100))
			for n := b.N; n > 0; n -= 100 {
				if _, err := theirs.Write(batch[:len(text)*min(n, 100)]); err != nil {
					b.Fatal(err)
				}
			}
			for range handlers {
				<-done
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// blockNodes is a reply of query-named-block-nodes, as far as hand-written types
// would go.
type blockNodes []struct {
	NodeName string `json:"node-name"`
	File     string `json:"file"`
	Driver   string `json:"drv"`
	ReadOnly bool   `json:"ro"`
	Cache    struct {
		Writeback bool `json:"writeback"`
		Direct    bool `json:"direct"`
		NoFlush   bool `json:"no-flush"`
	} `json:"cache"`
	Image struct {
		Filename    string `json:"filename"`
		Format      string `json:"format"`
		VirtualSize int64  `json:"virtual-size"`
		ActualSize  *int64 `json:"actual-size"`
	} `json:"image"`
	BPS    int64 `json:"bps"`
	BPSRd  int64 `json:"bps_rd"`
	BPSWr  int64 `json:"bps_wr"`
	IOPS   int64 `json:"iops"`
	IOPSRd int64 `json:"iops_rd"`
	IOPSWr int64 `json:"iops_wr"`
}

func bigReply() string {
	node := `{"iops_rd": 0, "detect_zeroes": "off", "image": {"virtual-size": 1073741824, "filename": "null-co://", "format": "null-co", "actual-size": 0, "children": []}, "children": [], "iops_wr": 0, "ro": false, "node-name": "n%d", "backing_file_depth": 0, "drv": "null-co", "iops": 0, "bps_wr": 0, "write_threshold": 0, "encrypted": false, "bps": 0, "bps_rd": 0, "active": true, "cache": {"no-flush": false, "direct": false, "writeback": true}, "file": "{\"driver\": \"null-co\", \"size\": 1073741824}"}`
	var list []string
	for i := range 500 {
		list = append(list, fmt.Sprintf(node, i))
	}
	return `{"return": [` + strings.Join(list, ", ") + "]}\r\n"
}

// BenchmarkBigReply measures a reply of 500 block nodes from the socket to types,
// against encoding/json's decoder on the same socket.
func BenchmarkBigReply(b *testing.B) {
	reply := bigReply()
	b.Run("json.Decoder", func(b *testing.B) {
		ours, theirs := socketpair(b)
		go echo(theirs, reply)
		defer ours.Close()
		dec := stdjson.NewDecoder(ours)
		b.SetBytes(int64(len(reply)))
		b.ReportAllocs()
		b.ResetTimer()
		for b.Loop() {
			if _, err := ours.Write([]byte(statusRequest)); err != nil {
				b.Fatal(err)
			}
			var r struct {
				Return blockNodes `json:"return"`
			}
			if err := dec.Decode(&r); err != nil || len(r.Return) != 500 {
				b.Fatal(len(r.Return), err)
			}
		}
	})
	b.Run("Execute", func(b *testing.B) {
		c := echoConn(b, reply)
		b.SetBytes(int64(len(reply)))
		b.ReportAllocs()
		b.ResetTimer()
		for b.Loop() {
			var r blockNodes
			if err := c.Execute(background, "query-named-block-nodes", nil, &r); err != nil || len(r) != 500 {
				b.Fatal(len(r), err)
			}
		}
	})
}

// BenchmarkQEMU measures real ones.
func BenchmarkQEMU(b *testing.B) {
	lab := os.Getenv("QAPI_QEMU_LAB")
	if lab == "" {
		b.Skip("needs real QEMU: QAPI_QEMU_LAB is not set")
	}
	bins, _ := filepath.Glob(filepath.Join(lab, "*", "bin", "qemu-system-x86_64"))
	for _, bin := range bins {
		release := filepath.Base(filepath.Dir(filepath.Dir(bin)))
		b.Run(release+"/bare loop", func(b *testing.B) {
			_, addrs := startMonitors(b, bin, 1, "")
			c, err := net.Dial("unix", strings.TrimPrefix(addrs[0], "unix:"))
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			r := bufio.NewReader(c)
			fmt.Fprint(c, `{"execute":"qmp_capabilities"}`)
			for range 2 {
				if _, err := r.ReadString('\n'); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			bareLoop(b, c, b.N)
		})
		b.Run(release+"/Execute", func(b *testing.B) {
			_, addrs := startMonitors(b, bin, 1, "")
			c := dial(b, addrs[0])
			b.ResetTimer()
			for range b.N {
				var st status
				if err := c.Execute(background, "query-status", nil, &st); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestCallAllocations holds the figure of the design: 4 for a call with plain
// arguments, from the values to the values.
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
		if n > limit {
			t.Errorf("%s: %v allocations, want at most %v", what, n, limit)
		}
		t.Logf("%s: %v allocations", what, n)
	}
	check("without arguments and result", 0, func() error { return c.Execute(ctx, "x", nil, nil) })
	check("with both", 4, func() error {
		var st status
		return c.Execute(ctx, "x", args{"cd0"}, &st)
	})
}

// TestIdleMemory holds two more: an idle connection takes 16 KiB and two
// goroutines at most, also after a large reply and many callers.
func TestIdleMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector needs memory of its own")
	}
	conns := 500
	if long() {
		conns = 10_000
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil && uint64(2*conns+200) > limit.Max {
		conns = int(limit.Max-200) / 2 // each takes two
	}
	// The servers' ends are plain descriptors, so that they take no memory of Go's.
	big := fmt.Appendf(nil, "{\"return\": %q}\r\n", strings.Repeat("x", 1<<20))
	used := func() (memory uint64, goroutines int) {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse, runtime.NumGoroutine()
	}
	var list []*Conn
	var ends []int
	m1, g1 := used()
	for range conns {
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fds[0]), "")
		conn, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		go func() {
			syscall.Write(fds[1], []byte(greetingText))
			syscall.Read(fds[1], make([]byte, 100))
			syscall.Write(fds[1], []byte("{\"return\": {}}\r\n"))
		}()
		c, err := NewConn(background, conn)
		if err != nil {
			t.Fatal(err)
		}
		sent := async(func() error {
			syscall.Read(fds[1], make([]byte, 100))
			for text := big; len(text) > 0; {
				n, err := syscall.Write(fds[1], text)
				if err != nil {
					return err
				}
				text = text[n:]
			}
			return nil
		})
		var s string
		if err := c.Execute(background, "big", nil, &s); err != nil || len(s) != 1<<20 {
			t.Fatal(len(s), err)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		list, ends = append(list, c), append(ends, fds[1])
	}
	m2, g2 := used()
	memory, goroutines := int(m2-m1)/conns, float64(g2-g1)/float64(conns)
	t.Logf("%d idle connections: %d bytes and %.2f goroutines each", conns, memory, goroutines)
	if memory > 16<<10 || goroutines > 2 {
		t.Errorf("%d bytes and %.2f goroutines for an idle connection", memory, goroutines)
	}
	for i, c := range list {
		c.Close()
		syscall.Close(ends[i])
	}
}

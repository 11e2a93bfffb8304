//go:build linux

package main

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// batch is how many calls a side makes in a turn: few, so that there are many turns.
const batch = 32

// compareCalls compares typed calls with bare loops on a connection that has
// negotiated. One caller needs no ids. Several callers need them to distinguish the
// replies: so the loop is run without ids, which is the least work for a server, and with
// ids.
func compareCalls(b *testing.B, client *qapi.Client, conn net.Conn) {
	b.Run("callers=1", func(b *testing.B) {
		t := compare(b, batch, typed(b, client, 1), bare(b, conn, 1))
		b.ReportMetric(t.ratio(0, 1), "typed/bare")
	})
	for _, callers := range []int{8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			t := compare(b, max(batch, 4*callers), typed(b, client, callers), bare(b, conn, callers), bareID(b, conn, callers))
			b.ReportMetric(t.ratio(0, 1), "typed/bare")
			b.ReportMetric(t.ratio(0, 2), "typed/bare-id")
		})
	}
}

// BenchmarkFake compares typed calls with a bare loop, over Unix sockets of the
// fake server.
func BenchmarkFake(b *testing.B) {
	srv := qmptest.Start(b)
	srv.Reply("query-status", qapi.StatusInfo{Status: qapi.RunStateRunning, Running: true})
	monitor := func() net.Conn {
		l := listen(b)
		path := l.Addr().String()
		l.Close()
		_, err := srv.Listen("unix:" + path)
		require.NoError(b, err)
		conn, err := net.Dial("unix", path)
		require.NoError(b, err)
		b.Cleanup(func() { conn.Close() })
		return conn
	}
	plain := monitor()
	negotiate(b, plain)
	client := connect(b, monitor())
	compareCalls(b, client, plain)
}

// monitors starts a QEMU and connects it to us n times.
func monitors(b *testing.B, q qemutest.QEMU, n int) []net.Conn {
	b.Helper()
	var args []string
	var listeners []net.Listener
	for range n - 1 {
		l := listen(b)
		listeners = append(listeners, l)
		args = append(args, "-qmp", "unix:"+l.Addr().String())
	}
	conns := []net.Conn{q.Start(b, "-qmp", args...)}
	for _, l := range listeners {
		conn, err := l.Accept()
		require.NoError(b, err)
		b.Cleanup(func() { conn.Close() })
		conns = append(conns, conn)
	}
	return conns
}

// eachQEMU runs f with each release, everything pinned to one CPU.
func eachQEMU(b *testing.B, f func(b *testing.B, q qemutest.QEMU)) {
	b.Helper()
	found := qemutest.QEMUs(b)
	pin(b)
	for _, q := range found {
		b.Run(cmp.Or(q.Release, filepath.Base(q.Path)), func(b *testing.B) { f(b, q) })
	}
}

// BenchmarkQEMU compares typed calls with a bare loop.
func BenchmarkQEMU(b *testing.B) {
	eachQEMU(b, func(b *testing.B, q qemutest.QEMU) {
		m := monitors(b, q, 2)
		negotiate(b, m[0])
		client := connect(b, m[1])
		compareCalls(b, client, m[0])
	})
}

// BenchmarkC compares typed calls with a loop in C, and the bare loop in Go as well: the
// network poller of Go's runtime has a cost that no package can avoid.
func BenchmarkC(b *testing.B) {
	cc, err := exec.LookPath(cmp.Or(os.Getenv("CC"), "cc"))
	if err != nil {
		b.Skipf("no C compiler: %v", err)
	}
	loop := filepath.Join(b.TempDir(), "loop")
	out, err := exec.Command(cc, "-O2", "-o", loop, "testdata/loop.c").CombinedOutput()
	require.NoError(b, err, "%s", out)
	eachQEMU(b, func(b *testing.B, q qemutest.QEMU) {
		m := monitors(b, q, 3)
		negotiate(b, m[0])
		negotiate(b, m[1])
		inC := startLoop(b, loop, m[0].(*net.UnixConn))
		client := connect(b, m[2])
		b.Run("callers=1", func(b *testing.B) {
			t := compare(b, batch, inC, typed(b, client, 1), bare(b, m[1], 1))
			b.ReportMetric(t.ratio(0, 1), "typed/C-rate")
			b.ReportMetric(t.ratio(0, 2), "bare/C-rate")
		})
	})
}

// startLoop starts the C program on a connection that has negotiated.
func startLoop(b *testing.B, program string, conn *net.UnixConn) side {
	b.Helper()
	f, err := conn.File()
	require.NoError(b, err)
	defer f.Close()
	cmd := exec.Command(program)
	cmd.ExtraFiles = []*os.File{f}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(b, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	return side{"C", func(n int) time.Duration {
		var ns int64
		if _, err := fmt.Fprintln(stdin, n); err != nil {
			b.Fatal(err)
		}
		if _, err := fmt.Fscanln(stdout, &ns); err != nil {
			b.Fatal(err)
		}
		return time.Duration(ns)
	}}
}

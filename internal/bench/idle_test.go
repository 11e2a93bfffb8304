//go:build linux

package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qmp"
)

const (
	idleConns  = 10_000
	idleServer = "BENCH_IDLE_SERVER" // has the test's program be the server, at this path
	idleReply  = 1 << 20
)

// TestMain lets the program be the server of a benchmark, whose memory, files and CPU
// are thus not the clients'.
func TestMain(m *testing.M) {
	qemutest.Netcat()
	if path := os.Getenv(idleServer); path != "" {
		serveIdle(path)
		return
	}
	if dir := os.Getenv(fleetServer); dir != "" {
		serveFleet(dir)
		return
	}
	m.Run()
}

// startServer has this program be the server that a variable says, and waits until it
// listens. stop ends it.
func startServer(b *testing.B, variable, path string) (stop func()) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), variable+"="+path)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(b, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	_, err = stdout.Read(make([]byte, 100))
	require.NoError(b, err)
	return func() {
		stdin.Close()
		_ = cmd.Wait()
	}
}

func serveIdle(path string) {
	l, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	reply := bytes.Join([][]byte{[]byte(`{"return": "`), bytes.Repeat([]byte("x"), idleReply), []byte("\"}\r\n")}, nil)
	go answer(l, reply)
	os.Stdout.WriteString("listening\n")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the client ends
}

// BenchmarkIdle measures what connections cost that do nothing: once they are
// there, and after a reply of 1 MB to each.
func BenchmarkIdle(b *testing.B) {
	var limit syscall.Rlimit
	require.NoError(b, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if limit.Max < idleConns+100 {
		b.Skipf("%d connections need as many files: the limit is %d", idleConns, limit.Max)
	}
	dir, err := os.MkdirTemp("", "bench")
	require.NoError(b, err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	defer startServer(b, idleServer, path)()

	for range b.N {
		b.StopTimer()
		idle(b, "unix:"+path)
	}
	b.ReportMetric(0, "ns/op")
}

func idle(b *testing.B, addr string) {
	ctx := context.Background()
	used := func() (bytes, goroutines float64) {
		return memory(), float64(runtime.NumGoroutine())
	}
	m0, g0 := used()
	conns := make([]*qmp.Conn, idleConns)
	for i := range conns {
		var err error
		conns[i], err = qmp.Dial(ctx, addr)
		require.NoError(b, err)
		defer conns[i].Close()
	}
	m1, g1 := used()
	b.ReportMetric((m1-m0)/idleConns, "B/conn")
	b.ReportMetric((g1-g0)/idleConns, "goroutines/conn")
	want := strings.Repeat("x", idleReply)
	for _, c := range conns {
		var s string
		require.NoError(b, c.Execute(ctx, "big", nil, &s))
		if s != want {
			b.Fatal("the reply is another")
		}
	}
	m2, g2 := used()
	b.ReportMetric((m2-m0)/idleConns, "B/conn-later")
	b.ReportMetric((g2-g0)/idleConns, "goroutines/conn-later")
}

//go:build linux

package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
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

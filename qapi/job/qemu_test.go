package job_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/cut"
	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/job"
	"github.com/goqapi/goqapi/qmp"
)

// A real QEMU, with a second monitor that can be connected to again.
type realQEMU struct {
	c    *qapi.Client
	dial func(context.Context) (io.ReadWriteCloser, error)
	pid  int
}

func startQEMU(t *testing.T, q qemutest.QEMU, args ...string) realQEMU {
	t.Helper()
	dir, err := os.MkdirTemp("", "job") // t.TempDir can be too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	monitor, pidfile := filepath.Join(dir, "m"), filepath.Join(dir, "pid")
	args = append(args, "-pidfile", pidfile, "-qmp", "unix:"+monitor+",server=on,wait=off")
	conn, err := qmp.NewConn(t.Context(), q.Start(t, "-qmp", args...))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	text, err := os.ReadFile(pidfile)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	return realQEMU{qapi.NewClient(conn), func(ctx context.Context) (io.ReadWriteCloser, error) {
		return new(net.Dialer).DialContext(ctx, "unix", monitor)
	}, pid}
}

func TestQEMUOperationsWhoseConnectionIsCut(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		real := startQEMU(t, q)
		cutter := cut.New(real.dial)
		c := reconnecting(t, cutter)
		for _, op := range operations {
			cutEverywhere(t, c, cutter, op)
		}
	})
}

// With each message QEMU is killed: the call returns at once, says what has happened,
// and leaves nothing here.
func TestQEMUOperationsWhoseQEMUIsKilled(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		for _, op := range operations {
			for n, reached := 1, true; reached; n++ {
				dir := t.TempDir()
				real := startQEMU(t, q)
				cutter := cut.New(real.dial)
				op.prep(t, real.c, dir)
				before := runtime.NumGoroutine()
				conn, err := qmp.DialFunc(t.Context(), cutter.Dial)
				require.NoError(t, err)
				cutter.Before(n, func() {
					p, err := os.FindProcess(real.pid)
					if err == nil {
						err = p.Kill()
					}
					assert.NoError(t, err)
				})
				start := time.Now()
				err = op.run(t.Context(), qapi.NewClient(conn), dir)
				assert.Less(t, time.Since(start), 5*time.Second)
				if reached = cutter.Reached(); reached {
					assert.ErrorIs(t, err, qmp.ErrClosed, "killed at message %d", n)
				} else {
					assert.NoError(t, err)
				}
				conn.Close()
				noMoreGoroutines(t, before)
			}
		}
	})
}

// noMoreGoroutines waits until there are no more than before.
func noMoreGoroutines(t *testing.T, before int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	assert.NoError(t, poll.Until(ctx, func(context.Context) (bool, error) {
		return runtime.NumGoroutine() <= before, nil
	}), "goroutines were left")
}

var _ = job.Backup

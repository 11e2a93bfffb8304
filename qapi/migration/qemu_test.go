package migration_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/migration"
	"github.com/goqapi/goqapi/qmp"
)

// A machine is a real QEMU.
type machine struct {
	*qapi.Client

	dir string
	pid int
}

// startQEMU starts a QEMU with a guest that changes its memory all the time, or, with -incoming, one
// that such a guest can be migrated to.
func startQEMU(t *testing.T, q qemutest.QEMU, args ...string) machine {
	t.Helper()
	dir, err := os.MkdirTemp("", "migration")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	pidfile := filepath.Join(dir, "pid")
	args = append([]string{"-machine", "pc,accel=tcg", "-m", "64", "-bios", qemutest.BusyGuest(t), "-pidfile", pidfile}, args...)
	conn, err := qmp.NewConn(t.Context(), q.Start(t, "-qmp", args...))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	text, err := os.ReadFile(pidfile)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	return machine{qapi.NewClient(conn), dir, pid}
}

func (m machine) kill(t *testing.T) {
	t.Helper()
	process, err := os.FindProcess(m.pid)
	require.NoError(t, err)
	require.NoError(t, process.Kill())
}

func (m machine) state(t *testing.T) qapi.RunState {
	t.Helper()
	now, err := m.QueryStatus(t.Context())
	require.NoError(t, err)
	return now.Status
}

// pair starts two QEMUs, the first of which runs.
func pair(t *testing.T, q qemutest.QEMU) (from, to machine) {
	t.Helper()
	from, to = startQEMU(t, q), startQEMU(t, q, "-incoming", "defer")
	require.NoError(t, from.Cont(t.Context()))
	return from, to
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// slow makes a migration take tens of seconds.
var slow = migration.Parameters(qapi.MigrationParameters{MaxBandwidth: new(uint64(1 << 20))})

// quick makes a migration end even on a machine that is slower than the guest.
var quick = migration.Parameters(qapi.MigrationParameters{DowntimeLimit: new(uint64(5000))})

// When Run has returned, cont works at once: tried 300 times in all with QAPI_LONG, otherwise a few
// times.
func TestQEMURunThenCont(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		times := 3
		if os.Getenv("QAPI_LONG") != "" {
			times = 75
		}
		for range times {
			runThenCont(t, q)
		}
	})
}

func runThenCont(t *testing.T, q qemutest.QEMU) {
	t.Helper()
	from, to := pair(t, q)
	in, err := migration.Incoming(soon(t), to.Client, migration.Unix(filepath.Join(from.dir, "m")))
	require.NoError(t, err)
	stats, err := migration.Run(soon(t), from.Client, in.Address(), quick)
	require.NoError(t, err)
	require.NoError(t, from.Cont(t.Context()), "at once")
	assert.Positive(t, stats.Time)
	assert.Positive(t, stats.Transferred)
	state, err := in.Wait(soon(t))
	require.NoError(t, err)
	require.NoError(t, to.Cont(t.Context()), "at once")
	assert.Equal(t, qapi.RunStatePaused, state, "it was started with -S")
	from.kill(t)
	to.kill(t)
}

func TestQEMUMove(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		for name, at := range map[string]migration.Address{
			"unix": migration.Unix(filepath.Join(t.TempDir(), "m")),
			"tcp":  migration.TCP("127.0.0.1", 0),
			"any":  migration.TCP("0.0.0.0", 0),
		} {
			t.Run(name, func(t *testing.T) {
				from, to := pair(t, q)
				var seen []migration.Progress
				stats, err := migration.Move(soon(t), from.Client, to.Client, at, quick, migration.Host("127.0.0.1"),
					migration.OnProgress(func(p migration.Progress) { seen = append(seen, p) }))
				require.NoError(t, err)
				assert.Equal(t, qapi.RunStatePostmigrate, from.state(t))
				assert.Equal(t, qapi.RunStateRunning, to.state(t))
				assert.Equal(t, qapi.MigrationStatusCompleted, seen[len(seen)-1].Status)
				assert.InDelta(t, 100, seen[len(seen)-1].Percent, 0)
				t.Log(stats.Time, stats.Downtime, stats.Passes, len(seen))
			})
		}
	})
}

func TestQEMUExample(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		dir, err := os.MkdirTemp("", "example")
		require.NoError(t, err)
		t.Cleanup(func() { os.RemoveAll(dir) })
		monitor := func(name string) string { return "unix:" + filepath.Join(dir, name) }
		from := startQEMU(t, q, "-qmp", monitor("from")+",server=on,wait=off")
		to := startQEMU(t, q, "-qmp", monitor("to")+",server=on,wait=off", "-incoming", "defer")
		require.NoError(t, from.Cont(t.Context()))
		require.NoError(t, from.MigrateSetParameters(t.Context(), qapi.MigrationParameters{DowntimeLimit: new(uint64(5000))}))
		var out strings.Builder
		state, err := move(t.Context(), &out, monitor("from"), monitor("to"), migration.Unix(filepath.Join(dir, "m")))
		require.NoError(t, err)
		assert.Equal(t, qapi.RunStateRunning, state)
		assert.Contains(t, out.String(), "\rcompleted, pass ")
		assert.Contains(t, out.String(), ": 100 %")
		assert.Equal(t, qapi.RunStateRunning, to.state(t))
		ended(t, from)
	})
}

package target

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// fixed is a finder that always finds the same machines.
type fixed []Machine

func (f fixed) Find(context.Context) ([]Machine, error) { return f, nil }

func TestDial(t *testing.T) {
	srv := qmptest.Start(t)
	address, err := srv.Listen("unix:" + filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	machines, err := Resolve(t.Context(), fixed{}, address)
	require.NoError(t, err)
	c, err := machines[0].Dial(t.Context())
	require.NoError(t, err)
	_, err = c.QueryStatus(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

func TestDialErrors(t *testing.T) {
	dir, err := os.MkdirTemp("", "dial") // t.TempDir can be too long for a socket
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	silent, err := net.Listen("unix", filepath.Join(dir, "s"))
	require.NoError(t, err)
	defer silent.Close()
	address := "unix:" + silent.Addr().String()

	for want, m := range map[string]Machine{
		"connect to a: its monitor is busy: it serves one client at a time, and another one has been connected for 1s": {Name: "a", Address: address, Clients: 1},
		"connect to b: libvirt holds its monitor: use libvirt:NAME":                                                    {Name: "b", Address: address, Libvirt: true, Clients: 1},
		"connect to c: it has no QMP monitor that can be reached: start QEMU with -qmp unix:PATH,server=on,wait=off":   {Name: "c"},
	} {
		_, err := m.Dial(t.Context())
		assert.EqualError(t, err, want)
		assert.ErrorAs(t, err, new(*ConnectError))
	}
	_, err = Machine{Name: "d", Address: "unix:/none"}.Dial(t.Context())
	assert.ErrorContains(t, err, "connect to d: ")
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = Machine{Name: "e"}.DialAgent(t.Context())
	assert.ErrorIs(t, err, ErrNoAgent)

	// The caller's own time limit gives another error.
	ctx, cancel := context.WithTimeout(t.Context(), 1)
	defer cancel()
	_, err = Machine{Name: "f", Address: address, Clients: 1}.Dial(ctx)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

// lateTimer is a context whose deadline passes before its timer fires.
type lateTimer struct{ context.Context }

func (lateTimer) Deadline() (time.Time, bool) { return time.Now().Add(-1), true }

func TestEnded(t *testing.T) {
	assert.NoError(t, ended(t.Context()))
	assert.ErrorIs(t, ended(lateTimer{t.Context()}), context.DeadlineExceeded)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, ended(lateTimer{ctx}), context.Canceled)
}

// TestQEMUFind finds real QEMUs, free and busy, with a monitor that they opened or inherited.
func TestQEMUFind(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		name := "find-" + q.Release
		r := q.Run(t, "-name", name, "-S", "-nodefaults", "-display", "none", "-machine", "none")
		machines, err := Resolve(t.Context(), Local(), name)
		require.NoError(t, err)
		require.Len(t, machines, 1)
		m := machines[0]
		assert.Equal(t, r.Addr(), m.Address)
		assert.Zero(t, m.Clients)
		assert.Contains(t, m.Program, "qemu-system-")

		c, err := m.Dial(t.Context())
		require.NoError(t, err)
		defer c.Close()
		_, err = c.QueryStatus(t.Context()) // after its reply QEMU has accepted us
		require.NoError(t, err)
		machines, err = Resolve(t.Context(), Local(), m.Address)
		require.NoError(t, err)
		require.Equal(t, 1, machines[0].Clients)
		_, err = machines[0].Dial(t.Context())
		require.ErrorContains(t, err, "its monitor is busy")
	})
}

func BenchmarkFind(b *testing.B) {
	for b.Loop() {
		if _, err := Local().Find(b.Context()); err != nil {
			b.Skip(err)
		}
	}
}

package migration_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/cut"
	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/migration"
)

// The connection to either side is lost at each message, in each way: the machine arrives
// nevertheless. Without QAPI_LONG only every 17th of these is tried.
func TestQEMUMoveWithLostConnections(t *testing.T) {
	step := 17
	if os.Getenv("QAPI_LONG") != "" {
		step = 1
	}
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		offset := 0
		for side, name := range []string{"source", "destination"} {
			for _, how := range ways {
				offset++
				for n, reached := 1+offset%step, true; reached && !t.Failed(); n += step {
					t.Run(fmt.Sprintf("%s/%s/%d", name, how, n), func(t *testing.T) {
						m := cuttable(t, q, side)
						m.cutter.At(n, how)
						_, err := migration.Move(soon(t), m.clients[0], m.clients[1], m.at, quick)
						require.NoError(t, err)
						assert.Equal(t, qapi.RunStatePostmigrate, m.sides[0].state(t))
						assert.Equal(t, qapi.RunStateRunning, m.sides[1].state(t))
						reached = m.cutter.Reached()
					})
				}
			}
		}
	})
}

// Either side is killed before each message to it: the error comes within the limit, and the other
// side is in the state that the error names. Without QAPI_LONG only every 19th of these is tried.
func TestQEMUMoveAndKill(t *testing.T) {
	step := 19
	if os.Getenv("QAPI_LONG") != "" {
		step = 1
	}
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		for side, name := range []string{"source", "destination"} {
			for n, reached := 1+side, true; reached && !t.Failed(); n += step {
				t.Run(fmt.Sprintf("%s/%d", name, n), func(t *testing.T) {
					m := cuttable(t, q, side)
					ctx, cancel := context.WithCancel(soon(t))
					defer cancel()
					begin := time.Now()
					m.cutter.Before(n, func() {
						m.sides[side].kill(t)
						begin = time.Now()
						time.AfterFunc(time.Second, cancel) // until then, a client that reconnects waits
					})
					_, err := migration.Move(ctx, m.clients[0], m.clients[1], m.at, quick, migration.Limit(time.Second))
					if reached = m.cutter.Reached(); !reached {
						require.NoError(t, err)
						return
					}
					t.Log(err)
					assert.Less(t, time.Since(begin), 30*time.Second)
					m.afterKill(t, side, err)
				})
			}
		}
	})
}

// afterKill checks the side that was not killed.
func (m cuttablePair) afterKill(t *testing.T, side int, err error) {
	t.Helper()
	other := m.sides[1-side]
	switch {
	case side == 1: // the guest is safe, unless it had moved
		if other.state(t) != qapi.RunStateRunning {
			assert.Equal(t, qapi.RunStatePostmigrate, other.state(t))
			assert.ErrorContains(t, err, "may run")
		}
	case err == nil: // only the commands after the end of the migration were lost
		assert.Equal(t, qapi.RunStateRunning, other.state(t))
	case other.Conn().Err() == nil: // the destination has not been ended, so it may have the machine
		status, err2 := other.QueryStatus(t.Context())
		if err2 == nil && status.Status != qapi.RunStateInmigrate {
			assert.Equal(t, qapi.RunStatePaused, status.Status)
			assert.ErrorContains(t, err, "does not run")
		}
	}
}

// A cuttablePair is two QEMUs, the connection to one of which can be cut.
type cuttablePair struct {
	sides   [2]machine
	clients [2]*qapi.Client
	cutter  *cut.Cutter
	at      migration.Address
}

func cuttable(t *testing.T, q qemutest.QEMU, side int) cuttablePair {
	t.Helper()
	dir, err := os.MkdirTemp("", "cut")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "qmp")
	m := cuttablePair{at: migration.Unix(filepath.Join(dir, "m"))}
	for i := range m.sides {
		var args []string
		if i == 1 {
			args = []string{"-incoming", "defer"}
		}
		if i == side {
			args = append(args, "-qmp", "unix:"+socket+",server=on,wait=off")
		}
		m.sides[i] = startQEMU(t, q, args...)
		m.clients[i] = m.sides[i].Client
	}
	require.NoError(t, m.sides[0].Cont(t.Context()))
	m.cutter = cut.New(func(ctx context.Context) (io.ReadWriteCloser, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	})
	m.clients[side] = dialCut(t, m.cutter)
	return m
}

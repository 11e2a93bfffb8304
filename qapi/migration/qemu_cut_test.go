package migration_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/migration"
)

// The connection to either side is lost at each message, in each way: the machine arrives all the same. Without
// QAPI_LONG only every 17th of these is tried.
func TestQEMUMoveWithLostConnections(t *testing.T) {
	step := int32(17)
	if os.Getenv("QAPI_LONG") != "" {
		step = 1
	}
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		offset := int32(0)
		for side, name := range []string{"source", "destination"} {
			for _, how := range ways {
				offset++
				for at := 1 + offset%step; ; at += step {
					reached := true
					t.Run(fmt.Sprintf("%s/%s/%d", name, how, at), func(t *testing.T) {
						reached = moveWithCut(t, q, side, &cut{at: at, how: how})
					})
					if !reached || t.Failed() {
						break
					}
				}
			}
		}
	})
}

// moveWithCut reports whether the cut was reached.
func moveWithCut(t *testing.T, q qemutest.QEMU, side int, c *cut) bool {
	dir, err := os.MkdirTemp("", "cut")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "qmp")
	sides := [2]machine{}
	for i := range sides {
		var args []string
		if i == 1 {
			args = []string{"-incoming", "defer"}
		}
		if i == side {
			args = append(args, "-qmp", "unix:"+socket+",server,nowait")
		}
		sides[i] = startQEMU(t, q, args...)
	}
	require.NoError(t, sides[0].Cont(t.Context()))
	clients := [2]*qapi.Client{sides[0].Client, sides[1].Client}
	clients[side] = dialCut(t, c, func() (net.Conn, error) { return net.Dial("unix", socket) })
	_, err = migration.Move(soon(t), clients[0], clients[1], migration.Unix(filepath.Join(dir, "m")), quick)
	require.NoError(t, err)
	assert.Equal(t, qapi.RunStatePostmigrate, sides[0].state(t))
	assert.Equal(t, qapi.RunStateRunning, sides[1].state(t))
	return c.count.Load() >= c.at
}

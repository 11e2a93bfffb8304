package disk_test

import (
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// The examples that are shown whole, on real QEMUs.
func TestQEMUExamples(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		dir := t.TempDir()
		path := func(name string) string { return filepath.Join(dir, name) }
		vm := q.Run(t, "-machine", "pc")
		conn, err := qmp.NewConn(t.Context(), vm.Monitor)
		require.NoError(t, err)
		defer conn.Close()
		c := qapi.NewClient(conn)
		twoDisks(t, c, dir)
		require.NoError(t, c.DeviceAdd(t.Context(), qapi.DeviceAddArgs{
			Driver: "virtio-blk-pci", Props: map[string]any{"drive": "disk0"},
		}))
		write(t, c, "disk0", 1, 0)

		folder := t.TempDir()
		require.NoError(t, backUp(t.Context(), vm.Addr(), folder))
		qemuImg(t, q, "compare", "-U", path("disk0.qcow2"), filepath.Join(folder, "disk0.qcow2"))

		copies := chain{c: c, node: "disk0", bitmap: "b", folder: dir}
		for i, name := range []string{"monday", "tuesday"} {
			write(t, c, "disk0", byte(i+2), i<<16)
			require.NoError(t, copies.add(t.Context(), name))
			qemuImg(t, q, "compare", "-U", path("disk0.qcow2"), path(name+".qcow2"))
		}

		require.NoError(t, withSnapshot(t.Context(), c, dir, [2]string{"disk0", "disk1"}, func() error {
			qemuImg(t, q, "convert", "-U", "-O", "raw", path("disk0.qcow2"), path("copy"))
			return nil
		}))
		require.NoError(t, printGraph(t.Context(), c, io.Discard))
		require.NoError(t, printRates(t.Context(), c, time.Millisecond, 3, io.Discard))
		drives, err := c.QueryBlock(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "disk0", drives[0].Inserted.NodeName)
	})
}

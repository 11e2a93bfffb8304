package hotplug_test

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

var releases = []string{"5.2", "7.2", "10.0", "11.1"}

// fake returns a machine with places for three more processors and memory modules, and a client
// that reconnects.
func fake(t *testing.T, opts ...qmptest.Option) (*qmptest.Server, *qapi.Client) {
	t.Helper()
	srv := qmptest.Start(t, append([]qmptest.Option{qmptest.CPUs(4), qmptest.MemorySlots(3)}, opts...)...)
	conn, err := qmp.DialFunc(t.Context(), func(context.Context) (io.ReadWriteCloser, error) { return srv.Pipe(), nil },
		qmp.WithReconnect(qmp.Reconnect{}))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return srv, qapi.NewClient(conn)
}

// nullDisk is a block node without data.
func nullDisk(name string) qapi.BlockdevOptions {
	return qapi.BlockdevOptions{NodeName: &name, Driver: qapi.BlockdevOptionsNullCo{Size: new(int64(1 << 20)), ReadZeroes: new(true)}}
}

// rawOverN is a node above the one named n.
func rawOverN(name string) qapi.BlockdevOptions {
	return qapi.BlockdevOptions{NodeName: &name, Driver: qapi.BlockdevOptionsRaw{File: qapi.Str("n")}}
}

func hub(id string) qapi.Netdev { return qapi.Netdev{ID: id, Type: qapi.NetdevHubport{}} }

func ram(id string, size uint64) qapi.ObjectOptions {
	return qapi.ObjectOptions{ID: id, QOMType: qapi.ObjectOptionsMemoryBackendRAM{Size: size}}
}

// names returns the names of the children of an object in the tree of objects.
func names(t *testing.T, c *qapi.Client, path string) []string {
	t.Helper()
	list, err := c.QOMList(context.WithoutCancel(t.Context()), qapi.QOMListArgs{Path: path})
	require.NoError(t, err)
	all := []string{}
	for _, p := range list {
		if len(p.Type) > 6 && p.Type[:6] == "child<" {
			all = append(all, p.Name)
		}
	}
	return all
}

// devices returns the ids of the devices that were plugged in after the start.
func devices(t *testing.T, c *qapi.Client) []string {
	t.Helper()
	all := []string{}
	for _, name := range names(t, c, "/machine/peripheral") {
		if name != "scsi0" && name != "cd0" && name != "rp0" && name != "rp1" && name != "balloon" {
			all = append(all, name)
		}
	}
	return all
}

func nodes(t *testing.T, c *qapi.Client) []string {
	t.Helper()
	list, err := c.QueryNamedBlockNodes(context.WithoutCancel(t.Context()), qapi.QueryNamedBlockNodesArgs{Flat: new(true)})
	require.NoError(t, err)
	all := []string{}
	for _, n := range list {
		all = append(all, n.NodeName)
	}
	return all
}

func objects(t *testing.T, c *qapi.Client) []string {
	t.Helper()
	all := []string{}
	for _, name := range names(t, c, "/objects") {
		if name != "pc.ram" && name != "vms" && name != "compat_monitor0" {
			all = append(all, name)
		}
	}
	return all
}

// noNetdev checks that there is no netdev with an id: only an attempt to remove it shows that.
func noNetdev(t *testing.T, c *qapi.Client, id string) {
	t.Helper()
	err := c.NetdevDel(t.Context(), qapi.NetdevDelArgs{ID: id})
	assert.True(t, qapi.IsNotFound(err), "netdev %s: %v", id, err)
}

func cpus(t *testing.T, c *qapi.Client) int {
	t.Helper()
	list, err := c.QueryCPUsFast(t.Context())
	require.NoError(t, err)
	return len(list)
}

// plugSCSI plugs in a SCSI disk, which can be unplugged without the guest.
func plugSCSI(t *testing.T, c *qapi.Client) {
	t.Helper()
	require.NoError(t, c.BlockdevAdd(t.Context(), nullDisk("n")))
	require.NoError(t, c.DeviceAdd(t.Context(), device.SCSIHD{ID: "sd", Drive: "n"}))
}

// plugBlk plugs in a virtio disk, which the guest has to release.
func plugBlk(t *testing.T, c *qapi.Client) {
	t.Helper()
	require.NoError(t, c.BlockdevAdd(t.Context(), nullDisk("n")))
	require.NoError(t, c.DeviceAdd(t.Context(), device.VirtioBlkPCI{ID: "vd", Drive: "n"}))
}

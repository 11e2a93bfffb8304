package disk_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/disk"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// TestForeignNode names an overlay as a node that somebody else has made: that is an error, and
// rolling back does not remove the node.
func TestForeignNode(t *testing.T) {
	conn, err := qmptest.Start(t).Dial(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	c, dir := qapi.NewClient(conn), t.TempDir()
	twoDisks(t, c, dir)
	require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{NodeName: new("theirs"), Driver: qapi.BlockdevOptionsNullCo{}}))
	_, err = disk.Snapshot(t.Context(), c, []disk.Overlay{
		{Node: "disk0", Path: filepath.Join(dir, "a.qcow2"), Name: "ours"},
		{Node: "disk1", Path: filepath.Join(dir, "b.qcow2"), Name: "theirs"},
	})
	require.ErrorContains(t, err, `there is a block node "theirs" already`)
	nodes, err := c.QueryNamedBlockNodes(t.Context())
	require.NoError(t, err)
	var names []string
	for _, n := range nodes {
		names = append(names, n.NodeName)
	}
	assert.Contains(t, names, "theirs")
	assert.NotContains(t, names, "ours")
}

// TestNothing asks for nothing, which is not an error.
func TestNothing(t *testing.T) {
	conn, err := qmptest.Start(t).Dial(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	names, err := disk.Snapshot(t.Context(), qapi.NewClient(conn), nil)
	require.NoError(t, err)
	assert.Empty(t, names)
}

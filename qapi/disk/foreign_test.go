package disk_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/disk"
	"github.com/goqapi/goqapi/qmp"
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
	require.ErrorContains(t, err, `there is already a block node "theirs"`)
	nodes, err := c.QueryNamedBlockNodes(t.Context())
	require.NoError(t, err)
	var names []string
	for _, n := range nodes {
		names = append(names, n.NodeName)
	}
	assert.Contains(t, names, "theirs")
	assert.NotContains(t, names, "ours")
}

// TestNothing makes calls without disks: they are not errors, and send nothing.
func TestNothing(t *testing.T) {
	srv := qmptest.Start(t)
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	names, err := disk.Snapshot(t.Context(), qapi.NewClient(conn), nil)
	require.NoError(t, err)
	assert.Empty(t, names)
	assert.Zero(t, srv.Count("transaction"))
}

// An error does not say that a file is left if the file was not created.
func TestFilesThatMayBeThere(t *testing.T) {
	srv := qmptest.Start(t)
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	c := qapi.NewClient(conn)
	twoDisks(t, c, "/vm")
	srv.Fail("blockdev-create", qmp.ClassGenericError, "no")
	err = disk.Backup(t.Context(), c, []disk.Copy{{Node: "disk0", To: disk.File{Path: "/copy"}}})
	assert.ErrorContains(t, err, "left behind: the file /copy, if it was created (QEMU cannot remove files)")
	_, err = disk.Snapshot(t.Context(), c, []disk.Overlay{{Node: "disk0", Path: "/overlay"}})
	assert.ErrorContains(t, err, "left behind: the file /overlay, if it was created (QEMU cannot remove files)")
}

// A commit that names a file does not say which block node is to be removed.
func TestCommitOfAFile(t *testing.T) {
	//lint:ignore SA1019 the test checks that it is refused
	err := disk.Commit(t.Context(), nil, qapi.BlockCommitArgs{Device: "disk0", Top: new("/vm/overlay")}) //nolint:staticcheck // see above
	assert.EqualError(t, err, "disk: commit: Top names a file, not the block node to remove: set TopNode")
}

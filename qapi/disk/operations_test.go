package disk_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/cut"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/disk"
	"github.com/goqapi/goqapi/qapi/job"
)

const size = 4 << 20

// An operation is a call of this package, which the tests disturb.
type operation struct {
	cut.Try

	left   []string // what exists afterwards in addition to the disks
	undone []string // the same after a failure
}

var operations = []operation{
	{
		left: []string{"bitmap m of disk0", "bitmap m of disk1"},
		Try: cut.Try{Name: "backup", Prep: twoDisks, Run: func(ctx context.Context, c *qapi.Client, dir string) error {
			return disk.Backup(ctx, c, []disk.Copy{
				{Node: "disk0", Bitmap: "m", Persistent: true, To: disk.File{Path: filepath.Join(dir, "full0.qcow2")}},
				{Node: "disk1", Bitmap: "m", To: disk.File{Path: filepath.Join(dir, "full1.raw"), Format: qapi.BlockdevDriverRaw}},
			})
		}},
	},
	{
		left: []string{"bitmap m of disk0", "bitmap m of disk1"}, undone: []string{"bitmap m of disk0", "bitmap m of disk1"},
		Try: cut.Try{Name: "increment", Prep: func(t *testing.T, c *qapi.Client, dir string) {
			twoDisks(t, c, dir)
			for _, node := range []string{"disk0", "disk1"} {
				require.NoError(t, c.BlockDirtyBitmapAdd(t.Context(), qapi.BlockDirtyBitmapAdd{Node: node, Name: "m"}))
			}
		},
			Run: func(ctx context.Context, c *qapi.Client, dir string) error {
				return disk.Increment(ctx, c, []disk.Copy{
					{Node: "disk0", Bitmap: "m", To: disk.File{Path: filepath.Join(dir, "inc0.qcow2"), Backing: "disk0.qcow2"}},
					{Node: "disk1", Bitmap: "m", To: disk.File{Path: filepath.Join(dir, "inc1.qcow2")}},
				})
			}},
	},
	{
		left: []string{"node overlay0", "node overlay1"},
		Try: cut.Try{Name: "snapshot", Prep: twoDisks, Run: func(ctx context.Context, c *qapi.Client, dir string) error {
			_, err := disk.Snapshot(ctx, c, []disk.Overlay{
				{Node: "disk0", Path: filepath.Join(dir, "overlay0.qcow2"), Name: "overlay0"},
				{Node: "disk1", Path: filepath.Join(dir, "overlay1.qcow2"), Name: "overlay1"},
			})
			return err
		}},
	},
	{
		undone: []string{"node overlay0"},
		Try: cut.Try{Name: "commit", Prep: func(t *testing.T, c *qapi.Client, dir string) {
			twoDisks(t, c, dir)
			_, err := disk.Snapshot(t.Context(), c, []disk.Overlay{{Node: "disk0", Path: filepath.Join(dir, "o.qcow2"), Name: "overlay0"}})
			require.NoError(t, err)
		},
			Run: func(ctx context.Context, c *qapi.Client, _ string) error {
				return disk.Commit(ctx, c, qapi.BlockCommitArgs{Device: "overlay0", BaseNode: new("disk0")})
			}},
	},
}

// twoDisks adds disk0 and disk1, which are empty.
func twoDisks(t *testing.T, c *qapi.Client, dir string) {
	t.Helper()
	for _, name := range []string{"disk0", "disk1"} {
		addDisk(t, c, name, filepath.Join(dir, name+".qcow2"))
	}
}

func addDisk(t *testing.T, c *qapi.Client, name, path string) {
	t.Helper()
	file := createDisk(t, c, path)
	require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{NodeName: &name, Driver: qapi.BlockdevOptionsQcow2{File: file}}))
}

// createDisk makes a file with a disk.
func createDisk(t *testing.T, c *qapi.Client, path string) qapi.BlockdevRef {
	t.Helper()
	file := qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: path}}
	for _, driver := range []qapi.BlockdevCreateOptionsVariant{
		qapi.BlockdevCreateOptionsFile{Filename: path},
		qapi.BlockdevCreateOptionsQcow2{File: file, Size: size},
	} {
		_, err := job.Create(t.Context(), c, qapi.BlockdevCreateOptions{Driver: driver})
		require.NoError(t, err)
	}
	return file
}

// others returns what exists in addition to the disks, and removes it.
func others(t *testing.T, c *qapi.Client) (left []string) {
	t.Helper()
	ctx := t.Context()
	jobs, err := c.QueryJobs(ctx)
	require.NoError(t, err)
	for _, j := range jobs {
		left = append(left, fmt.Sprint("job ", j))
	}
	for found := true; found; {
		found = false
		list, err := c.QueryNamedBlockNodes(ctx)
		require.NoError(t, err)
		for _, n := range list {
			if len(left) < 20 && n.NodeName[0] != '#' && !slices.Contains(left, "node "+n.NodeName) {
				left = append(left, "node "+n.NodeName)
				for _, b := range n.DirtyBitmaps {
					left = append(left, fmt.Sprintf("bitmap %s of %s", *b.Name, n.NodeName))
				}
			}
			if c.BlockdevDel(ctx, qapi.BlockdevDelArgs{NodeName: n.NodeName}) == nil {
				found = true
			}
		}
	}
	left = slices.DeleteFunc(left, func(s string) bool { return s == "node disk0" || s == "node disk1" })
	slices.Sort(left)
	return left
}

package job_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/cut"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/job"
)

const size = 16 << 20

// An operation is a call of this package, which the tests disturb.
type operation struct {
	cut.Try

	nodes []string // the block nodes that it needs
}

var operations = []operation{
	{
		nodes: []string{"b", "a"}, Try: cut.Try{Name: "backup", Prep: nullNodes,
			Run: func(ctx context.Context, c *qapi.Client, _ string) error {
				_, err := job.Backup(ctx, c, qapi.BlockdevBackup{Device: "a", Target: "b", Sync: qapi.MirrorSyncModeFull})
				return err
			}},
	},
	{
		nodes: []string{"b", "a"}, Try: cut.Try{Name: "mirror", Prep: nullNodes,
			Run: func(ctx context.Context, c *qapi.Client, _ string) error {
				_, err := job.Mirror(ctx, c, qapi.BlockdevMirrorArgs{Device: "a", Target: "b", Sync: qapi.MirrorSyncModeFull})
				return err
			}},
	},
	{
		nodes: []string{"b", "a"}, Try: cut.Try{Name: "mirror that stays", Prep: nullNodes,
			Run: func(ctx context.Context, c *qapi.Client, _ string) error {
				_, err := job.Mirror(ctx, c, qapi.BlockdevMirrorArgs{
					JobID: new("m"), Device: "a", Target: "b", Sync: qapi.MirrorSyncModeFull,
				}, job.StayOnSource())
				return err
			}},
	},
	{
		Try: cut.Try{Name: "create", Prep: func(*testing.T, *qapi.Client, string) {},
			Run: func(ctx context.Context, c *qapi.Client, dir string) error {
				_, err := job.Create(ctx, c, qapi.BlockdevCreateOptions{
					Driver: qapi.BlockdevCreateOptionsFile{Filename: filepath.Join(dir, "new.img"), Size: size},
				})
				return err
			}},
	},
	{
		nodes: []string{"overlay", "base"}, Try: cut.Try{Name: "commit", Prep: overlayNodes,
			Run: func(ctx context.Context, c *qapi.Client, _ string) error {
				_, err := job.Commit(ctx, c, qapi.BlockCommitArgs{Device: "overlay", BaseNode: new("base")})
				return err
			}},
	},
	{
		nodes: []string{"overlay", "base"}, Try: cut.Try{Name: "stream", Prep: overlayNodes,
			Run: func(ctx context.Context, c *qapi.Client, _ string) error {
				_, err := job.Stream(ctx, c, qapi.BlockStreamArgs{Device: "overlay"})
				return err
			}},
	},
	{
		nodes: []string{"b1", "a1", "b", "a"}, Try: cut.Try{Name: "transaction",
			Prep: func(t *testing.T, c *qapi.Client, dir string) {
				nullNodes(t, c, dir)
				addNodes(t, c, size, "a1", "b1")
			},
			Run: func(ctx context.Context, c *qapi.Client, _ string) error {
				_, err := job.Transaction(ctx, c, qapi.TransactionArgs{Actions: []qapi.TransactionAction{
					{Type: qapi.TransactionActionBlockdevBackup{Device: "a", Target: "b", Sync: qapi.MirrorSyncModeFull}},
					{Type: qapi.TransactionActionBlockdevBackup{Device: "a1", Target: "b1", Sync: qapi.MirrorSyncModeFull}},
				}})
				return err
			}},
	},
}

// addNodes adds block nodes without data.
func addNodes(t *testing.T, c *qapi.Client, size int64, names ...string) {
	t.Helper()
	for _, name := range names {
		require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{
			NodeName: &name, Driver: qapi.BlockdevOptionsNullCo{Size: &size, ReadZeroes: new(true)},
		}))
	}
}

func nullNodes(t *testing.T, c *qapi.Client, _ string) { addNodes(t, c, size, "a", "b") }

// overlayNodes adds an image and an overlay above it.
func overlayNodes(t *testing.T, c *qapi.Client, dir string) {
	addImage(t, c, filepath.Join(dir, "base.qcow2"), "base", nil)
	addImage(t, c, filepath.Join(dir, "overlay.qcow2"), "overlay", qapi.Str("base"))
}

func addImage(t *testing.T, c *qapi.Client, path, name string, backing qapi.BlockdevRefOrNull) {
	t.Helper()
	ctx := t.Context()
	file := qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: path}}
	create := func(options qapi.BlockdevCreateOptions) {
		_, err := job.Create(ctx, c, options)
		require.NoError(t, err)
	}
	create(qapi.BlockdevCreateOptions{Driver: qapi.BlockdevCreateOptionsFile{Filename: path, Size: 0}})
	create(qapi.BlockdevCreateOptions{Driver: qapi.BlockdevCreateOptionsQcow2{File: file, Size: size}})
	require.NoError(t, c.BlockdevAdd(ctx, qapi.BlockdevOptions{
		NodeName: &name, Driver: qapi.BlockdevOptionsQcow2{File: file, Backing: backing},
	}))
}

// leftovers removes the nodes that an operation was given, and returns what else is left.
func leftovers(t *testing.T, c *qapi.Client, given []string) (left []string) {
	t.Helper()
	jobs, err := c.QueryJobs(t.Context())
	require.NoError(t, err)
	for _, j := range jobs {
		left = append(left, fmt.Sprint("job ", j))
	}
	for _, name := range given {
		require.NoError(t, c.BlockdevDel(t.Context(), qapi.BlockdevDelArgs{NodeName: name}))
	}
	nodes, err := c.QueryNamedBlockNodes(t.Context())
	require.NoError(t, err)
	for _, n := range nodes {
		left = append(left, "node "+n.NodeName)
	}
	return left
}

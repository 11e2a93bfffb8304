package disk

import (
	"context"
	"fmt"
	"slices"

	"github.com/goqapi/goqapi/internal/undo"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/job"
)

// A Copy says which disk is copied, and to where.
type Copy struct {
	Node string // the disk's block node
	To   Target

	// Bitmap is the name of the dirty bitmap that records what has changed on the disk since the last
	// copy. [Backup] creates it, unless the name is empty, and [Increment] needs it.
	Bitmap string
	// Persistent makes [Backup] create a bitmap that QEMU stores in the disk's image when QEMU ends. The
	// image must be qcow2.
	Persistent bool

	// Speed is a limit, in bytes a second; 0: there is no limit.
	Speed int64
}

// Backup copies whole disks while the guest keeps running. All copies show the disks as they are at
// the moment at which Backup starts its jobs. The bitmaps, if there are any, begin to record at that
// moment, so that an [Increment] can follow. If Backup fails, they are removed.
//
// What the guest has not yet written to the disk is not in the copy. To include that, first freeze the
// guest's file systems (WithFrozen of package qga), and thaw them when Backup reports its first progress.
func Backup(ctx context.Context, c *qapi.Client, copies []Copy, opts ...job.Option) error {
	err := newBitmaps(ctx, c, copies)
	if err == nil {
		err = copyAll(ctx, c, copies, opts, backupActions(c))
	}
	if err != nil {
		return fmt.Errorf("disk: backup: %w", err)
	}
	return nil
}

// newBitmaps returns an error if a bitmap that is to be created exists already: a roll-back would
// remove it.
func newBitmaps(ctx context.Context, c *qapi.Client, copies []Copy) error {
	for _, copied := range copies {
		n, err := disk(ctx, c, copied.Node)
		if err != nil {
			return err
		}
		if copied.Bitmap != "" && slices.ContainsFunc(n.DirtyBitmaps, func(b qapi.BlockDirtyInfo) bool {
			return qapi.Value(b.Name) == copied.Bitmap
		}) {
			return fmt.Errorf("block node %s already has a dirty bitmap %s", copied.Node, copied.Bitmap)
		}
	}
	return nil
}

func backupActions(c *qapi.Client) func(Copy, string, *undo.Stack) []qapi.TransactionAction {
	return func(copied Copy, target string, failed *undo.Stack) []qapi.TransactionAction {
		backup := qapi.TransactionAction{Type: qapi.TransactionActionBlockdevBackup{
			Device: copied.Node, Target: target, Sync: qapi.MirrorSyncModeFull, Speed: speed(copied),
		}}
		if copied.Bitmap == "" {
			return []qapi.TransactionAction{backup}
		}
		bitmap := qapi.BlockDirtyBitmap{Node: copied.Node, Name: copied.Bitmap}
		failed.Add(fmt.Sprintf("dirty bitmap %s of %s", bitmap.Name, bitmap.Node), func(ctx context.Context) error {
			return removeBitmap(ctx, c, bitmap)
		})
		add := qapi.TransactionActionBlockDirtyBitmapAdd{Node: bitmap.Node, Name: bitmap.Name}
		if copied.Persistent {
			add.Persistent = new(true)
		}
		return []qapi.TransactionAction{{Type: add}, backup}
	}
}

// Increment copies what has changed on disks since the last copy, as recorded by the
// bitmaps. The bitmaps begin to record again at the moment at which Increment starts its
// jobs. If one copy fails, all fail, and the next increment also copies what this one
// should have copied.
func Increment(ctx context.Context, c *qapi.Client, copies []Copy, opts ...job.Option) error {
	err := copyAll(ctx, c, copies, opts, func(copied Copy, target string, _ *undo.Stack) []qapi.TransactionAction {
		return []qapi.TransactionAction{{Type: qapi.TransactionActionBlockdevBackup{
			Device: copied.Node, Target: target, Sync: qapi.MirrorSyncModeIncremental, Bitmap: &copied.Bitmap, Speed: speed(copied),
		}}}
	})
	if err != nil {
		return fmt.Errorf("disk: incremental backup: %w", err)
	}
	return nil
}

func speed(copied Copy) *int64 {
	if copied.Speed == 0 {
		return nil
	}
	return &copied.Speed
}

// copyAll copies disks with one transaction; actions returns what each copy adds to it.
func copyAll(
	ctx context.Context, c *qapi.Client, copies []Copy, opts []job.Option,
	actions func(copied Copy, target string, failed *undo.Stack) []qapi.TransactionAction,
) error {
	var nodes, failed undo.Stack // the nodes are removed in any case
	var all []qapi.TransactionAction
	err := func() error {
		for _, copied := range copies {
			n, err := disk(ctx, c, copied.Node)
			if err != nil {
				return err
			}
			target, err := copied.To.open(ctx, c, n.Image.VirtualSize, &nodes, &failed)
			if err != nil {
				return err
			}
			all = append(all, actions(copied, target, &failed)...)
		}
		_, err := job.Transaction(ctx, c, qapi.TransactionArgs{Actions: all}, opts...)
		return err
	}()
	if err == nil {
		return nodes.Undo(ctx, nil)
	}
	return failed.Undo(ctx, nodes.Undo(ctx, err))
}

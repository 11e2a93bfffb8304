package disk

import (
	"context"
	"fmt"
	"slices"

	"github.com/goqapi/goqapi/internal/undo"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/job"
)

// A Copy is a disk, and where it is copied to.
type Copy struct {
	Node string // the disk's block node
	To   Target

	// The dirty bitmap of the disk that says what has changed since the last copy. [Backup]
	// makes it, if it has a name, and [Increment] needs it.
	Bitmap string
	// Whether the bitmap is to be stored in the disk's image, which must be qcow2: it then
	// outlives QEMU.
	Persistent bool

	// Bytes a second; 0: there is no limit.
	Speed int64
}

// Backup copies disks, each as a whole and all as they are at the moment at which it begins,
// while the guest goes on. The bitmaps, if there are any, begin to record at that
// moment, so that an [Increment] can follow. If it fails, they are removed.
//
// What the guest has in its memory and not yet on the disk is not in the copy; freeze its file systems
// before, as package qga does with WithFrozen, and thaw them when Backup has shown its first
// progress.
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

// newBitmaps fails if a bitmap that is to be made is there: to undo would remove it.
func newBitmaps(ctx context.Context, c *qapi.Client, copies []Copy) error {
	for _, copied := range copies {
		n, err := disk(ctx, c, copied.Node)
		if err != nil {
			return err
		}
		if copied.Bitmap != "" && slices.ContainsFunc(n.DirtyBitmaps, func(b qapi.BlockDirtyInfo) bool {
			return qapi.Value(b.Name) == copied.Bitmap
		}) {
			return fmt.Errorf("block node %s has a dirty bitmap %s already", copied.Node, copied.Bitmap)
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

// Increment copies what has changed on disks since the last copy, which the bitmaps know. They begin
// anew at the moment at which it begins; if one copy fails, all fail, and the next one
// has the changes of both.
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

// copyAll copies disks with a transaction, to whose actions each copy adds its own.
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

package disk

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/goqapi/goqapi/internal/retry"
	"github.com/goqapi/goqapi/internal/undo"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/job"
	"github.com/goqapi/goqapi/qmp"
)

// An Overlay is a new image that is put above a disk: from then on what the guest writes goes into the overlay, and the
// disk stays as it is.
type Overlay struct {
	Node string // the disk's block node
	Path string // of the new file, on QEMU's host; an existing file is overwritten
	Name string // of the overlay's block node; if empty, a name is chosen
}

// Snapshot puts overlays above disks, all at one moment, and returns the names of the overlays'
// block nodes, which the guest uses from then on. The old nodes and files keep what is on the disks at
// that moment. If Snapshot fails, the guest's disks are as before.
func Snapshot(ctx context.Context, c *qapi.Client, overlays []Overlay) (names []string, err error) {
	if len(overlays) == 0 {
		return nil, nil
	}
	var u undo.Stack
	defer func() {
		if err != nil {
			names, err = nil, fmt.Errorf("disk: snapshot: %w", u.Undo(ctx, err))
		}
	}()
	var actions []qapi.TransactionAction
	for _, o := range overlays {
		name, err := addOverlay(ctx, c, o, &u)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
		actions = append(actions, qapi.TransactionAction{
			Type: qapi.TransactionActionBlockdevSnapshot{Node: o.Node, Overlay: name},
		})
	}
	done := func(ctx context.Context) (bool, error) {
		list, err := c.QueryNamedBlockNodes(ctx) // not the flat list, in which the depth is missing
		return slices.ContainsFunc(list, func(n qapi.BlockDeviceInfo) bool {
			return n.NodeName == names[0] && n.BackingFileDepth > 0 // the overlay is above the disk
		}), err
	}
	err = retry.Once(ctx, c.Conn(), func(ctx context.Context) error {
		return c.Transaction(ctx, qapi.TransactionArgs{Actions: actions})
	}, done)
	if err != nil && qmp.MayHaveRun(err) { // ctx has ended, but the transaction may have been executed
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undo.DefaultLimit)
		defer cancel()
		if is, _ := done(ctx); is {
			return names, nil
		}
	}
	return names, err
}

// addOverlay creates the image of an overlay and adds its block node, which is not above the disk
// yet.
func addOverlay(ctx context.Context, c *qapi.Client, o Overlay, u *undo.Stack) (string, error) {
	if o.Path == "" {
		return "", errors.New("the overlay has no path")
	}
	n, err := disk(ctx, c, o.Node)
	if err != nil {
		return "", err
	}
	if o.Name == "" {
		o.Name = newName("overlay")
	}
	file := qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: o.Path}}
	u.Add("the file "+o.Path+", if it was created", func(context.Context) error { return errors.New("QEMU cannot remove files") })
	if err := create(ctx, c, qapi.BlockdevCreateOptionsFile{Filename: o.Path}); err != nil {
		return "", err
	}
	if err := createQcow2(ctx, c, file, n.Image.VirtualSize, n.Image.Filename, qapi.BlockdevDriver(n.Drv)); err != nil {
		return "", err
	}
	return o.Name, addNode(ctx, c, qapi.BlockdevOptions{
		NodeName: &o.Name, Driver: qapi.BlockdevOptionsQcow2{File: file, Backing: qapi.Null{}},
	}, u)
}

// Commit writes an overlay, and the overlays below it, into an image below them, and then removes the
// overlay's block node. The overlay is args.TopNode or, if that is nil, args.Device, which is the node that the guest
// uses. The image is args.BaseNode or, if that is nil, the lowest one; the guest uses it afterwards. If Commit
// fails, the overlay stays. What has been written is not undone, which does no harm, since the
// overlay still hides it. The overlay's file is not removed.
func Commit(ctx context.Context, c *qapi.Client, args qapi.BlockCommitArgs, opts ...job.Option) error {
	//lint:ignore SA1019 Top is only read to refuse it
	if args.Top != nil && args.TopNode == nil { //nolint:staticcheck // see above
		return errors.New("disk: commit: Top names a file, not the block node to remove: set TopNode")
	}
	if _, err := job.Commit(ctx, c, args, opts...); err != nil {
		return fmt.Errorf("disk: commit: %w", err)
	}
	top := args.Device
	if args.TopNode != nil {
		top = *args.TopNode
	}
	var u undo.Stack // used for its limit of time
	u.Add("block node "+top, func(ctx context.Context) error { return removeNode(ctx, c, top) })
	if err := u.Undo(ctx, nil); err != nil {
		return fmt.Errorf("disk: commit: the image is complete; %w", err)
	}
	return nil
}

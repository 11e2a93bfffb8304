package disk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/internal/retry"
	"github.com/goqapi/goqapi/internal/undo"
	"github.com/goqapi/goqapi/qapi"
)

// newName makes up a name for a block node; QEMU takes up to 31 characters.
func newName(kind string) string { return fmt.Sprintf("%s-%016x", kind, rand.Uint64()) }

// nodes are all block nodes.
func nodes(ctx context.Context, c *qapi.Client) (list []qapi.BlockDeviceInfo, err error) {
	err = retry.Ask(ctx, c.Conn(), func(ctx context.Context) (err error) {
		list, err = c.QueryNamedBlockNodes(ctx, qapi.QueryNamedBlockNodesArgs{Flat: new(true)})
		return err
	})
	return list, err
}

// find finds a block node; nil if there is none of that name.
func find(ctx context.Context, c *qapi.Client, name string) (*qapi.BlockDeviceInfo, error) {
	list, err := nodes(ctx, c)
	i := slices.IndexFunc(list, func(n qapi.BlockDeviceInfo) bool { return n.NodeName == name })
	if i < 0 {
		return nil, err
	}
	return &list[i], nil
}

// disk finds the block node of a disk.
func disk(ctx context.Context, c *qapi.Client, name string) (*qapi.BlockDeviceInfo, error) {
	n, err := find(ctx, c, name)
	if err == nil && n == nil {
		err = fmt.Errorf("there is no block node %q", name)
	}
	return n, err
}

// addNode adds a block node that has a name.
func addNode(ctx context.Context, c *qapi.Client, options qapi.BlockdevOptions, u *undo.Stack) error {
	name := *options.NodeName
	if n, err := find(ctx, c, name); err != nil {
		return err
	} else if n != nil { // it must not be taken for ours, nor be removed
		return fmt.Errorf("there is a block node %q already", name)
	}
	u.Add("block node "+name, func(ctx context.Context) error { return removeNode(ctx, c, name) })
	return retry.Once(ctx, c.Conn(), func(ctx context.Context) error { return c.BlockdevAdd(ctx, options) },
		func(ctx context.Context) (bool, error) {
			n, err := find(ctx, c, name)
			return n != nil, err
		})
}

// removeNode removes a block node, as soon as nothing uses it any more. One that is gone already is no
// error.
func removeNode(ctx context.Context, c *qapi.Client, name string) error {
	return again(ctx, c, func(ctx context.Context) error {
		return c.BlockdevDel(ctx, qapi.BlockdevDelArgs{NodeName: name})
	})
}

// removeBitmap removes a dirty bitmap as removeNode does a node.
func removeBitmap(ctx context.Context, c *qapi.Client, bitmap qapi.BlockDirtyBitmap) error {
	return again(ctx, c, func(ctx context.Context) error { return c.BlockDirtyBitmapRemove(ctx, bitmap) })
}

// again has something removed, until nothing uses it any more.
func again(ctx context.Context, c *qapi.Client, remove func(context.Context) error) error {
	var last error
	err := poll.Until(ctx, func(ctx context.Context) (bool, error) {
		last = remove(ctx)
		switch {
		case last == nil, qapi.IsNotFound(last):
			return true, nil
		case qapi.IsInUse(last), retry.Lost(c.Conn(), last):
			return false, nil
		}
		return false, last
	})
	if err != nil && qapi.IsInUse(last) {
		return last
	}
	return err
}

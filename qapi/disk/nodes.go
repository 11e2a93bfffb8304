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

// newName returns a new name for a block node; QEMU takes up to 31 characters.
func newName(kind string) string { return fmt.Sprintf("%s-%016x", kind, rand.Uint64()) }

// nodes returns all block nodes.
func nodes(ctx context.Context, c *qapi.Client) (list []qapi.BlockDeviceInfo, err error) {
	err = retry.Ask(ctx, c.Conn(), func(ctx context.Context) (err error) {
		list, err = c.QueryNamedBlockNodes(ctx, qapi.QueryNamedBlockNodesArgs{Flat: new(true)})
		return err
	})
	return list, err
}

// find returns a block node; nil if there is none with that name.
func find(ctx context.Context, c *qapi.Client, name string) (*qapi.BlockDeviceInfo, error) {
	list, err := nodes(ctx, c)
	i := slices.IndexFunc(list, func(n qapi.BlockDeviceInfo) bool { return n.NodeName == name })
	if i < 0 {
		return nil, err
	}
	return &list[i], nil
}

// disk returns the block node of a disk, which must exist.
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
	} else if n != nil { // a roll-back would remove it
		return fmt.Errorf("there is already a block node %q", name)
	}
	u.Add("block node "+name, func(ctx context.Context) error { return removeNode(ctx, c, name) })
	return retry.Once(ctx, c.Conn(), func(ctx context.Context) error { return c.BlockdevAdd(ctx, options) },
		func(ctx context.Context) (bool, error) {
			n, err := find(ctx, c, name)
			return n != nil, err
		})
}

// removeNode removes a block node as soon as nothing uses it any more. It is not an error if there is no such
// node.
func removeNode(ctx context.Context, c *qapi.Client, name string) error {
	return again(ctx, c, func(ctx context.Context) error {
		return c.BlockdevDel(ctx, qapi.BlockdevDelArgs{NodeName: name})
	})
}

// removeBitmap removes a dirty bitmap in the same way.
func removeBitmap(ctx context.Context, c *qapi.Client, bitmap qapi.BlockDirtyBitmap) error {
	return again(ctx, c, func(ctx context.Context) error { return c.BlockDirtyBitmapRemove(ctx, bitmap) })
}

// again calls remove until it succeeds. It calls remove again only if something is still in
// use, or if the connection was lost.
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

package hotplug

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/goqapi/goqapi/qapi"
)

// AddDisk adds block nodes in the given order, and plugs in a device that uses one of them. Each node must
// have a name, and the device an id. A node that is described inside another one is
// a part of it and needs no name. If something fails, everything that was added before is removed.
func AddDisk(ctx context.Context, c *qapi.Client, dev qapi.Device, nodes ...qapi.BlockdevOptions) error {
	t, err := deviceThing(c, dev)
	if err != nil {
		return plugging(err)
	}
	things, err := nodeThings(c, nodes)
	if err != nil {
		return plugging(err)
	}
	return plugging(addAll(ctx, c, append(things, t)...))
}

// RemoveDisk unplugs a device, as [Unplug] does, and then removes block nodes in the given order: the
// node that the device uses comes first, and then the nodes below it. RemoveDisk waits until a node is
// no longer in use. It is not an error if something does not exist, so RemoveDisk can be called again after it has
// failed. After a snapshot, for example, the device uses another node than at first: name that one.
func RemoveDisk(ctx context.Context, c *qapi.Client, id string, nodes ...string) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	things := []thing{unplugged(c, id)}
	for _, name := range nodes {
		things = append(things, nodeThing(c, name))
	}
	return removeAll(ctx, things...)
}

func nodeThings(c *qapi.Client, nodes []qapi.BlockdevOptions) ([]thing, error) {
	var things []thing
	for _, options := range nodes {
		name := qapi.Value(options.NodeName)
		if name == "" {
			return nil, errors.New("a disk: a block node needs a name, so that it can be removed")
		}
		t := nodeThing(c, name)
		t.add = func(ctx context.Context) error { return c.BlockdevAdd(ctx, options) }
		things = append(things, t)
	}
	return things, nil
}

func nodeThing(c *qapi.Client, name string) thing {
	what := fmt.Sprintf("block node %q", name)
	return thing{
		what:   what,
		exists: func(ctx context.Context) (bool, error) { return nodeExists(ctx, c, name) },
		remove: func(ctx context.Context) error {
			return removeFree(ctx, c, what, func(ctx context.Context) error {
				return c.BlockdevDel(ctx, qapi.BlockdevDelArgs{NodeName: name})
			})
		},
	}
}

func nodeExists(ctx context.Context, c *qapi.Client, name string) (bool, error) {
	nodes, err := ask(ctx, c, func(ctx context.Context) ([]qapi.BlockDeviceInfo, error) {
		return c.QueryNamedBlockNodes(ctx, qapi.QueryNamedBlockNodesArgs{Flat: new(true)})
	})
	return slices.ContainsFunc(nodes, func(n qapi.BlockDeviceInfo) bool { return n.NodeName == name }), err
}

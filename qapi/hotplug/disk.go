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
	t, err := deviceResource(c, dev)
	if err != nil {
		return plugging(err)
	}
	resources, err := nodeResources(c, nodes)
	if err != nil {
		return plugging(err)
	}
	return plugging(addAll(ctx, c, append(resources, t)...))
}

// RemoveDisk unplugs a device, as [Unplug] does, and then removes block nodes in the given order: the
// node that the device uses comes first, and then the nodes below it. RemoveDisk waits until a node is
// no longer in use. It is not an error if something does not exist, so RemoveDisk can be called again after it has
// failed. After a snapshot, for example, the device uses another node than at first: name that one.
func RemoveDisk(ctx context.Context, c *qapi.Client, id string, nodes ...string) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	resources := []resource{unplugged(c, id)}
	for _, name := range nodes {
		resources = append(resources, nodeResource(c, name))
	}
	return removeAll(ctx, resources...)
}

func nodeResources(c *qapi.Client, nodes []qapi.BlockdevOptions) ([]resource, error) {
	var resources []resource
	for _, options := range nodes {
		name := qapi.Value(options.NodeName)
		if name == "" {
			return nil, errors.New("a disk: a block node needs a name, so that it can be removed")
		}
		t := nodeResource(c, name)
		t.add = func(ctx context.Context) error { return c.BlockdevAdd(ctx, options) }
		resources = append(resources, t)
	}
	return resources, nil
}

func nodeResource(c *qapi.Client, name string) resource {
	what := fmt.Sprintf("block node %q", name)
	return resource{
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

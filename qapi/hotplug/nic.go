package hotplug

import (
	"context"
	"fmt"

	"github.com/goqapi/goqapi/qapi"
)

// AddNIC adds a netdev and plugs in a network card that uses it. The device must have an id. If the
// card cannot be plugged in, the netdev is removed.
func AddNIC(ctx context.Context, c *qapi.Client, dev qapi.Device, netdev qapi.Netdev) error {
	t, err := deviceThing(c, dev)
	if err != nil {
		return plugging(err)
	}
	n := netdevThing(c, netdev.ID)
	n.add = func(ctx context.Context) error { return c.NetdevAdd(ctx, netdev) }
	return plugging(addAll(ctx, c, n, t))
}

// RemoveNIC unplugs a network card, as [Unplug] does, and removes its netdev. What is not there is no
// error, so that RemoveNIC can be called again if it has failed.
func RemoveNIC(ctx context.Context, c *qapi.Client, id, netdev string) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	return removeAll(ctx, unplugged(c, id), netdevThing(c, netdev))
}

func netdevThing(c *qapi.Client, id string) thing {
	what := fmt.Sprintf("netdev %q", id)
	return thing{what: what, remove: func(ctx context.Context) error {
		return removeFree(ctx, c, what, func(ctx context.Context) error {
			return c.NetdevDel(ctx, qapi.NetdevDelArgs{ID: id})
		})
	}}
}

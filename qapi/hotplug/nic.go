package hotplug

import (
	"context"
	"fmt"
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

// AddNIC adds a netdev and plugs in a network card that uses it. The device must have an id. If the
// card cannot be plugged in, the netdev is removed.
func AddNIC(ctx context.Context, c *qapi.Client, dev qapi.Device, netdev qapi.Netdev) error {
	t, err := deviceResource(c, dev)
	if err != nil {
		return plugging(err)
	}
	n := netdevResource(c, netdev.ID)
	n.add = func(ctx context.Context) error { return c.NetdevAdd(ctx, netdev) }
	return plugging(addAll(ctx, c, n, t))
}

// RemoveNIC unplugs a network card, as [Unplug] does, and removes its netdev. It is not an error if something does
// not exist, so RemoveNIC can be called again after it has failed.
func RemoveNIC(ctx context.Context, c *qapi.Client, id, netdev string) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	return removeAll(ctx, unplugged(c, id), netdevResource(c, netdev))
}

func netdevResource(c *qapi.Client, id string) resource {
	what := fmt.Sprintf("netdev %q", id)
	return resource{
		what:   what,
		exists: func(ctx context.Context) (bool, error) { return netdevExists(ctx, c, id) },
		remove: func(ctx context.Context) error {
			return removeFree(ctx, c, what, func(ctx context.Context) error {
				return c.NetdevDel(ctx, qapi.NetdevDelArgs{ID: id})
			})
		},
	}
}

// netdevExists reports whether there is a netdev with an id. QEMU 5.2 would add a second one. No command of
// QMP lists netdevs, so the human monitor is asked. If that is disabled, the result is false; later releases
// refuse a second netdev themselves.
func netdevExists(ctx context.Context, c *qapi.Client, id string) (bool, error) {
	text, err := ask(ctx, c, func(ctx context.Context) (string, error) {
		return c.HumanMonitorCommand(ctx, qapi.HumanMonitorCommandArgs{CommandLine: "info network"})
	})
	if refused(err) {
		return false, nil
	}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimLeft(line, ` \`), ":") // a netdev is indented below the card that uses it
		if strings.TrimSpace(line) == id {
			return true, err
		}
	}
	return false, err
}

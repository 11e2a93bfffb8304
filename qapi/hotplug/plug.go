package hotplug

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
)

// Plug plugs in a device, which must have an id. A PCI Express device without a bus gets a free
// port; see [FreePort].
func Plug(ctx context.Context, c *qapi.Client, dev qapi.Device) error {
	t, err := deviceResource(c, dev)
	if err == nil {
		err = addAll(ctx, c, t)
	}
	return plugging(err)
}

func plugging(err error) error {
	if err != nil {
		return fmt.Errorf("hotplug: plugging in %w", err)
	}
	return nil
}

// deviceResource returns a device that is to be plugged in.
func deviceResource(c *qapi.Client, dev qapi.Device) (resource, error) {
	args, err := qapi.DeviceArgs(dev)
	if err != nil {
		return resource{}, fmt.Errorf("a device: %w", err)
	}
	id := qapi.Value(args.ID)
	t := unplugged(c, id)
	t.what = fmt.Sprintf("device %q (%s)", id, args.Driver)
	if id == "" {
		return resource{}, fmt.Errorf("%s: %w", t.what, errNoID)
	}
	t.exists = func(ctx context.Context) (bool, error) { return exists(ctx, c, pathOf(id)) }
	t.add = func(ctx context.Context) error {
		err := c.DeviceAdd(ctx, dev)
		if args.Bus != nil || !takesNone(err) {
			return err
		}
		return addToPort(ctx, c, args)
	}
	return t, nil
}

// unplugged returns a device that is to be unplugged.
func unplugged(c *qapi.Client, id string) resource {
	return resource{
		what:   fmt.Sprintf("device %q", id),
		remove: func(ctx context.Context) error { return unplug(ctx, c, id) },
	}
}

// takesNone reports whether the server has chosen the root bus of PCI Express, which takes no
// devices while the machine runs.
func takesNone(err error) bool {
	return refused(err) && strings.Contains(err.Error(), "Bus 'pcie.") && strings.Contains(err.Error(), "does not support hotplugging")
}

// addToPort plugs a device into the first free port. If somebody else is faster, it takes the
// next one.
func addToPort(ctx context.Context, c *qapi.Client, dev qapi.DeviceAddArgs) error {
	ports, err := freePorts(ctx, c)
	if err != nil {
		return err
	}
	props := map[string]any{"addr": device.Slot(0)} // otherwise QEMU 5.2 and 7.2 choose a slot that no guest sees
	maps.Copy(props, dev.Props)
	dev.Props = props
	err = ErrNoPort
	for _, port := range ports {
		dev.Bus = &port
		if err = c.DeviceAdd(ctx, dev); !qapi.IsInUse(err) {
			return err
		}
	}
	return err
}

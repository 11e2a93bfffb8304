package hotplug

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/goqapi/goqapi/internal/undo"
	"github.com/goqapi/goqapi/qapi"
)

// AddMemory adds a memory backend and plugs in a device that uses it: a pc-dimm, an nvdimm or a virtio-mem-pci. The
// machine must have been started with room for it (maxmem, and slots for modules).
// If the device cannot be plugged in, the backend is removed.
func AddMemory(ctx context.Context, c *qapi.Client, dev qapi.Device, backend qapi.ObjectOptions) error {
	t, err := deviceResource(c, dev)
	if err != nil {
		return plugging(err)
	}
	b := objectResource(c, backend.ID)
	b.add = func(ctx context.Context) error { return c.ObjectAdd(ctx, backend) }
	return plugging(addAll(ctx, c, b, t))
}

// RemoveMemory unplugs a memory device, as [Unplug] does, and removes its backend. A virtio-mem
// device is first emptied, as [ResizeMemory] does; before QEMU 8.2 it cannot be unplugged. Guests
// can refuse: Linux releases a memory module only if its memory was put online as movable. It is not an
// error if something does not exist, so RemoveMemory can be called again after it has failed.
func RemoveMemory(ctx context.Context, c *qapi.Client, id, backend string) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	t := unplugged(c, id)
	t.remove = func(ctx context.Context) error {
		err := unplug(ctx, c, id)
		if !isFull(err) {
			return err
		}
		if err := resize(ctx, c, id, 0); err != nil {
			return err
		}
		return unplug(ctx, c, id)
	}
	return removeAll(ctx, t, objectResource(c, backend))
}

// isFull reports whether the server refuses to unplug a virtio-mem device because the guest
// uses some of its memory, or was asked to.
func isFull(err error) bool {
	return refused(err) && strings.Contains(err.Error(), "virtio-mem device cannot get unplugged while")
}

func objectResource(c *qapi.Client, id string) resource {
	what := fmt.Sprintf("memory backend %q", id)
	return resource{
		what:   what,
		exists: func(ctx context.Context) (bool, error) { return exists(ctx, c, "/objects/"+id) },
		remove: func(ctx context.Context) error {
			return removeFree(ctx, c, what, func(ctx context.Context) error {
				return c.ObjectDel(ctx, qapi.ObjectDelArgs{ID: id})
			})
		},
	}
}

// ResizeMemory sets how many bytes of a virtio-mem device the guest has, and returns when it
// has them. If ctx ends earlier (after 30 s if it has no deadline), the guest keeps what it has at that moment,
// and the device's requested size is set to that.
func ResizeMemory(ctx context.Context, c *qapi.Client, id string, size uint64) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	return resize(ctx, c, id, size)
}

func resize(ctx context.Context, c *qapi.Client, id string, size uint64) error {
	sizes := qapi.SubscribeEvents(c, []qapi.Event{qapi.MemoryDeviceSizeChangeEvent{}})
	defer sizes.Close()
	set := func(size uint64) func(context.Context) error {
		return func(ctx context.Context) error {
			return c.QOMSet(ctx, qapi.QOMSetArgs{Path: pathOf(id), Property: "requested-size", Value: size})
		}
	}
	got, err := reach(ctx, c, sizes, set, size, func(ctx context.Context) (uint64, bool, error) {
		info, err := virtioMem(ctx, c, id)
		if err != nil {
			return 0, false, err
		}
		if info == nil {
			return 0, false, errors.New("there is no virtio-mem device with this id")
		}
		return info.Size, info.Size == size, nil
	})
	if err != nil {
		return fmt.Errorf("hotplug: resizing memory %q to %d bytes, of which the guest has %d: %w", id, size, got, err)
	}
	return nil
}

// virtioMem returns the state of a virtio-mem device; nil if there is none with this id.
func virtioMem(ctx context.Context, c *qapi.Client, id string) (*qapi.MemoryDeviceInfoVirtioMem, error) {
	devices, err := ask(ctx, c, c.QueryMemoryDevices)
	for _, d := range devices {
		if info, ok := d.Type.(qapi.MemoryDeviceInfoVirtioMem); ok && qapi.Value(info.ID) == id {
			return &info, nil
		}
	}
	return nil, err
}

// stopping is how long it may take to stop what a guest is doing.
const stopping = undo.DefaultLimit

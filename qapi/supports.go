package qapi

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/goqapi/goqapi/qmp/bind"
)

// Supports asks a server whether it has something. It takes the paths of
// [Capabilities.Supports], and these paths for what is not in the server's schema:
//
//	device virtio-blk-pci                       a type of device, by its type's name
//	device virtio-blk-pci/iothread-vq-mapping   a property of it
//	object iothread                             a type of object for object-add
//	object iothread/thread-pool-max             a property of it
//	machine q35                                 a machine, by its name or its alias
//	machine q35/cxl                             a property of it
//	cpu EPYC-Genoa                              a CPU model
//	cpu EPYC-Genoa/avx2                         a property of it
//
// What was asked for is kept for the connection, so that many questions cost few commands.
// Supports returns an error only if a command fails, not if the server lacks something. A
// device that a server has is not always one that a user may create. For the properties of
// virtio-gpu-gl-pci and virtio-vga-gl, Supports returns an error before QEMU 10.0, and does
// not ask: QEMU 7.2 ends when it is asked for them while one of their modules is not
// installed.
func Supports(ctx context.Context, c *Client, path string) (bool, error) {
	kind, rest, _ := strings.Cut(path, " ")
	switch kind {
	case "device", "object", "machine", "cpu":
	default:
		capabilities, err := Introspect(ctx, c)
		return err == nil && capabilities.Supports(path), err
	}
	name, property, below := strings.Cut(rest, "/")
	types, err := inventory(ctx, c, kind, func() (map[string]string, error) { return listTypes(ctx, c, kind) })
	typename, found := types[name]
	if err != nil || !found || !below {
		return found, err
	}
	properties, err := inventory(ctx, c, kind+" "+typename, func() (map[string]string, error) {
		return listProperties(ctx, c, kind, typename)
	})
	_, found = properties[property]
	return found, err
}

// listTypes returns the names of all of one kind, each with the name of its QOM type.
func listTypes(ctx context.Context, c *Client, kind string) (map[string]string, error) {
	types := map[string]string{}
	switch kind {
	case "machine":
		list, err := c.QueryMachines(ctx)
		for _, m := range list {
			types[m.Name] = m.Name + "-machine"
			if m.Alias != nil {
				types[*m.Alias] = m.Name + "-machine"
			}
		}
		return types, err
	case "cpu":
		list, err := c.QueryCPUDefinitions(ctx)
		for _, m := range list {
			types[m.Name] = m.Typename
		}
		return types, err
	}
	parent := "device"
	if kind == "object" {
		parent = "user-creatable"
	}
	list, err := c.QOMListTypes(ctx, QOMListTypesArgs{Implements: &parent, Abstract: new(false)})
	for _, t := range list {
		types[t.Name] = t.Name
	}
	return types, err
}

// listProperties returns the names of a QOM type's properties, each with its type.
func listProperties(ctx context.Context, c *Client, kind, typename string) (map[string]string, error) {
	var list []ObjectPropertyInfo
	var err error
	switch kind {
	case "device", "cpu":
		if v := c.conn.Greeting().Version; !v.AtLeast(10, 0) && (typename == "virtio-gpu-gl-pci" || typename == "virtio-vga-gl") {
			return nil, fmt.Errorf("qapi: QEMU %d.%d can end when it is asked for the properties of %s", v.Major, v.Minor, typename)
		}
		list, err = c.DeviceListProperties(ctx, DeviceListPropertiesArgs{Typename: typename})
	default:
		list, err = c.QOMListProperties(ctx, QOMListPropertiesArgs{Typename: typename})
	}
	properties := map[string]string{}
	for _, p := range list {
		properties[p.Name] = p.Type
	}
	return properties, err
}

// inventories has the lists of names that a server has returned, keyed by what the names belong to.
type inventories struct {
	mu    sync.Mutex
	lists map[string]map[string]string
}

// inventory returns the list with a key, and calls ask for it the first time.
func inventory(ctx context.Context, c *Client, key string, ask func() (map[string]string, error)) (map[string]string, error) {
	known, err := bind.Once(ctx, c.conn, func(context.Context) (*inventories, error) {
		return &inventories{lists: map[string]map[string]string{}}, nil
	})
	if err != nil {
		return nil, err
	}
	known.mu.Lock()
	list, ok := known.lists[key]
	known.mu.Unlock()
	if ok {
		return list, nil
	}
	if list, err = ask(); err != nil {
		return nil, err
	}
	known.mu.Lock()
	defer known.mu.Unlock()
	known.lists[key] = list
	return list, nil
}

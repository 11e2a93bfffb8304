package hotplug

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

// ErrNoPort is wrapped by the error for a machine without a free place for a PCI device. PCI Express
// ports cannot be added while a machine runs: start it with spare ones.
var ErrNoPort = errors.New("there is no free port for a PCI device")

// ports are the types of devices that each have a place for one PCI Express device.
var ports = []string{"pcie-root-port", "ioh3420", "xio3130-downstream"}

// FreePort returns a bus with a place for one more PCI device, for the field Bus of a
// device. It is an empty root port or downstream port, the first one in the order of their names. If there is
// none, it is a conventional bus with a free slot, such as pci.0 of the machine pc. The error wraps [ErrNoPort] if
// there is no place at all.
//
// FreePort does not reserve the place: another device may take it. [Plug]
// and the functions like it then find another one.
func FreePort(ctx context.Context, c *qapi.Client) (bus string, err error) {
	free, err := freePorts(ctx, c)
	if err != nil {
		return "", inPorts(err)
	}
	if len(free) > 0 {
		return free[0], nil
	}
	if bus, err = conventional(ctx, c); err != nil {
		return "", inPorts(err)
	}
	if bus == "" {
		return "", inPorts(ErrNoPort)
	}
	return bus, nil
}

func inPorts(err error) error { return fmt.Errorf("hotplug: looking for a port: %w", err) }

// freePorts returns the buses of empty PCI Express ports. What is plugged in
// is read from the tree of objects, since query-pci does not show it before the firmware has numbered
// the buses.
func freePorts(ctx context.Context, c *qapi.Client) ([]string, error) {
	var free []string
	for _, path := range []string{"/machine/peripheral", "/machine/peripheral-anon"} {
		devices, err := children(ctx, c, path)
		if err != nil {
			return nil, err
		}
		for _, d := range devices {
			if !slices.Contains(ports, d.kind) {
				continue
			}
			buses, err := freeBuses(ctx, c, d.path)
			if err != nil {
				return nil, err
			}
			free = append(free, buses...)
		}
	}
	slices.Sort(free)
	return free, nil
}

// freeBuses returns the empty buses of a port: one, or none.
func freeBuses(ctx context.Context, c *qapi.Client, port string) ([]string, error) {
	var free []string
	buses, err := children(ctx, c, port)
	for _, bus := range buses {
		if bus.kind != "PCIE" {
			continue
		}
		n, err := occupants(ctx, c, bus.path)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			free = append(free, bus.name)
		}
	}
	return free, err
}

// slots is how many slots a conventional bus has.
const slots = 32

// conventional returns a conventional bus of the machine itself that has a free slot; "" if there is none.
func conventional(ctx context.Context, c *qapi.Client) (string, error) {
	hosts, err := children(ctx, c, "/machine")
	if err != nil {
		return "", err
	}
	for _, host := range hosts {
		buses, err := children(ctx, c, host.path)
		if err != nil {
			return "", err
		}
		i := slices.IndexFunc(buses, func(bus child) bool { return bus.kind == "PCI" })
		if i < 0 {
			continue
		}
		if used, err := usedSlots(ctx, c); used == slots || err != nil {
			return "", err
		}
		return buses[i].name, nil
	}
	return "", nil
}

// usedSlots returns how many slots of the first bus are in use.
func usedSlots(ctx context.Context, c *qapi.Client) (int, error) {
	buses, err := ask(ctx, c, c.QueryPCI)
	if err != nil {
		return 0, err
	}
	used := map[int64]bool{}
	for _, bus := range buses {
		if bus.Bus == 0 {
			for _, d := range bus.Devices {
				used[d.Slot] = true
			}
		}
	}
	return len(used), nil
}

// A child is an object below another in the tree of objects.
type child struct{ name, path, kind string }

func children(ctx context.Context, c *qapi.Client, path string) ([]child, error) {
	list, err := properties(ctx, c, path)
	var all []child
	for _, p := range list {
		if kind, ok := strings.CutPrefix(p.Type, "child<"); ok {
			all = append(all, child{p.Name, path + "/" + p.Name, strings.TrimSuffix(kind, ">")})
		}
	}
	return all, err
}

// occupants returns how many devices a bus has.
func occupants(ctx context.Context, c *qapi.Client, bus string) (int, error) {
	list, err := properties(ctx, c, bus)
	n := 0
	for _, p := range list {
		if strings.HasPrefix(p.Name, "child[") {
			n++
		}
	}
	return n, err
}

// properties returns the properties of an object; none if it is gone meanwhile.
func properties(ctx context.Context, c *qapi.Client, path string) ([]qapi.ObjectPropertyInfo, error) {
	list, err := ask(ctx, c, func(ctx context.Context) ([]qapi.ObjectPropertyInfo, error) {
		return c.QOMList(ctx, qapi.QOMListArgs{Path: path})
	})
	return list, gone(err)
}

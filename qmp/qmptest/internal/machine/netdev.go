package machine

import (
	"slices"

	"github.com/goqapi/goqapi/qapi"
)

func (m *Machine) netdevCommands() map[string]Handler {
	return map[string]Handler{
		"netdev_add": change(m, m.netdevAdd),
		"netdev_del": change(m, m.netdevDel),
	}
}

func (m *Machine) netdevAdd(args qapi.Netdev, _ Request) error {
	if m.since("6.0") { // QEMU 5.2 took anything
		if !wellFormed(args.ID) {
			return badID()
		}
		if slices.Contains(m.netdevs, args.ID) {
			return generic("Duplicate ID '%s'", args.ID)
		}
	}
	m.netdevs = append(m.netdevs, args.ID)
	return nil
}

// netdevDel removes a network backend, in use or not, as QEMU does.
func (m *Machine) netdevDel(args qapi.NetdevDelArgs, _ Request) error {
	i := slices.Index(m.netdevs, args.ID)
	if i < 0 {
		return notFound(args.ID)
	}
	m.netdevs = slices.Delete(m.netdevs, i, i+1)
	return nil
}

func (m *Machine) useNetdev(d *device, prop, id string) error {
	switch {
	case !slices.Contains(m.netdevs, id):
		return d.noValue(prop, id)
	case m.userOf(prop, id) != nil:
		return d.usedValue(prop, id)
	}
	return nil
}

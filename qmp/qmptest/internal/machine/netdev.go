package machine

import (
	"slices"
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

func (m *Machine) netdevCommands() map[string]Handler {
	return map[string]Handler{
		"netdev_add": change(m, m.netdevAdd),
		"netdev_del": change(m, m.netdevDel),
		"set_link":   change(m, m.setLink),
	}
}

// cards are the models of network cards, and the beginnings of more of their names.
var cards = []string{"e1000", "i82", "igb", "ne2k_", "pcnet", "rtl8139", "tulip", "usb-net", "virtio-net-", "vmxnet3"}

func (d *device) isCard() bool {
	return slices.ContainsFunc(cards, func(card string) bool { return strings.HasPrefix(d.driver, card) })
}

// setLink plugs a cable in or out, of which nothing is to be seen here.
func (m *Machine) setLink(args qapi.SetLinkArgs, _ Request) error {
	if slices.Contains(m.netdevs, args.Name) {
		return nil
	}
	for _, d := range m.devices {
		if d.id == args.Name && d.isCard() {
			return nil
		}
	}
	return notFound(args.Name)
}

func (m *Machine) netdevAdd(args qapi.Netdev, _ Request) error {
	if kind := args.Type.NetClientDriver(); kind == qapi.NetClientDriverNone || kind == qapi.NetClientDriverNIC {
		return generic("Parameter 'type' expects a netdev backend type")
	}
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

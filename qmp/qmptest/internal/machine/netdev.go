package machine

import (
	"fmt"
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

// A netdev is a network backend.
type netdev struct {
	id   string
	kind qapi.NetClientDriver
}

// netdev finds a network backend; -1 if there is none.
func (m *Machine) netdev(id string) int {
	return slices.IndexFunc(m.netdevs, func(n netdev) bool { return n.id == id })
}

// hmpNetwork lists the network cards with their backends, and the backends without a card. A
// real QEMU lists those of hubs in another way.
func (m *Machine) hmpNetwork() string {
	var text strings.Builder
	for _, n := range m.netdevs {
		if user := m.userOf("netdev", n.id); user != nil {
			fmt.Fprintf(&text, "%s: index=0,type=nic,model=%s\r\n \\ ", user.name(), user.driver)
		}
		fmt.Fprintf(&text, "%s: index=0,type=%s\r\n", n.id, n.kind)
	}
	return text.String()
}

// cards are the models of network cards, and the beginnings of more of their names.
var cards = []string{"e1000", "i82", "igb", "ne2k_", "pcnet", "rtl8139", "tulip", "usb-net", "virtio-net-", "vmxnet3"}

func (d *device) isCard() bool {
	return slices.ContainsFunc(cards, func(card string) bool { return strings.HasPrefix(d.driver, card) })
}

// setLink plugs a cable in or out, which has no effect here.
func (m *Machine) setLink(args qapi.SetLinkArgs, _ Request) error {
	if m.netdev(args.Name) >= 0 {
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
		if m.netdev(args.ID) >= 0 {
			return generic("Duplicate ID '%s'", args.ID)
		}
	}
	m.netdevs = append(m.netdevs, netdev{args.ID, args.Type.NetClientDriver()})
	return nil
}

// netdevDel removes a network backend, in use or not, as QEMU does.
func (m *Machine) netdevDel(args qapi.NetdevDelArgs, _ Request) error {
	i := m.netdev(args.ID)
	if i < 0 {
		return notFound(args.ID)
	}
	m.netdevs = slices.Delete(m.netdevs, i, i+1)
	return nil
}

func (m *Machine) useNetdev(d *device, prop, id string) error {
	switch {
	case m.netdev(id) < 0:
		return d.noValue(prop, id)
	case m.userOf(prop, id) != nil:
		return d.usedValue(prop, id)
	}
	return nil
}

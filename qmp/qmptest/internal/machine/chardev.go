package machine

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/goqapi/goqapi/qapi"
)

// A chardev is a character device.
type chardev struct {
	id, kind string
	filename string
}

func (m *Machine) chardevCommands() map[string]Handler {
	return map[string]Handler{
		"chardev-add":    handle(m, m.chardevAdd),
		"chardev-remove": change(m, m.chardevRemove),
		"query-chardev":  query(m, m.queryChardev),
	}
}

// monitor is the character device of QEMU's own -qmp.
const monitor = "compat_monitor0"

func (m *Machine) chardev(id string) *chardev {
	if i := slices.IndexFunc(m.chardevs, func(c *chardev) bool { return c.id == id }); i >= 0 {
		return m.chardevs[i]
	}
	return nil
}

func (m *Machine) chardevAdd(args qapi.ChardevAddArgs, _ Request) (any, error) {
	if args.ID == monitor || m.chardev(args.ID) != nil {
		return nil, generic("Chardev with id '%s' already exists", args.ID)
	}
	c := &chardev{id: args.ID, kind: string(args.Backend.Type.ChardevBackendKind())}
	c.filename = c.kind
	var result qapi.ChardevReturn
	switch backend := args.Backend.Type.(type) {
	case qapi.ChardevBackendPty:
		result.Pty = new(fmt.Sprintf("/dev/pts/%d", m.made.ptys))
		m.made.ptys++
		c.filename = "pty:" + *result.Pty
	case qapi.ChardevBackendRingbuf:
		if backend.Size != nil && (*backend.Size < 0 || bits.OnesCount64(uint64(*backend.Size)) != 1) {
			return nil, m.noChardev(c, "size of ringbuf chardev must be power of two")
		}
	case qapi.ChardevBackendMux:
		if m.chardev(backend.Chardev) == nil {
			return nil, m.noChardev(c, "mux: base chardev "+backend.Chardev+" not found")
		}
	case qapi.ChardevBackendSocket:
		c.filename = m.socketName(backend)
	}
	m.chardevs = append(m.chardevs, c)
	return result, nil
}

func (m *Machine) noChardev(c *chardev, why string) error {
	return generic("Failed to add chardev '%s': %s", c.id, why)
}

// socketName tells where a socket leads, and that nobody is connected.
func (m *Machine) socketName(backend qapi.ChardevBackendSocket) string {
	name := "disconnected:"
	switch addr := backend.Addr.Type.(type) {
	case qapi.SocketAddressLegacyUnix:
		name += "unix:" + addr.Path
	case qapi.SocketAddressLegacyInet:
		name += "tcp:" + addr.Host + ":" + addr.Port
	default:
		return name + string(addr.SocketAddressType())
	}
	switch {
	case backend.Server != nil && !*backend.Server:
	case m.since("6.0"):
		name += ",server=on"
	default:
		name += ",server"
	}
	return name
}

func (m *Machine) chardevRemove(args qapi.ChardevRemoveArgs, _ Request) error {
	i := slices.IndexFunc(m.chardevs, func(c *chardev) bool { return c.id == args.ID })
	switch {
	case args.ID == monitor || i >= 0 && m.userOf("chardev", args.ID) != nil:
		return generic("Chardev '%s' is busy", args.ID)
	case i < 0:
		return generic("Chardev '%s' not found", args.ID)
	}
	m.chardevs = slices.Delete(m.chardevs, i, i+1)
	return nil
}

func (m *Machine) queryChardev() []qapi.ChardevInfo {
	all := []qapi.ChardevInfo{{Label: monitor, Filename: "unix:", FrontendOpen: true}}
	for _, c := range m.chardevs {
		all = append(all, qapi.ChardevInfo{Label: c.id, Filename: c.filename})
	}
	return all
}

func (m *Machine) useChardev(d *device, prop, id string) error {
	switch {
	case m.chardev(id) == nil:
		return d.noValue(prop, id)
	case m.userOf(prop, id) != nil:
		return d.usedValue(prop, id)
	}
	return nil
}

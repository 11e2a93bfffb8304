package machine

import (
	"encoding/base64"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

// A chardev is a character device.
type chardev struct {
	id, kind string
	filename string

	ring bool  // it is a ring buffer
	size int64 // of the ring buffer
	text []byte
}

func (m *Machine) chardevCommands() map[string]Handler {
	return map[string]Handler{
		"chardev-add":    handle(m, m.chardevAdd),
		"chardev-remove": change(m, m.chardevRemove),
		"chardev-change": handle(m, m.chardevChange),
		"query-chardev":  query(m, m.queryChardev),
		"ringbuf-read":   handle(m, m.ringbufRead),
		"ringbuf-write":  change(m, m.ringbufWrite),
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
	c, result, err := m.newChardev(args)
	if err != nil {
		return nil, err
	}
	m.chardevs = append(m.chardevs, c)
	return result, nil
}

func (m *Machine) newChardev(args qapi.ChardevAddArgs) (*chardev, qapi.ChardevReturn, error) {
	c := &chardev{id: args.ID, kind: string(args.Backend.Type.ChardevBackendKind())}
	c.filename = c.kind
	var result qapi.ChardevReturn
	switch backend := args.Backend.Type.(type) {
	case qapi.ChardevBackendPty:
		result.Pty = new(fmt.Sprintf("/dev/pts/%d", m.made.ptys))
		m.made.ptys++
		c.filename = "pty:" + *result.Pty
	case qapi.ChardevBackendRingbuf:
		return c, result, m.setSize(c, qapi.ChardevRingbuf(backend))
	//lint:ignore SA1019 servers still take the older name
	case qapi.ChardevBackendMemory: //nolint:staticcheck // see above
		return c, result, m.setSize(c, qapi.ChardevRingbuf(backend))
	case qapi.ChardevBackendMux:
		if m.chardev(backend.Chardev) == nil {
			return nil, result, m.noChardev(c, "mux: base chardev "+backend.Chardev+" not found")
		}
	case qapi.ChardevBackendSocket:
		c.filename = m.socketName(backend)
	}
	return c, result, nil
}

// setSize makes a character device a ring buffer, whose size can be 0.
func (m *Machine) setSize(c *chardev, buffer qapi.ChardevRingbuf) error {
	c.ring, c.size = true, valueOr(buffer.Size, 65536)
	if c.size < 0 || bits.OnesCount64(uint64(c.size)) > 1 {
		return m.noChardev(c, "size of ringbuf chardev must be power of two")
	}
	return nil
}

// chardevChange replaces a character device. One that no device uses is gone even if the
// new one cannot be made, as it is in QEMU.
func (m *Machine) chardevChange(args qapi.ChardevChangeArgs, _ Request) (any, error) {
	i := slices.IndexFunc(m.chardevs, func(c *chardev) bool { return c.id == args.ID })
	switch {
	case args.ID == monitor:
		return nil, generic("Chardev user does not support chardev hotswap")
	case i < 0:
		return nil, generic("Chardev '%s' does not exist", args.ID)
	}
	c, result, err := m.newChardev(qapi.ChardevAddArgs(args))
	switch {
	case err == nil:
		m.chardevs[i] = c
	case m.userOf("chardev", args.ID) == nil:
		m.chardevs = slices.Delete(m.chardevs, i, i+1)
	}
	return result, err
}

// ringbuf finds a character device that is a ring buffer.
func (m *Machine) ringbuf(id string) (*chardev, error) {
	if c := m.chardev(id); c != nil && c.ring {
		return c, nil
	}
	return nil, generic("Device '%s' not found", id)
}

func (m *Machine) ringbufWrite(args qapi.RingbufWriteArgs, _ Request) error {
	c, err := m.ringbuf(args.Device)
	if err != nil {
		return err
	}
	text := []byte(args.Data)
	if valueOr(args.Format, qapi.DataFormatUTF8) == qapi.DataFormatBase64 {
		if text, err = base64.StdEncoding.DecodeString(args.Data); err != nil {
			return generic("Base64 data contains invalid characters")
		}
	}
	c.text = append(c.text, text...)
	c.text = c.text[max(0, len(c.text)-int(c.size)):]
	return nil
}

func (m *Machine) ringbufRead(args qapi.RingbufReadArgs, _ Request) (any, error) {
	c, err := m.ringbuf(args.Device)
	if err != nil {
		return nil, err
	}
	if args.Size <= 0 {
		return nil, generic("size must be greater than zero")
	}
	n := min(args.Size, int64(len(c.text)))
	text := c.text[:n]
	c.text = c.text[n:]
	if valueOr(args.Format, qapi.DataFormatUTF8) == qapi.DataFormatBase64 {
		return base64.StdEncoding.EncodeToString(text), nil
	}
	return strings.ToValidUTF8(string(text), "\uFFFD"), nil
}

func (m *Machine) noChardev(c *chardev, why string) error {
	return generic("Failed to add chardev '%s': %s", c.id, why)
}

// socketName returns the address of a socket, with the note that nothing is connected.
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

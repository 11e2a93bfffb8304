package machine

import (
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

// screenCommands returns the commands for what the user of the guest sees and touches: the
// machine has a keyboard and a mouse, and the screens of the cards that are plugged in.
func (m *Machine) screenCommands() map[string]Handler {
	return map[string]Handler{
		"screendump":          change(m, m.screendump),
		"client_migrate_info": change(m, m.clientMigrateInfo),
		"send-key":            change(m, func(qapi.SendKeyArgs, Request) error { return nil }),
		"input-send-event":    change(m, m.sendInput),
	}
}

// noScreen returns why a device cannot be used as a screen.
func (m *Machine) noScreen(id string, head int64) error {
	if m.device(id) == nil {
		return notFound(id)
	}
	return generic("Device %s (head %d) is not bound to a QemuConsole", id, head)
}

func (m *Machine) clientMigrateInfo(args qapi.ClientMigrateInfoArgs, _ Request) error {
	if args.Protocol != "spice" {
		return generic("Parameter 'protocol' expects 'spice'")
	}
	return inactive("SPICE is not in use")
}

func (m *Machine) sendInput(args qapi.InputSendEventArgs, _ Request) error {
	switch {
	case args.Device != nil:
		return m.noScreen(*args.Device, value(args.Head))
	case !m.running():
		return generic("VM not running")
	}
	for _, e := range args.Events {
		kind := e.Type.InputEventKind()
		if kind == qapi.InputEventKindMtt || kind == qapi.InputEventKindAbs && !m.hasTablet() {
			return generic("Input handler not found for event type %s", kind)
		}
	}
	return nil
}

func (m *Machine) hasTablet() bool {
	for _, d := range m.devices {
		if d.driver == "usb-tablet" || strings.HasPrefix(d.driver, "virtio-tablet-") {
			return true
		}
	}
	return false
}

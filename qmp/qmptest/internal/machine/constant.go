package machine

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
)

// constants are the replies of commands that always have the same reply here.
var constants = map[string]string{
	"inject-nmi":                   `{}`,
	"announce-self":                `{}`,
	"rtc-reset-reinjection":        `{}`,
	"watchdog-set-action":          `{}`,
	"query-audiodevs":              `[]`,
	"query-colo-status":            `{"last-mode": "none", "mode": "none", "reason": "none"}`,
	"query-cryptodev":              `[]`,
	"query-current-machine":        `{"wakeup-suspend-support": true}`,
	"query-display-options":        `{"type": "none"}`,
	"query-mice":                   `[{"index": 2, "name": "QEMU PS/2 Mouse", "current": true, "absolute": false}]`,
	"query-pr-managers":            `[]`,
	"query-replay":                 `{"icount": 0, "mode": "none"}`,
	"query-stats":                  `[]`,
	"query-target":                 `{"arch": "x86_64"}`,
	"query-tpm":                    `[]`,
	"query-tpm-models":             `["tpm-crb", "tpm-tis"]`,
	"query-tpm-types":              `["passthrough", "emulator"]`,
	"query-vnc":                    `{"enabled": false}`,
	"query-vnc-servers":            `[]`,
	"query-xen-replication-status": `{"error": false}`,
}

// missing has, by command, the error of commands that need something the machine does not have.
var missing = map[string]string{
	"query-gic-capabilities": "GIC hardware is not available on this target",
	"query-sev-capabilities": "KVM not enabled",
	"query-sgx":              "No EPC regions defined, SGX not available",
	"query-sgx-capabilities": "SGX is not enabled in KVM",
	"query-vm-generation-id": "VM Generation ID device not found",
	"query-firmware-log":     "firmware log buffer not found",
}

// noPassword returns why a display's password cannot be set: there is no display.
func (m *Machine) noPassword(args struct {
	Protocol qapi.DisplayProtocol `json:"protocol"`
}, _ Request,
) error {
	if args.Protocol == qapi.DisplayProtocolSpice {
		return inactive("SPICE is not in use")
	}
	return generic("Could not set password")
}

func (m *Machine) constantCommands() map[string]Handler {
	all := map[string]Handler{
		"expire_password":                    change(m, m.noPassword),
		"set_password":                       change(m, m.noPassword),
		"query-acpi-ospm-status":             query(m, m.acpiSlots),
		"query-dirty-rate":                   handle(m, m.queryDirtyRate),
		"query-dump-guest-memory-capability": query(m, m.dumpFormats),
	}
	for name, text := range constants {
		all[name] = query(m, func() jsontext.Value { return jsontext.Value(text) })
	}
	for name, why := range missing {
		all[name] = change(m, func(struct{}, Request) error { return generic("%s", why) })
	}
	return all
}

func (m *Machine) dumpFormats() qapi.DumpGuestMemoryCapability {
	formats := []qapi.DumpGuestMemoryFormat{qapi.DumpGuestMemoryFormatElf, qapi.DumpGuestMemoryFormatKdumpZlib}
	if m.since("10.0") {
		formats = append(formats, qapi.DumpGuestMemoryFormatKdumpRawZlib)
	}
	if !m.since("11.1") {
		formats = append(formats, qapi.DumpGuestMemoryFormatWinDmp)
	}
	return qapi.DumpGuestMemoryCapability{Formats: formats}
}

package machine

import (
	"path"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
)

// An answer is the reply or the error that a command gets from a certain release on.
type answer struct {
	since string
	reply string
	err   string
}

// answers has, by command, the answers that never change while a machine runs: one, or one for each group of
// releases, the oldest first. Most of them are about things that the machine does not have.
var answers = map[string][]answer{
	"cancel-vcpu-dirty-limit":       {{reply: `{}`}},
	"query-accelerators":            {{reply: `{"enabled": "tcg", "present": ["kvm", "mshv", "qtest", "tcg"]}`}},
	"query-spice":                   {{reply: `{"migrated": false, "enabled": false, "mouse-mode": "client"}`}},
	"query-vcpu-dirty-limit":        {{reply: `[]`}},
	"xen-colo-do-checkpoint":        {{reply: `{}`}},
	"request-ebpf":                  {{reply: `{"object": "f0VMRg=="}`}}, // the first bytes of an ELF file
	"xen-set-global-dirty-log":      {{reply: `{}`}},
	"x-accel-stats":                 {{reply: `{"human-readable-text": "TB count            0\n"}`}},
	"x-query-irq":                   {{reply: `{"human-readable-text": "IRQ statistics for ioapic:\n 0: 1\nIRQ statistics for isa-i8259:\n 0: 1\n"}`}},
	"x-query-jit":                   {{reply: `{"human-readable-text": "TB count            0\n"}`}},
	"x-query-numa":                  {{reply: `{"human-readable-text": "0 nodes\n"}`}},
	"x-query-opcount":               {{reply: `{"human-readable-text": "[TCG profiler not compiled]\n"}`}},
	"x-query-ramblock":              {{reply: `{"human-readable-text": "pc.ram    4 KiB  0x0000000000000000 0x0000000004000000 0x0000000004000000\n"}`}},
	"x-query-roms":                  {{reply: `{"human-readable-text": "fw=genroms/kvmvapic.bin size=0x002400 name=\"kvmvapic.bin\"\n"}`}},
	"x-query-interrupt-controllers": {{reply: `{"human-readable-text": "pic0: irr=00 imr=00 isr=00 hprio=0 irq_base=00 rr_sel=0 elcr=00 fnm=0\n"}`}},
	"x-query-rdma":                  {{reply: `{"human-readable-text": ""}`}},
	"query-sev": {
		{reply: `{"enabled": false, "api-minor": 0, "handle": 0, "state": "uninit", "api-major": 0, "build-id": 0, "policy": 0}`},
		{since: "9.1", reply: `{"enabled": false, "api-minor": 0, "handle": 0, "state": "uninit", "api-major": 0, "sev-type": "sev",
			"build-id": 0, "policy": 0}`},
	},

	"change-vnc-password":            {{err: "Could not set password"}, {since: "11.1", err: "No VNC display is present"}},
	"display-update":                 {{err: "Can not find vnc display"}},
	"dump-skeys":                     {{err: "Storage keys information not available for this architecture"}},
	"dumpdtb":                        {{err: "This machine doesn't have an FDT"}},
	"inject-ghes-v2-error":           {{err: "GHES QMP error inject is not compiled in"}},
	"query-cpu-model-baseline":       {{err: "CPU model baseline is not supported on this target"}},
	"query-cpu-model-comparison":     {{err: "CPU model comparison is not supported on this target"}},
	"query-hv-balloon-status-report": {{err: "no hv-balloon device present"}},
	"query-rocker":                   {{err: "rocker not found"}},
	"query-rocker-of-dpa-flows":      {{err: "rocker not found"}},
	"query-rocker-of-dpa-groups":     {{err: "rocker not found"}},
	"query-rocker-ports":             {{err: "rocker not found"}},
	"query-s390x-cpu-polarization":   {{err: "CPU polarization is not supported on this target"}},
	"query-sev-attestation-report":   {{err: "SEV is not enabled"}},
	"query-sev-launch-measure":       {{err: "SEV launch measurement is not available"}},
	"replay-break":                   {{err: "setting the breakpoint is allowed only in play mode"}},
	"replay-delete-break":            {{err: "replay breakpoints are allowed only in play mode"}},
	"replay-seek":                    {{err: "replay must be enabled to seek"}},
	"set-cpu-topology":               {{err: "CPU topology change is not supported on this target"}},
	"set-numa-node":                  {{err: "The command is permitted only before the machine has been created"}},
	"set-vcpu-dirty-limit":           {{err: "dirty page limit feature requires KVM with accelerator property 'dirty-ring-size' set"}},
	"sev-inject-launch-secret":       {{err: "SEV not enabled for guest"}},
	"x-colo-lost-heartbeat":          {{err: "VM is not in COLO mode"}},
	"x-exit-preconfig":               {{err: "The command is permitted only before machine initialization"}},
	"x-query-profile":                {{err: "Internal profiler not compiled"}},
	"x-query-usb":                    {{err: "USB support not enabled"}},
	"xen-event-inject":               {{err: "Xen event channel emulation not enabled"}},
	"xen-event-list":                 {{err: "Xen event channel emulation not enabled"}},
}

// noSuchPath are the commands that need a device at a path of the tree of objects, which the
// machine does not have.
var noSuchPath = []string{
	"cxl-add-dynamic-capacity", "cxl-inject-correctable-error", "cxl-inject-dram-event", "cxl-inject-general-media-event",
	"cxl-inject-memory-module-event", "cxl-inject-poison", "cxl-inject-uncorrectable-errors", "cxl-release-dynamic-capacity",
}

func (m *Machine) answerCommands() map[string]Handler {
	all := map[string]Handler{
		"add_client":             change(m, m.addClient),
		"calc-dirty-rate":        change(m, m.calcDirtyRate),
		"chardev-send-break":     change(m, m.sendBreak),
		"device-sync-config":     change(m, m.syncConfig),
		"display-reload":         change(m, m.reloadDisplay),
		"memsave":                change(m, m.memsave),
		"pmemsave":               change(m, func(qapi.PmemsaveArgs, Request) error { return nil }),
		"query-chardev-backends": query(m, m.chardevBackends),
		"query-rx-filter":        handle(m, m.rxFilters),
		"query-stats-schemas":    handle(m, m.statsSchemas),
		"trace-event-get-state":  handle(m, m.traceState),
		"trace-event-set-state":  change(m, m.setTraceState),
		"xen-set-replication":    change(m, m.setReplication),
		"xen-save-devices-state": change(m, func(qapi.XenSaveDevicesStateArgs, Request) error { return nil }),
	}
	for name, list := range answers {
		all[name] = handle(m, func(jsontext.Value, Request) (any, error) { return m.answered(list) })
	}
	for _, name := range noSuchPath {
		all[name] = change(m, func(jsontext.Value, Request) error { return generic("Unable to resolve path") })
	}
	return all
}

func (m *Machine) answered(list []answer) (any, error) {
	var now answer
	for _, a := range list {
		if m.has(a.since, "") {
			now = a
		}
	}
	if now.err != "" {
		return nil, generic("%s", now.err)
	}
	return jsontext.Value(now.reply), nil
}

// setReplication does nothing, except that it refuses arguments that exclude each other.
func (m *Machine) setReplication(args qapi.XenSetReplicationArgs, _ Request) error {
	if args.Enable && args.Failover != nil {
		return generic("Parameter 'failover' can't be set when enabling")
	}
	return nil
}

// reloadDisplay does nothing, since there is no display. To reload certificates is an error.
func (m *Machine) reloadDisplay(args qapi.DisplayReloadOptions, _ Request) error {
	if vnc, ok := args.Type.(qapi.DisplayReloadOptionsVNC); ok && value(vnc.TLSCerts) {
		return generic("vnc not enabled")
	}
	return nil
}

// addClient fails: there is no display that could get the connection that was passed.
func (m *Machine) addClient(args qapi.AddClientArgs, _ Request) error {
	f := m.files[args.Fdname]
	if f == nil {
		return generic("File descriptor named '%s' has not been found", args.Fdname)
	}
	delete(m.files, args.Fdname)
	f.Close()
	if args.Protocol == "spice" {
		return inactive("SPICE is not in use")
	}
	return generic("protocol '%s' is invalid", args.Protocol)
}

func (m *Machine) sendBreak(args qapi.ChardevSendBreakArgs, _ Request) error {
	if args.ID != monitor && m.chardev(args.ID) == nil {
		return generic("Chardev '%s' not found", args.ID)
	}
	return nil
}

// syncConfig does nothing to the few devices that QEMU can do it for, and refuses the others.
func (m *Machine) syncConfig(args qapi.DeviceSyncConfigArgs, _ Request) error {
	d := m.device(args.ID)
	if d == nil {
		return generic("Device '%s' not found", args.ID)
	}
	if d.isDisk() && d.onPCI() {
		return nil
	}
	return generic("device-sync-config is not supported for '%s'", d.driver)
}

// memsave saves memory as the processor sees it. Nothing is written here.
func (m *Machine) memsave(args qapi.MemsaveArgs, _ Request) error {
	switch {
	case value(args.CPUIndex) != 0:
		return generic("Parameter 'cpu-index' expects a CPU number")
	case args.Val+args.Size > 1<<32 || args.Val+args.Size < args.Val:
		return generic("Invalid addr 0x%016x/size %d specified", args.Val, args.Size)
	}
	return nil
}

// backends are the kinds of character devices, of those releases that have them.
const backends = `
	braille before=6.0
	file
	hub since=10.0
	memory
	msmouse
	mux
	null
	parallel
	parport before=6.0
	pipe
	pty
	qemu-vdagent since=6.1
	ringbuf
	serial
	socket
	spiceport before=6.0
	spicevmc before=6.0
	stdio
	testdev
	tty before=6.0
	udp
	vc
	wctablet`

func (m *Machine) chardevBackends() []qapi.ChardevBackendInfo {
	all := []qapi.ChardevBackendInfo{}
	for _, r := range m.records("all" + backends)[0].parts {
		all = append(all, qapi.ChardevBackendInfo{Name: r.name})
	}
	return all
}

func (m *Machine) rxFilters(args qapi.QueryRxFilterArgs, _ Request) (any, error) {
	if args.Name == nil {
		return []qapi.RxFilterInfo{}, nil
	}
	for _, d := range m.devices {
		if d.id == *args.Name && d.isCard() {
			return nil, generic("net client(%s) doesn't support rx-filter querying", d.id)
		}
	}
	return nil, generic("invalid net client name: %s", *args.Name)
}

// cryptoStats are the statistics of crypto devices, the only ones there are without KVM.
var cryptoStats = []string{
	"asym-decrypt-bytes", "asym-decrypt-ops", "asym-encrypt-bytes", "asym-encrypt-ops", "asym-sign-bytes", "asym-sign-ops",
	"asym-verify-bytes", "asym-verify-ops", "sym-decrypt-bytes", "sym-decrypt-ops", "sym-encrypt-bytes", "sym-encrypt-ops",
}

func (m *Machine) statsSchemas(args qapi.QueryStatsSchemasArgs, _ Request) (any, error) {
	all := []qapi.StatsSchema{}
	if m.since("8.0") && valueOr(args.Provider, qapi.StatsProviderCryptodev) == qapi.StatsProviderCryptodev {
		crypto := qapi.StatsSchema{Provider: qapi.StatsProviderCryptodev, Target: qapi.StatsTargetCryptodev}
		for _, name := range cryptoStats {
			crypto.Stats = append(crypto.Stats, qapi.StatsSchemaValue{Name: name, Type: qapi.StatsTypeCumulative})
		}
		all = append(all, crypto)
	}
	return all, nil
}

// traceable are the few trace events that the machine knows, which are in each release.
var traceable = []string{"qemu_mutex_lock", "qemu_mutex_locked", "qemu_mutex_unlock"}

// traces returns the trace events that a pattern is about.
func traces(pattern string) (all []string, err error) {
	for _, name := range traceable {
		if ok, bad := path.Match(pattern, name); ok && bad == nil {
			all = append(all, name)
		}
	}
	if len(all) == 0 && !slices.Contains([]byte(pattern), '*') {
		return nil, generic("unknown event \"%s\"", pattern)
	}
	return all, nil
}

func (m *Machine) traceState(args qapi.TraceEventGetStateArgs, _ Request) (any, error) {
	names, err := traces(args.Name)
	all := []qapi.TraceEventInfo{}
	for _, name := range names {
		state := qapi.TraceEventStateDisabled
		if m.traced[name] {
			state = qapi.TraceEventStateEnabled
		}
		all = append(all, qapi.TraceEventInfo{Name: name, State: state})
	}
	return all, err
}

func (m *Machine) setTraceState(args qapi.TraceEventSetStateArgs, _ Request) error {
	names, err := traces(args.Name)
	for _, name := range names {
		m.traced[name] = args.Enable
	}
	return err
}

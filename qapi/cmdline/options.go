package cmdline

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

// The options: json is the first release that takes JSON, other members are for key=value.
var (
	blockdev  = format{option: "blockdev", of: system | daemon, json: release{5, 2}}
	nbdServer = format{option: "nbd-server", of: daemon, json: release{5, 2}}
	export    = format{option: "export", of: daemon, json: release{5, 2}}
	audiodev  = format{option: "audiodev", of: system, json: release{5, 2}}
	display   = format{option: "display", of: system, json: release{5, 2}}
	compat    = format{option: "compat", of: system, json: release{6, 0}}
	object    = format{option: "object", of: system | daemon, json: release{6, 0}, first: "qom-type", lists: repeated}
	device    = format{option: "device", of: system, json: release{7, 0}, first: "driver"} // 6.2 takes JSON, but can then never unplug the device
	netdev    = format{option: "netdev", of: system, json: release{7, 2}, first: "type", lists: repeated}
	numa      = format{option: "numa", of: system, first: "type", lists: repeated, mib: "mem"}
	chardev   = format{option: "chardev", of: system | daemon, first: "backend", lists: dotted}
	monitorAt = format{option: "qmp", of: system}
	monitor   = format{option: "mon", of: system | daemon}
	machine   = format{option: "machine", of: system, first: "type"}
	accel     = format{option: "accel", of: system, first: "accel"}
	cpu       = format{option: "cpu", of: system}
	smp       = format{option: "smp", of: system}
	memory    = format{option: "m", of: system}
)

// Blockdev is -blockdev: a block node, which a device can then name as its drive.
func Blockdev(o qapi.BlockdevOptions) Arg { return blockdev.value(o) }

// Netdev is -netdev: the host's side of a network card.
func Netdev(o qapi.Netdev) Arg { return netdev.value(o) }

// Object is -object: a memory backend, an I/O thread, TLS credentials, a secret that is read
// from a file. An object must come before what uses it.
func Object(o qapi.ObjectOptions) Arg { return object.value(o) }

// Audiodev is -audiodev: the host's side of a sound card.
func Audiodev(o qapi.Audiodev) Arg { return audiodev.value(o) }

// Display is -display: the window in which the machine is shown, or none.
func Display(o qapi.DisplayOptions) Arg { return display.value(o) }

// Device is -device: a device that is there from the start. Unlike with
// [qapi.Client.DeviceAdd], the device may be one that cannot be plugged in later, and it
// may be on any bus.
func Device(dev qapi.Device) Arg {
	return device.arg(func(t target) ([]string, error) {
		args, err := qapi.DeviceArgs(dev)
		if err != nil {
			return nil, reason(err)
		}
		return device.value(args).build(t)
	})
}

// Compat is -compat, which makes QEMU 6.0 and newer refuse or hide everything that is
// deprecated or unstable. It is for tests.
func Compat(o qapi.CompatPolicy) Arg {
	return compat.arg(func(t target) ([]string, error) {
		if !compat.json.has(t) {
			return nil, fmt.Errorf("QEMU %d.%d does not have it", t.Major, t.Minor)
		}
		return compat.value(o).build(t)
	})
}

// NUMA is -numa: a node of the guest's memory and processors, or a property of nodes.
func NUMA(o qapi.NUMAOptions) Arg { return numa.value(o) }

// Machine is -machine: the type, such as "q35", and the properties of the machine. On
// QEMU 6.1 and newer they can be objects and lists, in maps and slices.
func Machine(typ string, props map[string]any) Arg {
	return machine.arg(func(t target) ([]string, error) {
		f := machine
		if t.AtLeast(6, 1) {
			f.lists = dotted
		}
		return f.named(typ, props).build(t)
	})
}

// Accel is -accel: the accelerator, which executes the guest's code, such as "kvm" or
// "tcg", and its properties. If several are given, QEMU uses the first one that is
// available.
func Accel(name string, props map[string]any) Arg { return accel.named(name, props) }

// CPU is -cpu: the model, such as "host" or "Skylake-Client", and its features: true and false
// for on and off, numbers and strings for features with a value. None of them can contain a
// comma, since QEMU does not accept one there.
func CPU(model string, features map[string]any) Arg {
	return cpu.arg(func(t target) ([]string, error) {
		object, err := encode(features)
		if err != nil {
			return nil, err
		}
		pairs, err := cpu.flatten(t, object)
		if err != nil {
			return nil, err
		}
		if model == "" || model == "help" || model == "?" || strings.ContainsAny(model, ",\x00") {
			return nil, fmt.Errorf("model: %q is not a name", model)
		}
		for _, p := range pairs {
			if strings.ContainsRune(p.value, ',') {
				return nil, fmt.Errorf("'%s' has a comma, which QEMU does not take in a feature of a CPU", p.key)
			}
		}
		return cpu.pairs(t, model, pairs)
	})
}

// SMP is -smp: how many processors the machine has, and how they are arranged.
func SMP(o qapi.SMPConfiguration) Arg { return smp.value(o) }

// Memory is -m: how much memory the machine has, and how much can be plugged in, in how many slots.
func Memory(o qapi.MemorySizeConfiguration) Arg {
	return memory.arg(func(t target) ([]string, error) {
		var pairs []pair
		add := func(key string, value *uint64, text func(uint64) string) {
			if value != nil {
				pairs = append(pairs, pair{key, text(*value)})
			}
		}
		add("size", o.Size, bytesOf)
		add("slots", o.Slots, func(n uint64) string { return strconv.FormatUint(n, 10) })
		add("maxmem", o.MaxSize, bytesOf)
		return memory.pairs(t, "", pairs)
	})
}

// bytesOf returns a size in bytes for a place where QEMU reads a number without a unit as MiB.
func bytesOf(n uint64) string {
	const mib = 1 << 20
	if n%mib == 0 {
		return strconv.FormatUint(n/mib, 10) + "M"
	}
	return strconv.FormatUint(n, 10) + "B"
}

// QMP is -qmp: a monitor for [qapi.Dial], at an address as QEMU writes it:
// qmp.UnixAddr("/run/vm/qmp.sock")+",server=on,wait=off" for a socket that QEMU listens on
// without waiting for a client.
func QMP(address string) Arg {
	return monitorAt.arg(func(t target) ([]string, error) {
		if err := checkText("-qmp", address); err != nil {
			return nil, err
		}
		return monitorAt.words(t, address), nil
	})
}

// Monitor is -mon: a monitor for QMP (MonitorModeControl) or for people, on a character device that comes
// before it. On QEMU 11.1 and newer, where -mon is deprecated, it
// is an object, and its id, if absent, is that of the character device.
func Monitor(o qapi.MonitorOptions) Arg {
	return monitor.arg(func(t target) ([]string, error) {
		switch {
		case t.program == daemon:
			f := format{option: "monitor", json: release{5, 2}}
			return f.value(o).build(t)
		case !t.AtLeast(11, 1):
			return monitor.value(o).build(t)
		}
		obj := qapi.ObjectOptions{ID: o.Chardev, QOMType: qapi.ObjectOptionsMonitorHMP{Chardev: o.Chardev}}
		if o.ID != nil {
			obj.ID = *o.ID
		}
		if o.Mode != nil && *o.Mode == qapi.MonitorModeControl {
			obj.QOMType = qapi.ObjectOptionsMonitorQMP{Chardev: o.Chardev, Pretty: o.Pretty}
		}
		return Object(obj).build(t)
	})
}

// NBDServer is --nbd-server of the storage daemon: the address at which it serves the block nodes that
// [Export] exports over NBD.
func NBDServer(o qapi.NBDServerOptions) Arg { return nbdServer.value(o) }

// Export is --export of the storage daemon: a block node that others can use.
func Export(o qapi.BlockExportOptions) Arg { return export.value(o) }

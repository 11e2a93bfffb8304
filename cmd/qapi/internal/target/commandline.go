package target

import (
	"cmp"
	"encoding/json"
	"path/filepath"
	"strings"
)

// A commandLine has what a QEMU's arguments say about its sockets.
type commandLine struct {
	program  string
	name     string
	monitors []socket // of QMP
	agents   []socket // sockets for the guest agent
	libvirt  bool
}

// A socket is a socket that a QEMU listens on.
type socket struct {
	path       string // of a Unix socket; an abstract one begins with a zero byte
	host, port string // of TCP
	waits      bool   // QEMU does not start before a client connects
	fd         string // inherited by QEMU; only the system knows its address
}

// agentPort is the name of the virtio port that guest agents use.
const agentPort = "org.qemu.guest_agent.0"

// libvirtMonitor is the id that libvirt gives to the character device of its monitor.
const libvirtMonitor = "charmonitor"

// program returns the name of the QEMU program that args start and its own arguments, or "".
func program(args []string) (string, []string) {
	for i, arg := range args {
		base := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(arg), "."), "-wrapped") // on NixOS
		switch {
		case strings.HasPrefix(base, "qemu-system-"), base == "qemu-kvm", base == "kvm", base == "qemu-storage-daemon":
			return base, args[i+1:]
		case i == 0 && !strings.HasPrefix(base, "ld-"): // a dynamic linker was started: the program comes after its options
			return "", nil
		}
	}
	return "", nil
}

// readCommandLine reads the arguments of a process; ok is false if it is not a QEMU.
func readCommandLine(args []string) (line commandLine, ok bool) {
	line.program, args = program(args)
	if line.program == "" {
		return line, false
	}
	chardevs, ports, chosen := map[string]pairs{}, []string{}, []string{}
	for i, arg := range args {
		option, dashed := strings.CutPrefix(strings.Replace(arg, "--", "-", 1), "-")
		if !dashed || i+1 == len(args) && !strings.Contains(option, "=") {
			continue
		}
		option, value, joined := strings.Cut(option, "=") // the storage daemon allows --monitor=…
		if !joined {
			value = args[i+1]
		}
		switch option {
		case "name":
			line.name = cmp.Or(readPairs(value, "guest")["guest"], line.name)
		case "chardev":
			c := readPairs(value, "backend")
			chardevs[c["id"]] = c
		case "qmp", "qmp-pretty":
			if id, ok := strings.CutPrefix(value, "chardev:"); ok {
				chosen = append(chosen, id)
			} else if s, ok := legacySocket(value); ok {
				line.monitors = append(line.monitors, s)
			}
		case "mon", "monitor":
			m := readPairs(value, "chardev")
			if m["mode"] == "control" || line.program == "qemu-storage-daemon" {
				chosen = append(chosen, m["chardev"])
			}
		case "device":
			if d := readPairs(value, "driver"); d["name"] == agentPort {
				ports = append(ports, d["chardev"])
			}
		}
	}
	line.monitors = append(line.monitors, sockets(chardevs, chosen)...)
	line.agents = sockets(chardevs, ports)
	_, line.libvirt = chardevs[libvirtMonitor]
	return line, true
}

// sockets returns the sockets of some character devices that can be dialled.
func sockets(chardevs map[string]pairs, ids []string) []socket {
	var list []socket
	for _, id := range ids {
		if c := chardevs[id]; c["backend"] == "socket" && c.isSet("server") {
			list = append(list, c.socket())
		}
	}
	return list
}

// legacySocket reads the short form of a character device, such as
// unix:/run/vm.sock,server=on; ok is false if it cannot be dialled.
func legacySocket(text string) (s socket, ok bool) {
	kind, rest, _ := strings.Cut(text, ":")
	if kind != "unix" && kind != "tcp" {
		return s, false
	}
	p := readPairs(rest, "where")
	if !p.isSet("server") || p.isSet("telnet") || p.isSet("websocket") {
		return s, false
	}
	if kind == "unix" {
		p["path"] = cmp.Or(p["path"], p["where"]) // unix:path=… is allowed
	} else if at := strings.LastIndexByte(p["where"], ':'); at >= 0 {
		p["host"], p["port"] = strings.Trim(p["where"][:at], "[]"), p["where"][at+1:]
	}
	return p.socket(), true
}

// pairs are the values of an option of QEMU, by name. Flags without a value are "on".
type pairs map[string]string

// readPairs reads NAME=VALUE,… in which commas of values are doubled, or a JSON object. The
// first part may be only a value, whose name is first.
func readPairs(text, first string) pairs {
	p := pairs{}
	if strings.HasPrefix(text, "{") {
		var members map[string]any
		_ = json.Unmarshal([]byte(text), &members) // QEMU has accepted it, so it is valid
		for name, value := range members {
			if s, ok := value.(string); ok {
				p[name] = s
			}
		}
		return p
	}
	const comma = "\x00" // an argument contains no zero byte
	for i, part := range strings.Split(strings.ReplaceAll(text, ",,", comma), ",") {
		name, value, assigned := strings.Cut(strings.ReplaceAll(part, comma, ","), "=")
		switch {
		case assigned && !(i == 0 && strings.ContainsAny(name, "/:")): // a path may contain a =
			p[name] = value
		case i == 0:
			p[first] = strings.ReplaceAll(part, comma, ",")
		default:
			p[name] = "on"
		}
	}
	return p
}

func (p pairs) isSet(flag string) bool {
	return p[flag] == "on" || p[flag] == "yes" || p[flag] == "true"
}

func (p pairs) socket() socket {
	path := p["path"]
	if path != "" && p.isSet("abstract") {
		path = "\x00" + path
	}
	waits := p["wait"] != "off" && p["wait"] != "no" && p["wait"] != "false" && p["nowait"] == ""
	return socket{path: path, host: p["host"], port: p["port"], fd: p["fd"], waits: waits}
}

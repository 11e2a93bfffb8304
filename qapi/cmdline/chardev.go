package cmdline

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
)

// keys has the members of character devices, as backend.member, whose name in -chardev differs. A member of a
// nested object, usually of an address, cannot be set in -chardev if it is not in this table.
var keys = map[string]string{
	"file.in":         "input-path",
	"file.out":        "path",
	"pipe.device":     "path",
	"serial.device":   "path",
	"parallel.device": "path",
	"spicevmc.type":   "name",
	"spiceport.fqdn":  "name",

	"socket.addr.data.host":     "host",
	"socket.addr.data.port":     "port",
	"socket.addr.data.to":       "to",
	"socket.addr.data.ipv4":     "ipv4",
	"socket.addr.data.ipv6":     "ipv6",
	"socket.addr.data.path":     "path",
	"socket.addr.data.abstract": "abstract",
	"socket.addr.data.tight":    "tight",
	"socket.addr.data.str":      "fd",
	"socket.nodelay":            "delay", // its value is inverted; QEMU 5.2 does not have nodelay

	"udp.remote.data.host": "host",
	"udp.remote.data.port": "port",
	"udp.remote.data.ipv4": "ipv4",
	"udp.remote.data.ipv6": "ipv6",
	"udp.local.data.host":  "localaddr",
	"udp.local.data.port":  "localport",
}

// Chardev is -chardev: the host's side of a serial port, a monitor and the like. It is an error if
// the option cannot express something: such a character device can be added over QMP
// (chardev-add).
func Chardev(id string, backend qapi.ChardevBackend) Arg {
	return chardev.arg(func(t target) ([]string, error) {
		if id == "" || strings.ContainsRune(id, 0) {
			return nil, fmt.Errorf("%q cannot be an id", id)
		}
		object, err := encode(backend)
		if err != nil {
			return nil, err
		}
		var b struct {
			Type string         `json:"type"`
			Data jsontext.Value `json:"data"`
		}
		if err := json.Unmarshal(object, &b); err != nil {
			return nil, err
		}
		var members []pair
		if b.Data != nil {
			if members, err = chardev.flatten(t, b.Data); err != nil {
				return nil, err
			}
		}
		pairs := []pair{{"id", id}}
		for _, m := range members {
			if b.Type == "pty" && m.key == "path" && !t.AtLeast(9, 2) {
				return nil, fmt.Errorf("QEMU %d.%d ignores 'path' of a pty; 9.2 is the first that takes it", t.Major, t.Minor)
			}
			if pairs, err = addMember(pairs, b.Type, m); err != nil {
				return nil, err
			}
		}
		if b.Type == "socket" {
			pairs = socketDefaults(pairs)
		}
		return chardev.pairs(t, b.Type, pairs)
	})
}

// socketDefaults adds the defaults of chardev-add, which -chardev does not have: the
// socket listens, and QEMU does not wait for a client.
func socketDefaults(pairs []pair) []pair {
	value := func(key string) string {
		for _, p := range pairs {
			if p.key == key {
				return p.value
			}
		}
		return ""
	}
	if value("server") == "" {
		pairs = append(pairs, pair{"server", "on"})
	}
	if value("server") == "on" && value("wait") == "" {
		pairs = append(pairs, pair{"wait", "off"})
	}
	return pairs
}

// addMember adds a member of a backend under the name that -chardev has for it.
func addMember(pairs []pair, backend string, m pair) ([]pair, error) {
	key, renamed := keys[backend+"."+m.key]
	switch {
	case m.key == "addr.type", m.key == "remote.type", m.key == "local.type":
		return pairs, nil // the names of the other members show the type
	case key == "delay":
		m.value = map[string]string{"on": "off", "off": "on"}[m.value]
	case !renamed && strings.Contains(m.key, ".") && backend != "hub":
		return nil, fmt.Errorf("'%s' cannot be set in this option; use the QMP command chardev-add", strings.ReplaceAll(m.key, ".data.", "."))
	case !renamed:
		key = m.key
	}
	return append(pairs, pair{key, m.value}), nil
}

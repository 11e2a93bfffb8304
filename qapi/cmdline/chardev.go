package cmdline

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// keys are the members of character devices that -chardev has under other names, as
// backend.member. Members within others, of addresses for the most part, that are not in
// it have none.
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
	"socket.nodelay":            "delay", // the opposite; QEMU 5.2 does not have the other

	"udp.remote.data.host": "host",
	"udp.remote.data.port": "port",
	"udp.remote.data.ipv4": "ipv4",
	"udp.remote.data.ipv6": "ipv6",
	"udp.local.data.host":  "localaddr",
	"udp.local.data.port":  "localport",
}

// Chardev is -chardev: the host's side of a serial port, a monitor and the like. What
// this option cannot say is an error: such a character device can be added over QMP
// (chardev-add).
func Chardev(id string, backend qapi.ChardevBackend) Arg {
	return Arg{chardev.option, func(v qmp.Version) ([]string, error) {
		object, err := encode(backend)
		if err != nil {
			return nil, err
		}
		var b struct {
			Type string
			Data jsontext.Value
		}
		if err := json.Unmarshal(object, &b, json.MatchCaseInsensitiveNames(true)); err != nil {
			return nil, err
		}
		pairs := []pair{{"id", id}}
		if id == "" || strings.ContainsRune(id, 0) {
			return nil, fmt.Errorf("%q cannot be the id", id)
		}
		options, err := flatten(b.Data, dotted)
		if err != nil {
			return nil, err
		}
		for _, o := range options {
			if b.Type == "pty" && o.key == "path" && !v.AtLeast(9, 2) {
				return nil, fmt.Errorf("QEMU %d.%d ignores 'path' of a pty; 9.2 is the first that takes it", v.Major, v.Minor)
			}
			if pairs, err = addOption(pairs, b.Type, o); err != nil {
				return nil, err
			}
		}
		return chardev.join(b.Type, pairs)
	}}
}

// addOption adds a member of a backend under the name that -chardev has for it.
func addOption(pairs []pair, backend string, o pair) ([]pair, error) {
	key, renamed := keys[backend+"."+o.key]
	switch {
	case o.key == "addr.type", o.key == "remote.type", o.key == "local.type":
		return pairs, nil // the other members say it
	case key == "delay":
		o.value = map[string]string{"on": "off", "off": "on"}[o.value]
	case !renamed && strings.Contains(o.key, ".") && backend != "hub":
		return nil, fmt.Errorf("'%s' cannot be said there; chardev-add of QMP has it", strings.ReplaceAll(o.key, ".data.", "."))
	case !renamed:
		key = o.key
	}
	return append(pairs, pair{key, o.value}), nil
}

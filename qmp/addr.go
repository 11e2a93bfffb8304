package qmp

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// An address is a parsed one, as QEMU's -qmp argument writes it.
type address struct {
	kind   string // unix, tcp, fd, pipe, vsock
	path   string // unix, pipe; an abstract socket's begins with a zero byte
	host   string // tcp; a name, or an IP address without brackets
	port   string
	family string // tcp: "4", "6", or "" for either
	secure bool   // tcp: it names TLS credentials
	fd     int
	cid    uint32 // vsock
	vport  uint32
}

// abstractSize is what QEMU pads an abstract name to with tight=off, the zero
// byte in front included.
const abstractSize = 108

// parseAddress reads KIND:WHERE,OPTION=VALUE,… A comma within a value is doubled.
// Of the options those matter that say where.
func parseAddress(text string) (address, error) {
	if strings.ContainsRune(text, 0) {
		return address{}, errors.New("it contains a zero byte")
	}
	first, opts := splitOptions(text)
	kind, where, ok := strings.Cut(first, ":")
	if !ok && first != "stdio" || strings.Contains(kind, "/") {
		return address{}, errors.New(`it does not begin with its kind, such as "unix:" or "tcp:"`)
	}
	a := address{kind: kind}
	var err error
	switch kind {
	case "unix":
		a.path, err = socketPath(where, opts)
	case "tcp":
		if a.host, a.port, err = hostPort(where); err == nil {
			err = a.setTCP(opts)
		}
	case "fd":
		a.fd, err = strconv.Atoi(where)
		if err != nil || a.fd < 0 {
			err = fmt.Errorf("%q is no file descriptor", where)
		}
	case "pipe":
		if a.path = where; where == "" {
			err = errors.New("the path is missing")
		}
	case "vsock":
		a.cid, a.vport, err = contextPort(where)
	case "stdio":
		err = errors.New("Start makes a connection of a program's standard input and output")
	case "pty", "telnet", "websocket", "ws", "wss", "tls":
		err = fmt.Errorf("a connection of the kind %q is not made with an address", kind)
	default:
		err = fmt.Errorf("unknown kind %q; there are unix, tcp, vsock, fd and pipe", kind)
	}
	return a, err
}

// addressOptions are names with their values.
type addressOptions [][2]string

// get is the value that was given last.
func (o addressOptions) get(name string) string {
	for _, opt := range slices.Backward(o) {
		if opt[0] == name {
			return opt[1]
		}
	}
	return ""
}

// choice is an option that is on or off, or was not given.
func (o addressOptions) choice(name string) (on, off bool) {
	switch o.get(name) {
	case "":
		return false, false
	case "on", "yes", "true", "y":
		return true, false
	}
	return false, true
}

// splitOptions splits at single commas, and makes double ones single.
func splitOptions(text string) (first string, opts addressOptions) {
	const comma = "\x00" // not in text
	parts := strings.Split(strings.ReplaceAll(text, ",,", comma), ",")
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], comma, ",")
	}
	for _, part := range parts[1:] {
		name, value, ok := strings.Cut(part, "=")
		if !ok { // QEMU's short form
			value = "on"
			if short, no := strings.CutPrefix(name, "no"); no {
				name, value = short, "off"
			}
		}
		opts = append(opts, [2]string{name, value})
	}
	return parts[0], opts
}

func socketPath(path string, opts addressOptions) (string, error) {
	if path == "" {
		return "", errors.New("the path is missing")
	}
	if abstract, _ := opts.choice("abstract"); abstract {
		path = "\x00" + path
		if _, loose := opts.choice("tight"); loose && len(path) < abstractSize {
			path += strings.Repeat("\x00", abstractSize-len(path))
		}
	} else if path[0] == '@' {
		path = "./" + path // package net would take it for an abstract name
	}
	return path, nil
}

func hostPort(where string) (host, port string, err error) {
	at := strings.LastIndexByte(where, ':')
	if at < 0 {
		return "", "", errors.New("the port is missing")
	}
	host, port = where[:at], where[at+1:]
	if bare, ok := strings.CutPrefix(host, "["); ok {
		if host, ok = strings.CutSuffix(bare, "]"); !ok {
			return "", "", errors.New("a bracket is missing")
		}
	} else if strings.Contains(host, ":") {
		return "", "", errors.New("an IPv6 address needs brackets")
	}
	switch {
	case strings.Contains(host, "["):
		return "", "", errors.New("a bracket is out of place")
	case port == "":
		return "", "", errors.New("the port is missing")
	}
	return host, port, nil // no host: this one
}

// setTCP takes the options of a tcp: address.
func (a *address) setTCP(opts addressOptions) error {
	telnet, _ := opts.choice("telnet")
	websocket, _ := opts.choice("websocket")
	if telnet || websocket {
		return errors.New("QMP is not spoken through telnet or a websocket")
	}
	a.secure = opts.get("tls-creds") != ""
	on4, off4 := opts.choice("ipv4")
	on6, off6 := opts.choice("ipv6")
	if only4, only6 := on4 || off6, on6 || off4; only4 != only6 {
		a.family = "6"
		if only4 {
			a.family = "4"
		}
	}
	return nil
}

func contextPort(where string) (cid, port uint32, err error) {
	first, second, ok := strings.Cut(where, ":")
	c, err1 := strconv.ParseUint(first, 10, 32)
	p, err2 := strconv.ParseUint(second, 10, 32)
	if !ok || err1 != nil || err2 != nil {
		return 0, 0, fmt.Errorf("%q is not the numbers CID:PORT", where)
	}
	return uint32(c), uint32(p), nil
}

// String is the address as QEMU and parseAddress read it.
func (a address) String() string {
	text := a.kind + ":"
	switch a.kind {
	case "unix", "pipe":
		path := a.path
		name, abstract := strings.CutPrefix(path, "\x00")
		if abstract {
			path = strings.TrimRight(name, "\x00")
		}
		text += doubleCommas(path)
		if abstract {
			text += ",abstract=on"
		}
		if path != name && abstract {
			text += ",tight=off"
		}
	case "tcp":
		text += doubleCommas(net.JoinHostPort(a.host, a.port))
		if a.family != "" {
			text += ",ipv" + a.family + "=on"
		}
	case "fd":
		text += strconv.Itoa(a.fd)
	case "vsock":
		text += fmt.Sprintf("%d:%d", a.cid, a.vport)
	}
	return text
}

func doubleCommas(s string) string { return strings.ReplaceAll(s, ",", ",,") }

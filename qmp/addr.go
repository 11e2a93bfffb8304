package qmp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// An address is a parsed one, as QEMU's -qmp argument writes it.
type address struct {
	kind string // unix, tcp, fd, pipe
	path string // unix, pipe; an abstract socket's begins with a zero byte
	host string // tcp; a name, or an IP address without brackets
	port string
	fd   int
}

// abstractSize is what QEMU pads an abstract name to with tight=off, the zero
// byte in front included.
const abstractSize = 108

// parseAddress reads KIND:WHERE,OPTION=VALUE,… A comma within a path is doubled.
// Of the options only those that are part of an abstract socket's name matter.
func parseAddress(text string) (address, error) {
	kind, rest, ok := strings.Cut(text, ":")
	if !ok || strings.Contains(kind, "/") {
		return address{}, errors.New(`it does not begin with its kind, such as "unix:" or "tcp:"`)
	}
	where, opts := splitOptions(rest)
	a := address{kind: kind}
	var err error
	switch kind {
	case "unix":
		a.path, err = socketPath(where, opts)
	case "tcp":
		a.host, a.port, err = hostPort(where)
	case "fd":
		a.fd, err = strconv.Atoi(where)
		if err != nil || a.fd < 0 {
			err = fmt.Errorf("%q is no file descriptor", where)
		}
	case "pipe":
		if a.path = where; where == "" {
			err = errors.New("the path is missing")
		}
	case "vsock", "stdio", "pty", "telnet", "websocket", "ws", "wss", "tls":
		err = fmt.Errorf("a connection of the kind %q is not made with Dial", kind)
	default:
		err = fmt.Errorf("unknown kind %q; there are unix, tcp, fd and pipe", kind)
	}
	return a, err
}

// splitOptions splits at single commas, and makes double ones single.
func splitOptions(text string) (first string, opts map[string]string) {
	const comma = "\x00" // in no argument of a program
	parts := strings.Split(strings.ReplaceAll(text, ",,", comma), ",")
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], comma, ",")
	}
	opts = make(map[string]string)
	for _, part := range parts[1:] {
		name, value, ok := strings.Cut(part, "=")
		if !ok { // QEMU's short form
			value = "on"
			if short, no := strings.CutPrefix(name, "no"); no {
				name, value = short, "off"
			}
		}
		opts[name] = value
	}
	return parts[0], opts
}

func socketPath(path string, opts map[string]string) (string, error) {
	if path == "" {
		return "", errors.New("the path is missing")
	}
	if isOn(opts["abstract"]) {
		path = "\x00" + path
		if tight, given := opts["tight"]; given && !isOn(tight) && len(path) < abstractSize {
			path += strings.Repeat("\x00", abstractSize-len(path))
		}
	} else if path[0] == '@' {
		path = "./" + path // package net would take it for an abstract name
	}
	return path, nil
}

func isOn(value string) bool {
	return value == "on" || value == "yes" || value == "true" || value == "y"
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
	if port == "" {
		return "", "", errors.New("the port is missing")
	}
	return host, port, nil // no host: this one
}

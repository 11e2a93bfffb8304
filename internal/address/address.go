// Package address reads addresses as QEMU's -qmp argument writes them. It is the one
// parser that all packages use.
package address

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// An Address is the address of a server, or one to which a server connects.
type Address struct {
	Kind   string // unix, tcp, fd, pipe, vsock
	Path   string // unix, pipe; an abstract socket's begins with a zero byte
	Host   string // tcp; a name, or an IP address without brackets
	Port   string
	Family string // tcp: "4", "6", or "" for either
	Secure bool   // the address names TLS credentials
	FD     int
	CID    uint32 // vsock
	VPort  uint32
}

// abstractSize is the size to which QEMU pads an abstract name with tight=off, with the
// zero byte at the front.
const abstractSize = 108

// Parse reads KIND:WHERE,OPTION=VALUE,… A comma within a value is doubled. Options that
// do not say where are checked and ignored, unknown ones are an error.
func Parse(text string) (Address, error) {
	a, err := parse(text)
	if err != nil {
		return Address{}, fmt.Errorf("address %q: %w", text, err)
	}
	return a, nil
}

// ParseStream is like [Parse], but accepts only sockets, and only without TLS.
func ParseStream(text string) (Address, error) {
	a, err := Parse(text)
	switch {
	case err != nil:
	case a.Kind != "unix" && a.Kind != "tcp":
		err = fmt.Errorf("address %q: it is neither a unix: nor a tcp: address", text)
	case a.Secure:
		err = fmt.Errorf("address %q: it has tls-creds: for TLS use package qmptls", text)
	}
	return a, err
}

func parse(text string) (a Address, err error) {
	if strings.ContainsRune(text, 0) {
		return a, errors.New("it contains a zero byte")
	}
	kind, rest, ok := strings.Cut(text, ":")
	if !ok && kind != "stdio" || strings.Contains(kind, "/") {
		return a, errors.New(`it does not begin with its kind, such as "unix:" or "tcp:"`)
	}
	a.Kind = kind
	switch kind {
	case "unix", "tcp":
		where, opts, err := split(kind, rest)
		if err != nil {
			return a, err
		}
		if kind == "unix" {
			return a, a.setUnix(where, opts)
		}
		return a, a.setTCP(where, opts)
	case "pipe": // all of the rest, as in QEMU
		if a.Path = rest; rest == "" {
			err = errors.New("the path is missing")
		}
	case "fd":
		a.FD, err = strconv.Atoi(rest)
		if err != nil || a.FD < 0 {
			err = fmt.Errorf("%q is not a file descriptor", rest)
		}
	case "vsock":
		a.CID, a.VPort, err = contextPort(rest)
	case "stdio":
		err = errors.New("qmp.Start makes a connection of a program's standard input and output")
	case "pty", "telnet", "websocket", "ws", "wss", "tls":
		err = fmt.Errorf("a connection of the kind %q cannot be made with an address", kind)
	default:
		err = fmt.Errorf("unknown kind %q; the kinds are unix, tcp, vsock, fd and pipe", kind)
	}
	return a, err
}

func (a *Address) setUnix(path string, opts values) error {
	if path == "" {
		return errors.New("the path is missing")
	}
	if err := a.setCommon(opts); err != nil {
		return err
	}
	switch {
	case opts["abstract"] == on:
		path = "\x00" + path
		if opts["tight"] == off && len(path) < abstractSize {
			path += strings.Repeat("\x00", abstractSize-len(path))
		}
	case path[0] == '@':
		path = "./" + path // package net would read it as an abstract name
	}
	a.Path = path
	return checkLength(path)
}

// checkLength refuses what the system would refuse with "invalid argument", which does not
// say enough.
func checkLength(path string) error {
	name, abstract := strings.CutPrefix(path, "\x00")
	if len(name) <= pathLimit {
		return nil
	}
	what := "the path of the socket"
	if abstract {
		what = "the name of the socket"
	}
	return fmt.Errorf("%s has %d bytes, and the system allows at most %d", what, len(name), pathLimit)
}

func (a *Address) setTCP(where string, opts values) (err error) {
	if err := a.setCommon(opts); err != nil {
		return err
	}
	only4 := opts["ipv4"] == on || opts["ipv6"] == off
	only6 := opts["ipv6"] == on || opts["ipv4"] == off
	switch {
	case only4 && !only6:
		a.Family = "4"
	case only6 && !only4:
		a.Family = "6"
	}
	a.Host, a.Port, err = hostPort(where)
	return err
}

// setCommon sets the options that unix: and tcp: addresses have in common.
func (a *Address) setCommon(opts values) error {
	for _, name := range []string{"telnet", "tn3270", "websocket"} {
		if opts[name] == on {
			return fmt.Errorf("QMP over %s is not supported", name)
		}
	}
	a.Secure = opts["tls-creds"] != ""
	return nil
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
	return host, port, nil // without a host it is this one
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

// Net returns a unix: or tcp: address in the form of package net.
func (a Address) Net() (network, where string) {
	if a.Kind == "unix" {
		return "unix", a.Path
	}
	return "tcp" + a.Family, net.JoinHostPort(a.Host, a.Port)
}

// Bound returns the address that clients on this machine dial for a listener at the address
// a: it has the port that was chosen, and the name of this host if a has no host.
func (a Address) Bound(at net.Addr) Address {
	tcp, ok := at.(*net.TCPAddr)
	if !ok {
		return a
	}
	a.Port = strconv.Itoa(tcp.Port)
	if a.Host == "" {
		a.Host = "localhost"
		if a.Family == "6" { // localhost may have no IPv6 address
			a.Host = "::1"
		}
	}
	return a
}

// String returns the address as QEMU and [Parse] read it.
func (a Address) String() string {
	text := a.Kind + ":"
	switch a.Kind {
	case "unix":
		name, abstract := strings.CutPrefix(a.Path, "\x00")
		if !abstract {
			return Unix(a.Path)
		}
		bare := strings.TrimRight(name, "\x00")
		text = Unix(bare) + ",abstract=on"
		if bare != name {
			text += ",tight=off"
		}
	case "pipe":
		text += a.Path
	case "tcp":
		text += doubleCommas(net.JoinHostPort(a.Host, a.Port))
		if a.Family != "" {
			text += ",ipv" + a.Family + "=on"
		}
	case "fd":
		text += strconv.Itoa(a.FD)
	case "vsock":
		text += fmt.Sprintf("%d:%d", a.CID, a.VPort)
	}
	return text
}

// Unix returns the address of a Unix socket's file.
func Unix(path string) string {
	prefix := "unix:"
	if strings.Contains(path, "=") {
		prefix += pathOption // otherwise QEMU reads the path as an option
	}
	return prefix + doubleCommas(path)
}

// pathOption is the name that a path may have in QEMU's addresses.
const pathOption = "path="

func doubleCommas(s string) string { return strings.ReplaceAll(s, ",", ",,") }

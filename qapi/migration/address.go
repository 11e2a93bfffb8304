package migration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

// An Address is where a migration goes to or comes from. [TCP], [Unix], [FD], [File], [Exec]
// and [ParseURI] return one; any other address that can be written with the types of package qapi works, too.
type Address = qapi.MigrationAddress

// TCP returns the address of a TCP port. For the side that listens, port 0 means any free
// port; [Arrival.Address] then has the real one.
func TCP(host string, port int) Address {
	return socket(qapi.SocketAddressInet{Host: host, Port: strconv.Itoa(port)})
}

// Unix returns the address of a Unix socket on the host.
func Unix(path string) Address { return socket(qapi.SocketAddressUnix{Path: path}) }

// FD returns the address of an open file that [qapi.Client.Getfd] has passed to QEMU under this name: a connected socket,
// a pipe, or a file on disk. QEMU closes it at the end.
func FD(name string) Address { return socket(qapi.SocketAddressFD{Str: name}) }

// File returns the address of a file on the host, in which a machine is saved. QEMU 8.2 and later;
// older releases need an open file that is passed to them, see [FD].
func File(path string) Address {
	return Address{Transport: qapi.MigrationAddressFile{Filename: path}}
}

// Exec returns the address of a program that QEMU starts, and whose input or output carries the migration.
func Exec(args ...string) Address {
	return Address{Transport: qapi.MigrationAddressExec{Args: args}}
}

func socket(a qapi.SocketAddressVariant) Address {
	return Address{Transport: qapi.MigrationAddressSocket{Type: a}}
}

// ParseURI returns the address that QEMU's short form stands for: tcp:HOST:PORT, unix:PATH,
// vsock:CID:PORT, fd:NAME, file:PATH[,offset=N], exec:COMMAND (for a shell) or rdma:HOST:PORT.
func ParseURI(uri string) (Address, error) {
	kind, rest, ok := strings.Cut(uri, ":")
	if !ok || rest == "" {
		return Address{}, fmt.Errorf("migration: the URI %q has no address", uri)
	}
	var err error
	var host, port string
	switch kind {
	case "tcp", "rdma", "vsock":
		if host, port, err = net.SplitHostPort(rest); err != nil {
			return Address{}, fmt.Errorf("migration: the URI %q: %w", uri, err)
		}
	}
	switch kind {
	case "tcp":
		return socket(qapi.SocketAddressInet{Host: host, Port: port}), nil
	case "rdma":
		return Address{Transport: qapi.MigrationAddressRdma{Host: host, Port: port}}, nil
	case "vsock":
		return socket(qapi.SocketAddressVsock{Cid: host, Port: port}), nil
	case "unix":
		return Unix(rest), nil
	case "fd":
		return FD(rest), nil
	case "exec":
		return Exec(append(shell, rest)...), nil
	case "file":
		return parseFile(uri, rest)
	}
	return Address{}, fmt.Errorf("migration: the URI %q: unknown protocol %q", uri, kind)
}

func parseFile(uri, rest string) (Address, error) {
	path, offset, ok := strings.Cut(rest, ",offset=")
	if !ok {
		return File(path), nil
	}
	n, err := strconv.ParseUint(offset, 0, 64)
	if err != nil {
		return Address{}, fmt.Errorf("migration: the URI %q: the offset is not a number of bytes", uri)
	}
	return Address{Transport: qapi.MigrationAddressFile{Filename: path, Offset: n}}, nil
}

// shell is the program that QEMU starts for a URI that begins with exec:.
var shell = []string{"/bin/sh", "-c"}

// destination returns an address as the server takes it: as channels, or otherwise as a URI.
func destination(ctx context.Context, c *qapi.Client, command string, a Address) (*string, []qapi.MigrationChannel, error) {
	if a.Transport == nil {
		return nil, nil, fmt.Errorf("there is no address for %s", command)
	}
	known, err := introspect(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	channels := known.Supports(command + "/channels")
	if channels && c.Conn().Greeting().Version.AtLeast(9, 0) { // QEMU 8.2 has channels, but also wants a URI
		return nil, []qapi.MigrationChannel{{ChannelType: qapi.MigrationChannelTypeMain, Addr: a}}, nil
	}
	if _, file := a.Transport.(qapi.MigrationAddressFile); file && !channels {
		return nil, nil, errors.New("this QEMU cannot migrate to or from a file that it opens itself: that takes 8.2 or later")
	}
	uri, err := uriOf(a)
	return &uri, nil, err
}

// uriOf returns an address in the form that every release takes.
func uriOf(a Address) (string, error) {
	switch t := a.Transport.(type) {
	case qapi.MigrationAddressExec:
		return "exec:" + commandLine(t.Args), nil
	case qapi.MigrationAddressRdma:
		return "rdma:" + net.JoinHostPort(t.Host, t.Port), nil
	case qapi.MigrationAddressFile:
		if t.Offset == 0 {
			return "file:" + t.Filename, nil
		}
		return fmt.Sprintf("file:%s,offset=%d", t.Filename, t.Offset), nil
	case qapi.MigrationAddressSocket:
		switch s := t.Type.(type) {
		case qapi.SocketAddressInet:
			return inetURI(s)
		case qapi.SocketAddressUnix:
			if s.Abstract != nil && *s.Abstract {
				break
			}
			return "unix:" + s.Path, nil
		case qapi.SocketAddressVsock:
			return "vsock:" + s.Cid + ":" + s.Port, nil
		case qapi.SocketAddressFD:
			return "fd:" + s.Str, nil
		}
	}
	return "", fmt.Errorf("this QEMU cannot migrate to or from %v: that takes 9.0 or later", a)
}

func inetURI(s qapi.SocketAddressInet) (string, error) {
	uri := "tcp:" + net.JoinHostPort(s.Host, s.Port)
	s.Host, s.Port = "", ""
	if s.To != nil {
		uri += fmt.Sprintf(",to=%d", *s.To)
		s.To = nil
	}
	for _, o := range []struct {
		name string
		on   **bool
	}{{"ipv4", &s.IPv4}, {"ipv6", &s.IPv6}} {
		if *o.on != nil {
			uri += "," + o.name + "=" + map[bool]string{true: "on", false: "off"}[**o.on]
			*o.on = nil
		}
	}
	if s != (qapi.SocketAddressInet{}) {
		return "", fmt.Errorf("this QEMU does not take these options of a TCP address: %v", qapi.InetSocketAddress(s))
	}
	return uri, nil
}

// commandLine returns a program and its arguments as a shell reads them.
func commandLine(args []string) string {
	if len(args) == 3 && args[0] == shell[0] && args[1] == shell[1] {
		return args[2]
	}
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}

// isSocket reports whether an address is a socket, on which both sides can send.
func isSocket(a Address) bool {
	s, ok := a.Transport.(qapi.MigrationAddressSocket)
	if !ok {
		return false
	}
	_, file := s.Type.(qapi.SocketAddressFD)
	return !file
}

// withPort returns a TCP address with the port at which the server really listens.
func withPort(a Address, listening []qapi.SocketAddress) Address {
	s, ok := a.Transport.(qapi.MigrationAddressSocket)
	if !ok {
		return a
	}
	want, ok := s.Type.(qapi.SocketAddressInet)
	if !ok {
		return a
	}
	for _, l := range listening {
		if real, ok := l.Type.(qapi.SocketAddressInet); ok {
			want.Port = real.Port
			return socket(want)
		}
	}
	return a
}

// withHost returns a TCP address with another host.
func withHost(a Address, host string) Address {
	s, _ := a.Transport.(qapi.MigrationAddressSocket)
	if inet, ok := s.Type.(qapi.SocketAddressInet); ok && host != "" {
		inet.Host = host
		return socket(inet)
	}
	return a
}

package qmp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/goqapi/goqapi/internal/address"
)

// Dial connects to a server and negotiates. addr is written as QEMU's own -qmp
// argument, with its options:
//
//	unix:/run/vm/qmp.sock
//	unix:/run/vm/qmp.sock,server=on,wait=off
//	unix:name,abstract=on
//	tcp:localhost:4444
//	tcp:[::1]:4444,server,nowait
//	tcp:vmhost:4444,ipv6=on
//	pipe:/run/vm/qmp      the FIFOs qmp.in and qmp.out
//
// and also
//
//	vsock:3:4444          a context id and a port, decimal; on Linux
//	fd:3                  a descriptor that this process has inherited;
//	                      the connection owns it from then on
//
// Options that do not say where to connect, such as server, wait, reconnect and
// logfile, are ignored. An option that QEMU does not have, a value that it would
// not accept, and a path that is too long for a socket are errors. A comma that belongs
// to the path of a socket is doubled; [UnixAddr] does so.
func Dial(ctx context.Context, addr string, opts ...Option) (*Conn, error) {
	return dialAddress(ctx, addr, newOptions(opts), qmpServer())
}

// DialFunc is [Dial] for a stream that connect makes: once, or with [WithReconnect] each time that one
// is needed. connect must return when ctx ends, and must not be nil.
func DialFunc(ctx context.Context, connect func(context.Context) (io.ReadWriteCloser, error), opts ...Option) (*Conn, error) {
	return dialFunc(ctx, "DialFunc", connect, newOptions(opts), qmpServer())
}

func dialFunc(ctx context.Context, name string, connect func(context.Context) (io.ReadWriteCloser, error), o options, as kind) (*Conn, error) {
	if connect == nil {
		panic("qmp: " + name + ": connect is nil")
	}
	stream := func(ctx context.Context) (io.ReadWriteCloser, error) {
		rw, err := connect(ctx)
		if rw == nil && err == nil {
			err = errors.New("qmp: " + name + ": connect returned neither a stream nor an error")
		}
		return rw, err
	}
	return dialStream(ctx, stream, o, as)
}

func dialAddress(ctx context.Context, addr string, o options, as kind) (*Conn, error) {
	connect := func(ctx context.Context) (io.ReadWriteCloser, error) { return openAddress(ctx, addr, o) }
	open := as.open
	as.open = func(s *session, ctx context.Context) error {
		if err := open(s, ctx); err != nil {
			return fmt.Errorf("%w (at %s)", err, addr)
		}
		return nil
	}
	return dialStream(ctx, connect, o, as)
}

func dialStream(ctx context.Context, connect func(context.Context) (io.ReadWriteCloser, error), o options, as kind) (*Conn, error) {
	if o.reconnect != nil {
		return o.reconnect.dial(ctx, connect, o, as)
	}
	rw, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	return newConn(ctx, rw, o, as)
}

// A Dialer connects to the addresses of package net; [net.Dialer] is one.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// openAddress opens a stream to an address.
func openAddress(ctx context.Context, addr string, o options) (io.ReadWriteCloser, error) {
	a, err := address.Parse(addr)
	if err != nil {
		return nil, fmt.Errorf("qmp: %w", err)
	}
	rw, err := dialParsed(ctx, a, o.dialer)
	if err != nil {
		return nil, fmt.Errorf("qmp: dial %s: %w", addr, err)
	}
	return rw, nil
}

func dialParsed(ctx context.Context, a address.Address, d Dialer) (io.ReadWriteCloser, error) {
	_, direct := d.(*net.Dialer)
	switch {
	case a.Secure && direct:
		return nil, errors.New("the address has tls-creds: for TLS use package qmptls")
	case a.Kind == "unix" || a.Kind == "tcp":
		network, where := a.Net()
		return d.DialContext(ctx, network, where)
	case !direct: // the dialer may encrypt, so other kinds of addresses must not be dialled without it
		return nil, errors.New("WithDialer is for unix: and tcp: addresses")
	case a.Kind == "fd":
		return openFD(a.FD)
	case a.Kind == "vsock":
		return dialVsock(ctx, a.CID, a.VPort)
	}
	return openPipe(a.Path)
}

// UnixAddr returns the address, for [Dial], [Listen] or QEMU's -qmp, of the Unix socket whose file is at path.
func UnixAddr(path string) string { return address.Unix(path) }

// openFD turns a descriptor into a stream.
func openFD(fd int) (io.ReadWriteCloser, error) {
	if err := pollable(fd); err != nil {
		return nil, fmt.Errorf("file descriptor %d: %w", fd, err)
	}
	f := os.NewFile(uintptr(fd), fmt.Sprintf("fd:%d", fd))
	c, err := net.FileConn(f)
	if err != nil {
		return f, nil //nolint:nilerr // not a socket: a terminal or a pipe, for example
	}
	f.Close() // c has a copy
	return c, nil
}

// A quickCloser is a stream whose Close does not block; Close of the connection waits
// for it.
type quickCloser interface{ closesQuickly() }

// A pipe is a pair of FIFOs.
type pipe struct {
	in, out *os.File
	written bool // the writer has opened it: from now on EOF is the end
}

// openPipe opens the FIFOs of QEMU's pipe:PATH, which QEMU must have opened already:
// PATH.in is QEMU's input, PATH.out its output. If it has not, openPipe fails at once.
func openPipe(path string) (io.ReadWriteCloser, error) {
	out, err := os.OpenFile(path+".out", os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	in, err := os.OpenFile(path+".in", os.O_WRONLY|nonblock, 0)
	if err != nil {
		out.Close()
		return nil, err
	}
	return &pipe{in: in, out: out}, nil
}

// Read waits up to a second for the writer: QEMU opens its input first, and a FIFO
// that nobody has opened for writing reads as if it had ended.
func (p *pipe) Read(b []byte) (int, error) {
	for try := 0; ; try++ {
		n, err := p.out.Read(b)
		if n > 0 {
			p.written = true
		}
		if err != io.EOF || p.written || try == 100 {
			return n, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (p *pipe) Write(b []byte) (int, error) { return p.in.Write(b) }

func (p *pipe) Close() error {
	err := p.in.Close()
	if e := p.out.Close(); err == nil {
		err = e
	}
	return err
}

package qmp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/goqapi/goqapi/internal/address"
)

// A Listener is where servers connect to: QEMU with -qmp unix:PATH, or with
// -chardev socket,…,server=off, which connects again and again if it has reconnect
// or reconnect-ms, too. Any number of goroutines may use it at the same time.
type Listener struct {
	l    *address.Listener
	addr string
	turn chan struct{} // to accept, and to set the deadline for it
}

// Listen listens at a unix: or tcp: address, which is written as for [Dial]. Port 0
// is one that is free.
//
// A Unix socket is a file with mode 0600 from the moment that it exists on Linux,
// and elsewhere an instant later. A file that is there already is an error, even if
// it is a socket that a killed program has left: remove it first if nobody listens
// there. An abstract socket has no owner; every process in the network namespace
// can connect to it.
func Listen(ctx context.Context, addr string) (*Listener, error) {
	a, err := address.ParseStream(addr)
	if err != nil {
		return nil, fmt.Errorf("qmp: listen: %w", err)
	}
	l, err := a.Listen(ctx)
	if err != nil {
		return nil, fmt.Errorf("qmp: listen at %s: %w", addr, err)
	}
	return &Listener{l, l.Address().String(), make(chan struct{}, 1)}, nil
}

// Addr is the address for QEMU's -qmp, or for [Dial], on the same machine. It is as
// it was given, without options that say nothing of where, and with the port that
// was chosen. -qmp takes no IPv6 address, only the name of a host that has one;
// -chardev socket takes it as host=, without brackets.
func (l *Listener) Addr() string { return l.addr }

// Accept waits for a server and negotiates. An error that wraps [net.ErrClosed] says
// that the listener is closed, others concern this one server or ctx. What connects
// and does not greet holds up this Accept, for as long as [WithHandshakeTimeout] and
// ctx allow, but no others that run at the same time.
func (l *Listener) Accept(ctx context.Context, opts ...Option) (*Conn, error) {
	rw, err := l.AcceptStream(ctx)
	if err != nil {
		return nil, err
	}
	c, err := newConn(ctx, rw, newOptions(opts), qmpServer())
	if err != nil {
		return nil, fmt.Errorf("%w (accepted at %s)", err, l.addr)
	}
	return c, nil
}

// AcceptStream waits for something to connect: a server for [NewConn], a guest
// agent's port for [NewAgentConn]. It is also what [DialFunc] takes, which makes a
// connection [WithReconnect] that lasts while QEMU comes back to it.
func (l *Listener) AcceptStream(ctx context.Context) (io.ReadWriteCloser, error) {
	c, err := l.accept(ctx)
	if err != nil {
		return nil, fmt.Errorf("qmp: accept at %s: %w", l.addr, err)
	}
	return c, nil
}

func (l *Listener) accept(ctx context.Context) (net.Conn, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, contextError(ctx)
	}
	set := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(set)
		_ = l.l.SetDeadline(time.Unix(1, 0)) // closed otherwise
	})
	c, err := l.l.Accept()
	if !stop() {
		<-set
		_ = l.l.SetDeadline(time.Time{})
		if c == nil && !errors.Is(err, net.ErrClosed) {
			return nil, contextError(ctx)
		}
	}
	return c, err
}

// Close ends the listening. A Unix socket's file is removed, unless somebody else has
// put another in its place. Connections that were accepted live on.
func (l *Listener) Close() error { return l.l.Close() }

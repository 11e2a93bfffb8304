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

// A Listener accepts connections from servers: from QEMU with -qmp unix:PATH, or with
// -chardev socket,…,server=off, which connects again when it has reconnect
// or reconnect-ms, too. Any number of goroutines may use a Listener at the same time.
type Listener struct {
	l    *address.Listener
	addr string
	turn chan struct{} // holds a value while a goroutine accepts, and sets the deadline
}

// Listen listens at a unix: or tcp: address, which is written as for [Dial]. Port 0
// stands for any free port.
//
// The file of a Unix socket has mode 0600, on Linux from the moment that it exists,
// elsewhere a moment later. If there is a file already, Listen returns an error, even if
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

// Addr returns the address for QEMU's -qmp, or for [Dial], on the same machine: the
// address given to Listen, with the port that was chosen, and without options that do
// not say where. -qmp does not accept an IPv6 address, only the name of a host that has
// one; -chardev socket accepts it as host=, without brackets.
func (l *Listener) Addr() string { return l.addr }

// Accept waits for a server and negotiates. An error that wraps [net.ErrClosed] means that
// the listener is closed; other errors concern this server only, or ctx. A peer that
// connects and does not greet delays this call of Accept for as long as [WithHandshakeTimeout] and
// ctx allow. It does not delay other calls of Accept that run at the same time.
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

// AcceptStream waits for a connection and returns its stream: that of a server for
// [NewConn], or of a guest agent's port for [NewAgentConn]. It can also be given to
// [DialFunc] with [WithReconnect], for a QEMU that connects again.
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

// Close stops listening. It removes the file of a Unix socket, unless another process has
// replaced it. Connections that were accepted stay open.
func (l *Listener) Close() error { return l.l.Close() }

package address

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// A Listener listens at a unix: or tcp: address.
type Listener struct {
	socket
	at   Address
	file func() // removes the file of a Unix socket, if it is still there
}

type socket interface {
	net.Listener
	SetDeadline(time.Time) error
}

// Listen listens at an address that [ParseStream] has read. Only the owner can connect to a
// Unix socket.
func (a Address) Listen(ctx context.Context) (*Listener, error) {
	if a.Kind == "unix" {
		l, err := listenUnix(ctx, a.Path)
		if err != nil {
			return nil, err
		}
		return &Listener{l, a, sync.OnceFunc(ownFile(l, a.Path))}, nil
	}
	network, where := a.Net()
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, network, where)
	if err != nil {
		return nil, err
	}
	return &Listener{l.(*net.TCPListener), a.Bound(l.Addr()), func() {}}, nil
}

// ownFile returns a function that removes the socket's file. Package net would remove
// any file at the path when the listener is closed, even another program's socket.
func ownFile(l *net.UnixListener, path string) (remove func()) {
	l.SetUnlinkOnClose(false)
	own, err := os.Lstat(path)
	if err != nil {
		return func() {} // an abstract one, or it is gone already
	}
	return func() {
		if there, err := os.Lstat(path); err == nil && os.SameFile(own, there) {
			_ = os.Remove(path) // as package net does
		}
	}
}

// Address returns the address to dial, on the same machine.
func (l *Listener) Address() Address { return l.at }

// HandOver returns a listening Unix socket as a file, for another process, which listens in
// place of l from then on. remove removes the socket's file.
func (l *Listener) HandOver() (f *os.File, remove func(), err error) {
	defer l.socket.Close()
	unix, ok := l.socket.(*net.UnixListener)
	if !ok {
		return nil, nil, errors.New("it is not a Unix socket")
	}
	if f, err = unix.File(); err != nil {
		l.file()
		return nil, nil, err
	}
	return f, l.file, nil
}

// Close ends the listening and removes the file of a Unix socket, but not one that
// somebody else has put in its place.
func (l *Listener) Close() error {
	l.file() // as long as the socket is open no other file gets its inode number
	return l.socket.Close()
}

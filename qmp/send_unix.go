//go:build unix

package qmp

import (
	"io"
	"net"
	"syscall"
)

// A trier writes to a socket what the kernel takes without waiting, so that a
// caller need not leave the write to another goroutine to be free to return.
type trier struct {
	raw  syscall.RawConn
	call func(fd uintptr) bool // made once: write as a function
	text []byte
	n    int
	err  error
}

// newTrier returns nil if rw is no plain socket.
func newTrier(rw io.ReadWriteCloser) *trier {
	var raw syscall.RawConn
	var err error
	switch c := rw.(type) { // not an interface: it could be a wrapper's
	case *net.UnixConn:
		raw, err = c.SyscallConn()
	case *net.TCPConn:
		raw, err = c.SyscallConn()
	default:
		return nil
	}
	if err != nil {
		return nil
	}
	t := &trier{raw: raw}
	t.call = t.write
	return t
}

// try returns how many bytes of text were written, which may be 0.
func (t *trier) try(text []byte) (int, error) {
	t.text, t.n, t.err = text, 0, nil
	err := t.raw.Write(t.call)
	t.text = nil
	if err == nil && t.err != syscall.EAGAIN && t.err != syscall.EINTR {
		err = t.err
	}
	return t.n, err
}

func (t *trier) write(fd uintptr) bool {
	n, err := syscall.Write(int(fd), t.text)
	t.n, t.err = max(n, 0), err
	return true
}

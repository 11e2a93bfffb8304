//go:build unix

package qmp

import (
	"io"
	"net"
	"syscall"
)

// A nonblockingWriter writes to a socket what the kernel accepts without waiting, so that a caller
// can write on its own goroutine and still return when its context ends.
type nonblockingWriter struct {
	raw  syscall.RawConn
	call func(fd uintptr) bool // the method write as a function, made once
	text []byte
	n    int
	err  error
}

// newNonblockingWriter returns nil if rw is not a plain socket.
func newNonblockingWriter(rw io.ReadWriteCloser) *nonblockingWriter {
	var raw syscall.RawConn
	var err error
	switch c := rw.(type) { // not an interface: a wrapper could have its methods
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
	t := &nonblockingWriter{raw: raw}
	t.call = t.write
	return t
}

// try returns how many bytes of text were written, which may be 0.
func (t *nonblockingWriter) try(text []byte) (int, error) {
	t.text, t.n, t.err = text, 0, nil
	err := t.raw.Write(t.call)
	t.text = nil
	if err == nil && t.err != syscall.EAGAIN && t.err != syscall.EINTR {
		err = t.err
	}
	return t.n, err
}

func (t *nonblockingWriter) write(fd uintptr) bool {
	n, err := syscall.Write(int(fd), t.text)
	t.n, t.err = max(n, 0), err
	return true
}

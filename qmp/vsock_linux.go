package qmp

import (
	"context"
	"io"
	"os"
	"syscall"
	"time"
	"unsafe"
)

const familyVsock = 40

// A sockaddrVM is struct sockaddr_vm, which package syscall does not have.
type sockaddrVM struct {
	family uint16
	_      uint16
	port   uint32
	cid    uint32
	_      [4]byte
}

func dialVsock(ctx context.Context, cid, port uint32) (io.ReadWriteCloser, error) {
	const flags = syscall.SOCK_STREAM | syscall.SOCK_NONBLOCK | syscall.SOCK_CLOEXEC
	fd, err := syscall.Socket(familyVsock, flags, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), "vsock")
	to := &sockaddrVM{family: familyVsock, port: port, cid: cid}
	if err := connect(ctx, f, unsafe.Pointer(to), unsafe.Sizeof(*to)); err != nil {
		f.Close()
		return nil, os.NewSyscallError("connect", err)
	}
	return f, nil
}

// connect connects a non-blocking socket to the address to.
func connect(ctx context.Context, f *os.File, to unsafe.Pointer, size uintptr) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetWriteDeadline(time.Unix(1, 0)) })
	var errno syscall.Errno
	err = raw.Write(func(fd uintptr) (done bool) { // is called again when the socket is ready
		code, _ := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR)
		if errno = syscall.Errno(code); code == 0 {
			_, _, errno = syscall.Syscall(sysConnect, fd, uintptr(to), size)
		}
		return errno != syscall.EINPROGRESS && errno != syscall.EALREADY && errno != syscall.EINTR
	})
	switch {
	case !stop():
		return contextError(ctx)
	case err == nil && errno != 0 && errno != syscall.EISCONN:
		return errno
	}
	return err
}

//go:build !386 && !s390x

package qmp

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// connectTCP connects as dialVsock does, in a family that every machine has.
func connectTCP(t *testing.T, ctx context.Context, to *net.TCPAddr) (*os.File, error) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	f := os.NewFile(uintptr(fd), "tcp")
	t.Cleanup(func() { f.Close() })
	addr := &syscall.RawSockaddrInet4{Family: syscall.AF_INET, Addr: [4]byte(to.IP.To4())}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&addr.Port))[:], uint16(to.Port))
	return f, connect(ctx, f, unsafe.Pointer(addr), unsafe.Sizeof(*addr))
}

func TestConnect(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() {
		if c, err := l.Accept(); err == nil {
			serveOne(t, c)
		}
	}()
	to := l.Addr().(*net.TCPAddr)
	f, err := connectTCP(t, t.Context(), to)
	require.NoError(t, err)
	c, err := NewConn(t.Context(), f)
	require.NoError(t, err)
	var got string
	assert.NoError(t, c.Execute(t.Context(), "ping", nil, &got))
	assert.Equal(t, "pong", got)
	c.Close()
	l.Close()
	_, err = connectTCP(t, t.Context(), to)
	assert.ErrorIs(t, err, syscall.ECONNREFUSED, "nobody listens")
}

// A server whose queue is full lets one wait.
func TestConnectWaits(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer syscall.Close(fd)
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(fd, 0))
	name, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	to := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port}
	for range 10 {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("too slow"))
		_, err := connectTCP(t, ctx, to)
		cancel()
		if err == nil {
			continue // the queue was not full yet
		}
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, "too slow")
		return
	}
	t.Error("ten connections were made to a server that takes one")
}

func TestVsock(t *testing.T) {
	const local = 1 // the context of a loopback
	fd, err := syscall.Socket(familyVsock, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if errors.Is(err, syscall.EAFNOSUPPORT) {
		_, err := Dial(t.Context(), "vsock:1:1024")
		wantErr(t, err, syscall.EAFNOSUPPORT, "qmp: dial vsock:1:1024: socket: address family not supported by protocol")
		t.Skip("this kernel has no vsock")
	}
	require.NoError(t, err)
	f := os.NewFile(uintptr(fd), "listener")
	defer f.Close()
	const port = 0x676f7170
	me := &sockaddrVM{family: familyVsock, port: port, cid: local}
	_, _, errno := syscall.Syscall(syscall.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(me)), unsafe.Sizeof(*me))
	if errno == syscall.EADDRNOTAVAIL {
		t.Skip("this kernel has no vsock loopback")
	}
	require.Zero(t, errno)
	require.NoError(t, syscall.Listen(fd, 1))
	go func() {
		// Accept4 of package syscall does not know the family of who comes.
		peer, _, errno := syscall.Syscall6(syscall.SYS_ACCEPT4, uintptr(fd), 0, 0, syscall.SOCK_CLOEXEC, 0, 0)
		if !assert.Zero(t, errno) {
			return
		}
		serveOne(t, os.NewFile(peer, "peer"))
	}()
	ping(t, "vsock:1:1735356784")
	_, err = Dial(t.Context(), "vsock:1:1")
	assert.ErrorIs(t, err, syscall.ECONNRESET, "nobody listens")
}

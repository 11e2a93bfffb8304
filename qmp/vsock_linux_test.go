//go:build !386 && !s390x

package qmp

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// connectTCP connects as dialVsock does, in a family that every machine has.
func connectTCP(t *testing.T, ctx context.Context, to *net.TCPAddr) (*os.File, error) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "tcp")
	t.Cleanup(func() { f.Close() })
	addr := &syscall.RawSockaddrInet4{Family: syscall.AF_INET, Addr: [4]byte(to.IP.To4())}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&addr.Port))[:], uint16(to.Port))
	return f, connect(ctx, f, unsafe.Pointer(addr), unsafe.Sizeof(*addr))
}

func TestConnect(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if c, err := l.Accept(); err == nil {
			serveOne(t, c)
		}
	}()
	to := l.Addr().(*net.TCPAddr)
	f, err := connectTCP(t, t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewConn(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := c.Execute(t.Context(), "ping", nil, &got); err != nil || got != "pong" {
		t.Errorf("got %q, %v", got, err)
	}
	c.Close()
	l.Close()
	if _, err := connectTCP(t, t.Context(), to); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
}

// A server whose queue is full lets one wait.
func TestConnectWaits(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	to := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port}
	for range 10 {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("too slow"))
		_, err := connectTCP(t, ctx, to)
		cancel()
		if err == nil {
			continue // the queue was not full yet
		}
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "too slow") {
			t.Error(err)
		}
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
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "listener")
	defer f.Close()
	const port = 0x676f7170
	me := &sockaddrVM{family: familyVsock, port: port, cid: local}
	_, _, errno := syscall.Syscall(syscall.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(me)), unsafe.Sizeof(*me))
	if errno == syscall.EADDRNOTAVAIL {
		t.Skip("this kernel has no vsock loopback")
	}
	if errno != 0 {
		t.Fatal(errno)
	}
	if err := syscall.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	go func() {
		// Accept4 of package syscall does not know the family of who comes.
		peer, _, errno := syscall.Syscall6(syscall.SYS_ACCEPT4, uintptr(fd), 0, 0, syscall.SOCK_CLOEXEC, 0, 0)
		if errno != 0 {
			t.Error(errno)
			return
		}
		serveOne(t, os.NewFile(peer, "peer"))
	}()
	ping(t, "vsock:1:1735356784")
	_, err = Dial(t.Context(), "vsock:1:1")
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("nobody listens: %v", err)
	}
}

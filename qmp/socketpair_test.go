//go:build unix

package qmp

import (
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// fdPair returns the two ends of a Unix socket, one of them as it is dialled.
func fdPair(tb testing.TB) (ours int, theirs *os.File) {
	tb.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(tb, err)
	syscall.CloseOnExec(fds[0])
	syscall.CloseOnExec(fds[1])
	return fds[0], os.NewFile(uintptr(fds[1]), "socketpair")
}

// unixConn makes a connection of one of them.
func unixConn(tb testing.TB, f *os.File) *net.UnixConn {
	tb.Helper()
	c, err := net.FileConn(f)
	require.NoError(tb, err)
	f.Close() // c has a copy
	return c.(*net.UnixConn)
}

// socketpair is [fdPair] as two connections, closed when the test ends.
func socketpair(tb testing.TB) (ours, theirs *net.UnixConn) {
	tb.Helper()
	fd, f := fdPair(tb)
	ours, theirs = unixConn(tb, os.NewFile(uintptr(fd), "socketpair")), unixConn(tb, f)
	tb.Cleanup(func() {
		ours.Close()
		theirs.Close()
	})
	return ours, theirs
}

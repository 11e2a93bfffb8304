package address

import (
	"context"
	"errors"
	"net"
	"syscall"
)

// listenUnix makes a socket that only its owner can connect to. The file gets the
// mode that the socket has when it is bound.
func listenUnix(ctx context.Context, path string) (*net.UnixListener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		err2 := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), 0o600) })
		return errors.Join(err, err2)
	}}
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	return l.(*net.UnixListener), nil
}

//go:build !linux

package address

import (
	"context"
	"net"
	"os"
)

// listenUnix makes a socket that only its owner can connect to.
func listenUnix(ctx context.Context, path string) (*net.UnixListener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l.(*net.UnixListener), nil
}

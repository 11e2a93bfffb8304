package libvirt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
)

// The ports at which libvirtd listens.
const (
	portTCP = "16509"
	portTLS = "16514"
)

// open makes a stream to libvirt.
func (h *Host) open(ctx context.Context) (io.ReadWriteCloser, error) {
	if h.opts.dial != nil {
		rw, err := h.opts.dial(ctx)
		if rw == nil && err == nil {
			err = errors.New("the function of WithDialer returned neither a stream nor an error")
		}
		return rw, err
	}
	var d net.Dialer
	switch h.at.transport {
	case "ssh":
		return dialSSH(ctx, h.at)
	case "tls":
		return dialTLS(ctx, h.at)
	case "tcp":
		return d.DialContext(ctx, "tcp", h.at.address(portTCP))
	}
	return dialUnix(ctx, h.at)
}

func dialUnix(ctx context.Context, e *endpoint) (io.ReadWriteCloser, error) {
	dir, err := e.runtimeDir()
	if err != nil {
		return nil, err
	}
	candidates := e.sockets(dir)
	var d net.Dialer
	for _, path := range candidates {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return d.DialContext(ctx, "unix", path)
	}
	text := "there is no socket " + candidates[0]
	if len(candidates) > 1 {
		text = fmt.Sprintf("there is neither a socket %s nor %s", candidates[0], candidates[1])
	}
	return nil, fmt.Errorf("%s: libvirt does not run, or is not installed: %w", text, fs.ErrNotExist)
}

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
)

// portTCP is where libvirtd listens without TLS.
const portTCP = "16509"

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
		return h.dialTLS(ctx)
	case "tcp":
		return d.DialContext(ctx, "tcp", h.at.address(portTCP))
	}
	return dialUnix(ctx, h.at)
}

// checkTLS returns an error if e needs TLS and no option makes TLS connections.
func (o *options) checkTLS(e *endpoint) error {
	if e.transport != "tls" || o.dial != nil || o.dialTLS != nil {
		return nil
	}
	return fmt.Errorf("URI %q: TLS is used only with the option libvirttls.WithTLS(), "+
		"of the package github.com/goqapi/goqapi/qmp/libvirt/libvirttls", e.text)
}

func (h *Host) dialTLS(ctx context.Context) (io.ReadWriteCloser, error) {
	uri, err := url.Parse(h.at.text) // a copy, since the function may change it
	if err != nil {
		return nil, err
	}
	rw, err := h.opts.dialTLS(ctx, uri)
	if rw == nil && err == nil {
		err = errors.New("the function of WithTLSDialer returned neither a stream nor an error")
	}
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { rw.Close() })
	defer stop()
	if err := awaitWelcome(rw); err != nil {
		rw.Close()
		if ctx.Err() != nil {
			err = fmt.Errorf("TLS: waiting for libvirt: %w", contextError(ctx))
		}
		return nil, err
	}
	return rw, nil
}

// awaitWelcome reads the byte that says that libvirtd accepts this client's certificate.
func awaitWelcome(r io.Reader) error {
	var b [1]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return fmt.Errorf("TLS: libvirt does not accept this client's certificate: %w", err)
	}
	if b[0] != 1 {
		return errors.New("TLS: libvirt does not accept this client's certificate")
	}
	return nil
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

package libvirt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
)

// dialTLS connects with the certificates that libvirt's own clients would use.
func dialTLS(ctx context.Context, e *endpoint) (io.ReadWriteCloser, error) {
	config, err := tlsConfig(e)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", e.address(portTLS))
	if err != nil {
		return nil, err
	}
	c := tls.Client(raw, config)
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	if err := awaitWelcome(c); err != nil {
		raw.Close()
		if ctx.Err() != nil {
			err = fmt.Errorf("TLS: waiting for libvirt: %w", contextError(ctx))
		}
		return nil, err
	}
	return c, nil
}

// awaitWelcome reads the byte that says that libvirtd accepts this client's certificate.
func awaitWelcome(c io.Reader) error {
	var b [1]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return fmt.Errorf("TLS: libvirt does not accept this client's certificate: %w", err)
	}
	if b[0] != 1 {
		return errors.New("TLS: libvirt does not accept this client's certificate")
	}
	return nil
}

func tlsConfig(e *endpoint) (*tls.Config, error) {
	f := tlsFiles(e)
	config := &tls.Config{ServerName: e.host, InsecureSkipVerify: e.params["no_verify"] == "1"} //nolint:gosec // the user says so
	authority, err := os.ReadFile(f.authority)
	if err != nil && !config.InsecureSkipVerify {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(authority) && !config.InsecureSkipVerify {
		return nil, fmt.Errorf("TLS: %s has no certificate", f.authority)
	}
	own, err := tls.LoadX509KeyPair(f.certificate, f.key)
	switch {
	case errors.Is(err, fs.ErrNotExist): // a libvirtd may accept clients without one
	case err != nil:
		return nil, fmt.Errorf("TLS: %w", err)
	default:
		config.Certificates = []tls.Certificate{own}
	}
	return config, nil
}

// certFiles are the files with the certificates of a client.
type certFiles struct{ authority, certificate, key string }

// tlsFiles are those of the URI, else the user's where there are some, else the system's.
func tlsFiles(e *endpoint) certFiles {
	in := func(dir string) certFiles {
		return certFiles{filepath.Join(dir, "cacert.pem"), filepath.Join(dir, "clientcert.pem"), filepath.Join(dir, "clientkey.pem")}
	}
	if dir := e.params["pkipath"]; dir != "" {
		return in(dir)
	}
	f := certFiles{"/etc/pki/CA/cacert.pem", "/etc/pki/libvirt/clientcert.pem", "/etc/pki/libvirt/private/clientkey.pem"}
	home, err := os.UserHomeDir()
	if err != nil || os.Geteuid() == 0 { // libvirt ignores root's own
		return f
	}
	own := in(filepath.Join(home, ".pki", "libvirt"))
	if exists(own.authority) {
		f.authority = own.authority
	}
	if exists(own.certificate) && exists(own.key) {
		f.certificate, f.key = own.certificate, own.key
	}
	return f
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

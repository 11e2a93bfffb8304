// Package libvirttls connects to libvirts through TLS:
//
//	h, err := libvirt.Dial(ctx, "qemu+tls://host/system", libvirttls.WithTLS())
//
// It is a package of its own because crypto/tls adds up to 2 MB to a program. Other URIs, such
// as those that begin with qemu+ssh, do not need it.
package libvirttls

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"

	"github.com/goqapi/goqapi/qmp/libvirt"
)

// port is where libvirtd listens for TLS.
const port = "16514"

// WithTLS lets [libvirt.Dial] connect to URIs whose transport is TLS, qemu+tls://host/… and
// qemu://host/…, with the certificates that libvirt's own clients would use: those in the folder of
// the URI's parameter pkipath; without it, the user's in ~/.pki/libvirt if they exist, and
// otherwise the system's in /etc/pki. They are read again for each connection. With no_verify=1
// libvirt's certificate is not checked.
func WithTLS() libvirt.Option { return libvirt.WithTLSDialer(dial) }

func dial(ctx context.Context, uri *url.URL) (io.ReadWriteCloser, error) {
	config, err := clientConfig(uri)
	if err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", net.JoinHostPort(uri.Hostname(), cmp.Or(uri.Port(), port)))
	if err != nil {
		return nil, err
	}
	c := tls.Client(raw, config)
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return c, nil
}

func clientConfig(uri *url.URL) (*tls.Config, error) {
	f := files(uri)
	config := &tls.Config{ServerName: uri.Hostname(), InsecureSkipVerify: uri.Query().Get("no_verify") == "1"} //nolint:gosec // the user says so
	authority, err := os.ReadFile(f.authority)
	if err != nil && !config.InsecureSkipVerify {
		return nil, err
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(authority) && !config.InsecureSkipVerify {
		return nil, fmt.Errorf("%s has no certificate", f.authority)
	}
	if f.own() == 0 {
		return config, nil // a libvirtd may accept clients without a certificate
	}
	own, err := tls.LoadX509KeyPair(f.certificate, f.key)
	if err != nil {
		return nil, fmt.Errorf("the client's certificate %s with the key %s: %w", f.certificate, f.key, err)
	}
	config.Certificates = []tls.Certificate{own}
	return config, nil
}

// certFiles are the files with the certificates of a client.
type certFiles struct{ authority, certificate, key string }

// files returns the files in the folder that the URI names; otherwise the user's, where they exist;
// otherwise the system's.
func files(uri *url.URL) certFiles {
	in := func(dir string) certFiles {
		return certFiles{filepath.Join(dir, "cacert.pem"), filepath.Join(dir, "clientcert.pem"), filepath.Join(dir, "clientkey.pem")}
	}
	if dir := uri.Query().Get("pkipath"); dir != "" {
		return in(dir)
	}
	f := certFiles{"/etc/pki/CA/cacert.pem", "/etc/pki/libvirt/clientcert.pem", "/etc/pki/libvirt/private/clientkey.pem"}
	home, err := os.UserHomeDir()
	if err != nil || os.Geteuid() == 0 { // libvirt does not use files in the home of root
		return f
	}
	own := in(filepath.Join(home, ".pki", "libvirt"))
	if exists(own.authority) {
		f.authority = own.authority
	}
	if n := own.own(); n == 2 || n > f.own() {
		f.certificate, f.key = own.certificate, own.key
	}
	return f
}

// own returns how many files of the client's own, the certificate and the key, exist.
func (f certFiles) own() (n int) {
	for _, path := range []string{f.certificate, f.key} {
		if exists(path) {
			n++
		}
	}
	return n
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist) // one that may not be read exists, too
}

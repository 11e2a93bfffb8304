// Package qmptls connects to servers through TLS:
//
//	cfg, err := qmptls.LoadClient("/etc/pki/qemu")
//	if err != nil {
//		return err
//	}
//	c, err := qapi.Dial(ctx, "tcp:vmhost:4444", qmptls.WithConfig(cfg))
//
// where QEMU was started with
//
//	-object tls-creds-x509,id=tls0,dir=/etc/pki/qemu,endpoint=server
//	-chardev socket,id=mon0,host=vmhost,port=4444,server=on,wait=off,tls-creds=tls0
//	-mon chardev=mon0,mode=control
//
// TLS has a package of its own because crypto/tls adds 0.9 MB to a program.
//
// Pre-shared keys (QEMU's tls-creds-psk) and anonymous credentials (tls-creds-anon) are
// not supported: crypto/tls has neither. A stream of another TLS
// library works with [qmp.NewConn] and [qmp.DialFunc]; see also [qmp.WithDialer].
// For QEMU before 10.0 it must write records as [Client] does.
package qmptls

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/qmp"
)

// WithConfig makes a dial to a tcp: or unix: address use TLS; other addresses are refused.
// Without a ServerName in cfg, the certificate has to be for the address's host, or for
// localhost if the host is empty; a Unix socket needs a ServerName. cfg may be nil. It is
// not changed.
//
// The TLS handshake is part of the connection's, and of the time that
// [qmp.WithHandshakeTimeout] sets.
func WithConfig(cfg *tls.Config) qmp.Option { return qmp.WithDialer(&Dialer{Config: cfg}) }

// With is the older name of [WithConfig].
//
// Deprecated: use WithConfig.
func With(cfg *tls.Config) qmp.Option { return WithConfig(cfg) }

// A Dialer makes TLS connections through another dialer, such as a tunnel, for
// [qmp.WithDialer].
type Dialer struct {
	Config *tls.Config // as for [WithConfig]
	Dialer qmp.Dialer  // a net.Dialer if nil
}

// DialContext connects, and leaves the TLS handshake to the first Read or Write.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	cfg := clone(d.Config)
	if cfg.ServerName == "" && !cfg.InsecureSkipVerify {
		host, _, err := net.SplitHostPort(address)
		switch {
		case network == "unix":
			return nil, errors.New("TLS: a Unix socket has no host name to check the certificate against: set tls.Config.ServerName")
		case err != nil:
			return nil, fmt.Errorf("TLS: %w", err)
		case host == "":
			host = "localhost"
		}
		cfg.ServerName = host
	}
	inner := d.Dialer
	if inner == nil {
		inner = new(net.Dialer)
	}
	c, err := inner.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return Client(c, cfg), nil
}

// Client returns the client's side of a TLS connection over a stream, for [qmp.NewConn]
// and [qmp.NewAgentConn]. cfg needs a ServerName, or InsecureSkipVerify.
//
// The last byte of each write goes into a TLS record of its own: a QEMU before 10.0
// reads one byte of a record, and the rest only when another record comes.
func Client(stream net.Conn, cfg *tls.Config) net.Conn {
	c := new(conn)
	cfg = clone(cfg)
	if cfg.GetClientCertificate == nil {
		own := cfg.Certificates
		cfg.GetClientCertificate = func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			for i := range own { // as crypto/tls does
				if request.SupportsCertificate(&own[i]) == nil {
					c.closeReason.Store(&badCertificate)
					return &own[i], nil
				}
			}
			c.closeReason.Store(&noCertificate)
			return new(tls.Certificate), nil
		}
	}
	c.Conn = tls.Client(stream, cfg)
	return c
}

// Server returns the server's side of a TLS connection over a stream, for [qmp.NewConn],
// with a QEMU that connects to this program. cfg needs a certificate; without one, or if
// cfg is nil, the handshake fails.
func Server(stream net.Conn, cfg *tls.Config) net.Conn {
	if cfg == nil {
		cfg = new(tls.Config) // crypto/tls would crash
	}
	return &conn{Conn: tls.Server(stream, cfg)}
}

func clone(cfg *tls.Config) *tls.Config {
	if cfg == nil {
		return new(tls.Config)
	}
	return cfg.Clone()
}

// A server that closes the connection after the handshake sends no reason. These are possible reasons.
var (
	noCertificate  = "it asked for a client certificate, and there is none that it would accept"
	badCertificate = "it may not accept the client certificate"
)

type conn struct {
	*tls.Conn
	closeReason atomic.Pointer[string] // why the server may close the connection; nil when something has been read
}

func (c *conn) Read(b []byte) (int, error) {
	if err := c.handshake(); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(b)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF // QEMU never sends the alert that ends a TLS stream
	}
	if closeReason := c.closeReason.Load(); closeReason != nil {
		if err != nil {
			return n, fmt.Errorf("TLS: the server closed the connection: %s: %w", *closeReason, err)
		}
		c.closeReason.Store(nil)
	}
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	if err := c.handshake(); err != nil {
		return 0, err
	}
	// QEMU does not wake up for bytes that its TLS library has received already. It does
	// for the next record, and then reads everything. A newline after the message would
	// do as well, but when quit ends QEMU the newline is still unread: that resets the
	// connection, and the reply is lost.
	n := 0
	if last := len(b) - 1; last > 0 {
		var err error
		if n, err = c.Conn.Write(b[:last]); err != nil {
			return n, err
		}
	}
	m, err := c.Conn.Write(b[n:])
	return n + m, err
}

func (c *conn) handshake() error {
	if err := c.Conn.Handshake(); err != nil {
		return &handshakeError{err}
	}
	return nil
}

// A handshakeError may quote an untrusted certificate, so its text is made printable.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string {
	return "TLS handshake: " + printable.Start([]byte(e.err.Error()), 1<<10)
}

func (e *handshakeError) Unwrap() error { return e.err }

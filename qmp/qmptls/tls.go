// Package qmptls connects to servers through TLS:
//
//	cfg, err := qmptls.LoadClient("/etc/pki/qemu")
//	if err != nil {
//		return err
//	}
//	c, err := qapi.Dial(ctx, "tcp:vmhost:4444", qmptls.With(cfg))
//
// where QEMU was started with
//
//	-object tls-creds-x509,id=tls0,dir=/etc/pki/qemu,endpoint=server
//	-chardev socket,id=mon0,host=vmhost,port=4444,server=on,wait=off,tls-creds=tls0
//	-mon chardev=mon0,mode=control
//
// It is a package of its own because crypto/tls adds 0.9 MB to a program.
//
// Pre-shared keys, QEMU's tls-creds-psk, cannot be had: crypto/tls uses the keys of
// earlier sessions alone, and takes none from outside. Neither can anonymous
// credentials, tls-creds-anon, which it does not implement. A stream of another TLS
// library works with [qmp.NewConn] and [qmp.DialFunc]; see [qmp.WithDialer], too.
// QEMU before 10.0 then needs what [Client] does.
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

// With has a dial to a tcp: or unix: address speak TLS; other addresses are refused.
// Without a ServerName in cfg the certificate has to be for the address's host,
// localhost if that is empty; a Unix socket needs one. cfg may be nil, and is not
// changed.
//
// The TLS handshake is part of the connection's, and of the time that
// [qmp.WithHandshakeTimeout] sets.
func With(cfg *tls.Config) qmp.Option { return qmp.WithDialer(&Dialer{Config: cfg}) }

// A Dialer makes TLS connections through another dialer, such as a tunnel, for
// [qmp.WithDialer].
type Dialer struct {
	Config *tls.Config // as for [With]
	Dialer qmp.Dialer  // a net.Dialer if nil
}

// DialContext connects, and leaves the TLS handshake to the first Read or Write.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	cfg := clone(d.Config)
	if cfg.ServerName == "" && !cfg.InsecureSkipVerify {
		host, _, err := net.SplitHostPort(address)
		switch {
		case network == "unix":
			return nil, errors.New("TLS: whose certificate to expect at a Unix socket is for tls.Config.ServerName to say")
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

// Client makes the client's side of a TLS connection of a stream, for [qmp.NewConn]
// and [qmp.NewAgentConn]. cfg needs a ServerName, or InsecureSkipVerify.
//
// The last byte of what is written goes in a TLS record of its own: a QEMU before 10.0
// takes one byte from a record, and leaves the rest until another comes.
func Client(stream net.Conn, cfg *tls.Config) net.Conn {
	c := new(conn)
	cfg = clone(cfg)
	if cfg.GetClientCertificate == nil {
		own := cfg.Certificates
		cfg.GetClientCertificate = func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			for i := range own { // as crypto/tls does
				if request.SupportsCertificate(&own[i]) == nil {
					c.doubt.Store(&gaveOne)
					return &own[i], nil
				}
			}
			c.doubt.Store(&gaveNone)
			return new(tls.Certificate), nil
		}
	}
	c.Conn = tls.Client(stream, cfg)
	return c
}

// Server makes the server's side of a TLS connection of a stream, from a QEMU that
// connects to us, for [qmp.NewConn]. cfg needs a certificate; without one, and if it is
// nil, the handshake fails.
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

// Why a server may hang up after the handshake: it does not say.
var (
	gaveNone = "it asked for a client certificate, and there is none that fits"
	gaveOne  = "it may not accept the client certificate"
)

type conn struct {
	*tls.Conn
	doubt atomic.Pointer[string] // until something has been read
}

func (c *conn) Read(b []byte) (int, error) {
	if err := c.handshake(); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(b)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF // QEMU never says that it ends the stream
	}
	if doubt := c.doubt.Load(); doubt != nil {
		if err != nil {
			return n, fmt.Errorf("TLS: hung up on by the server: %s: %w", *doubt, err)
		}
		c.doubt.Store(nil)
	}
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	if err := c.handshake(); err != nil {
		return 0, err
	}
	// What has been taken but not read wakes QEMU no more, the record behind it does,
	// once for each byte, and then is itself read to its end. A newline behind the
	// message would do as well, but lie unread when quit ends QEMU, which resets the
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

// A handshakeError may quote a certificate that nobody vouches for.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string {
	return "TLS handshake: " + printable.Start([]byte(e.err.Error()), 1<<10)
}

func (e *handshakeError) Unwrap() error { return e.err }

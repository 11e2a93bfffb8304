package qmptls_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptls"
)

// listening starts a QEMU that listens with TLS and returns the address, and its
// other monitor.
func listening(t *testing.T, ctx context.Context, q qemutest.QEMU, dir, options string) (addr string, other *qmp.Conn) {
	t.Helper()
	other, err := qmp.NewConn(ctx, q.Start(t, "-qmp",
		"-object", "tls-creds-x509,id=tls0,endpoint=server,dir="+dir+options,
		"-chardev", "socket,id=mon0,host=127.0.0.1,port=0,server=on,wait=off,tls-creds=tls0",
		"-mon", "chardev=mon0,mode=control"))
	require.NoError(t, err)
	t.Cleanup(func() { other.Close() })
	var chardevs []struct {
		Label    string `json:"label"`
		Filename string `json:"filename"` // disconnected:tls:127.0.0.1:34567,server=on
	}
	require.NoError(t, other.Execute(ctx, "query-chardev", nil, &chardevs))
	for _, c := range chardevs {
		if c.Label == "mon0" {
			_, addr, _ = strings.Cut(c.Filename, "tcp:")
		}
	}
	require.NotEmpty(t, addr, "%v", chardevs)
	return "tcp:" + addr, other
}

func TestQEMU(t *testing.T) {
	dir, _ := newAuthority(t, "Test Authority").write(t, "server", "client")
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		for _, verify := range []string{"no", "yes"} {
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				t.Run(fmt.Sprintf("verify-peer=%s %s", verify, tls.VersionName(version)), func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					addr, other := listening(t, ctx, q, dir, ",verify-peer="+verify)
					cfg, err := qmptls.LoadClient(dir)
					require.NoError(t, err)
					cfg.MinVersion, cfg.MaxVersion = version, version
					c, err := qmp.Dial(ctx, addr, qmptls.WithConfig(cfg))
					require.NoError(t, err)
					defer c.Close()
					call(t, ctx, c)
					if verify == "yes" && version == tls.VersionTLS13 {
						callLarge(t, ctx, c)
					}
					quit(t, ctx, c, other)
				})
			}
		}
	})
}

// A QEMU that connects to us.
func TestQEMUServer(t *testing.T) {
	dir, _ := newAuthority(t, "Test Authority").write(t, "server", "client")
	cfg, err := qmptls.LoadServer(dir)
	require.NoError(t, err)
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		monitor := make(chan net.Conn, 1)
		go func() {
			stream, err := l.Accept()
			if assert.NoError(t, err) {
				stream = qmptls.Server(stream, cfg)
				_, err = stream.Read(nil) // it connects while it starts, and waits for our part
				assert.NoError(t, err)
				monitor <- stream
			}
		}()
		other, err := qmp.NewConn(ctx, q.Start(t, "-qmp",
			"-object", "tls-creds-x509,id=tls0,endpoint=client,dir="+dir,
			"-chardev", "socket,id=mon0,host=localhost,port="+port+",server=off,tls-creds=tls0",
			"-mon", "chardev=mon0,mode=control"))
		require.NoError(t, err)
		defer other.Close()
		c, err := qmp.NewConn(ctx, <-monitor)
		require.NoError(t, err)
		defer c.Close()
		call(t, ctx, c)
		quit(t, ctx, c, other)
	})
}

// The error shows what is wrong.
func TestQEMURefusals(t *testing.T) {
	ca, another := newAuthority(t, "Test Authority"), newAuthority(t, "Another Authority")
	dir, serials := ca.write(t, "server", "client")
	bare, _ := ca.write(t)
	revoking, _ := ca.write(t, "client")
	ca.revoke(t, revoking, time.Now().Add(time.Hour), serials[0])
	strange, _ := another.write(t, "client")
	mixed, _ := another.write(t, "client")
	writePEM(t, mixed, "ca-cert.pem", "CERTIFICATE", ca.cert.Raw)
	tests := []struct{ name, dir, want string }{
		{"wrong authority", strange, "TLS handshake: tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		{"no certificate", bare, "it asked for a client certificate, and there is none that it would accept"},
		{"one of another authority", mixed, "it asked for a client certificate, and there is none that it would accept"},
		{"revoked", revoking, "TLS handshake: the certificate of CN=server was revoked by CN=Test Authority"},
	}
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		addr, _ := listening(t, ctx, q, dir, ",verify-peer=yes")
		for _, test := range tests {
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				cfg, err := qmptls.LoadClient(test.dir)
				require.NoError(t, err)
				cfg.MinVersion, cfg.MaxVersion = version, version
				_, err = qmp.Dial(ctx, addr, qmptls.WithConfig(cfg))
				assert.ErrorContains(t, err, test.want, "%s, %s", test.name, tls.VersionName(version))
				assert.ErrorContains(t, err, "(at "+addr+")")
			}
		}
		// A certificate that is forced on it.
		cfg, err := qmptls.LoadClient(mixed)
		require.NoError(t, err)
		own := cfg.Certificates[0]
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
		_, err = qmp.Dial(ctx, addr, qmptls.WithConfig(cfg))
		assert.ErrorIs(t, err, qmp.ErrClosed)

		cfg, err = qmptls.LoadClient(dir)
		require.NoError(t, err)
		cfg.ServerName = "vmhost"
		_, err = qmp.Dial(ctx, addr, qmptls.WithConfig(cfg))
		assert.ErrorContains(t, err, "x509: certificate is valid for localhost, not vmhost")

		// QEMU continues to run.
		cfg.ServerName = ""
		c, err := qmp.Dial(ctx, addr, qmptls.WithConfig(cfg))
		require.NoError(t, err)
		defer c.Close()
		call(t, ctx, c)
	})
}

// call issues commands from many callers, whose replies are all different.
func call(t *testing.T, ctx context.Context, c *qmp.Conn) {
	t.Helper()
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			for j := range 25 {
				path := fmt.Sprintf("/objects/o%d-%d", i, j)
				err := c.Execute(ctx, "qom-list", map[string]string{"path": path}, nil)
				refusal, ok := errors.AsType[*qmp.Error](err)
				assert.True(t, ok && strings.Contains(refusal.Desc, path), "%s: %v", path, err)
			}
		})
	}
	callers.Wait()
}

func callLarge(t *testing.T, ctx context.Context, c *qmp.Conn) {
	t.Helper()
	path := strings.Repeat("x", 1<<20)
	err := c.Execute(ctx, "qom-list", map[string]string{"path": path}, nil)
	refusal, ok := errors.AsType[*qmp.Error](err)
	assert.True(t, ok && strings.Contains(refusal.Desc, path), "%.200v", err)
}

// quit ends a QEMU, after some events that its other monitor causes.
func quit(t *testing.T, ctx context.Context, c, other *qmp.Conn) {
	t.Helper()
	events := c.Subscribe(nil)
	want := func(name string) {
		t.Helper()
		e, err := events.Next(ctx)
		require.NoError(t, err)
		assert.Equal(t, name, e.Name)
	}
	for range 20 {
		require.NoError(t, other.Execute(ctx, "cont", nil, nil))
		require.NoError(t, other.Execute(ctx, "stop", nil, nil))
		want("RESUME")
		want("STOP")
	}
	require.NoError(t, c.Execute(ctx, "quit", nil, nil))
	want("SHUTDOWN")
	<-c.Done()
	assert.EqualError(t, c.Err(), "qmp: connection closed by the server")
	assert.ErrorIs(t, c.Err(), io.EOF)
}

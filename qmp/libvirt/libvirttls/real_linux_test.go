package libvirttls_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/libvirt"
	"github.com/goqapi/goqapi/qmp/libvirt/libvirttls"
)

// An authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{cert: certificate("authority")}
	a.cert.IsCA, a.cert.KeyUsage = true, x509.KeyUsageCertSign
	var der []byte
	a.key, der = a.sign(t, a.cert)
	var err error
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	return a
}

func certificate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, // libvirt demands both
	}
}

// sign signs a certificate, which has a new key; the authority's own is signed with that key.
func (a *authority) sign(t *testing.T, c *x509.Certificate) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	signer := a.key
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, signer)
	require.NoError(t, err)
	return key, der
}

// issue writes a certificate and its key into a folder: side is "client" or "server".
func (a *authority) issue(t *testing.T, dir, side, name string) {
	t.Helper()
	c := certificate(name)
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if side == "server" {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	key, der := a.sign(t, c)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write(t, filepath.Join(dir, side+"cert.pem"), "CERTIFICATE", der)
	write(t, filepath.Join(dir, side+"key.pem"), "PRIVATE KEY", secret)
}

func write(t *testing.T, path, kind string, data []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o644))
}

// folder makes a folder of certificates: trusted is the authority in it, and issuer, unless it is nil, that of
// the client's certificate.
func folder(t *testing.T, trusted, issuer *authority, client string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pki")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755)) //nolint:gosec // libvirtd runs as another user, and reads it
	write(t, filepath.Join(dir, "cacert.pem"), "CERTIFICATE", trusted.cert.Raw)
	if issuer != nil {
		issuer.issue(t, dir, "client", client)
	}
	return dir
}

// A real libvirtd and this package agree about which certificates are good. If they are, commands, events and
// reconnecting work as on libvirtd's socket.
func TestLibvirtTLS(t *testing.T) {
	good, bad := newAuthority(t), newAuthority(t)
	own := folder(t, good, good, "friend")
	good.issue(t, own, "server", "libvirtd")
	port := qemutest.ReservePort(t)
	l := qemutest.StartLibvirtd(t, "listen_tls = 1", `listen_addr = "127.0.0.1"`, fmt.Sprintf(`tls_port = "%d"`, port),
		`auth_tls = "none"`, `tls_allowed_dn_list = ["CN=friend"]`, fmt.Sprintf("ca_file = %q", own+"/cacert.pem"),
		fmt.Sprintf("cert_file = %q", own+"/servercert.pem"), fmt.Sprintf("key_file = %q", own+"/serverkey.pem"))
	dial := func(host, query string) (*libvirt.Host, error) {
		return libvirt.Dial(t.Context(), fmt.Sprintf("qemu+tls://%s:%d/session?pkipath=%s", host, port, query), libvirttls.WithTLS())
	}
	const here, refused = "127.0.0.1", "TLS: libvirt does not accept this client's certificate: "
	for _, test := range []struct{ name, host, pki, want string }{
		{"another authority", here, folder(t, bad, good, "friend"), "certificate signed by unknown authority"},
		{"another host", "localhost", own, "certificate is not valid for any names, but wanted to match localhost"},
		{"another host, not verified", "localhost", own + "&no_verify=1", ""},
		{"a client of another authority", here, folder(t, good, bad, "friend"), refused},
		{"a client without a certificate", here, folder(t, good, nil, ""), refused},
		{"a client that is not on the list", here, folder(t, good, good, "stranger"), refused},
		{"all is well", here, own, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, err := dial(test.host, test.pki)
			if test.want != "" {
				require.ErrorContains(t, err, test.want)
				t.Log(err)
				return
			}
			require.NoError(t, err)
			assert.NoError(t, h.Close())
		})
	}
	h, err := dial(here, own)
	require.NoError(t, err)
	defer h.Close()
	checkHost(t, l, h)
}

// Without TLS, by TCP.
func TestLibvirtTCP(t *testing.T) {
	port := qemutest.ReservePort(t)
	l := qemutest.StartLibvirtd(t, "listen_tls = 0", "listen_tcp = 1", `listen_addr = "127.0.0.1"`, fmt.Sprintf(`tcp_port = "%d"`, port), `auth_tcp = "none"`)
	h, err := libvirt.Dial(t.Context(), fmt.Sprintf("qemu+tcp://127.0.0.1:%d/session", port))
	require.NoError(t, err)
	defer h.Close()
	checkHost(t, l, h)
}

// checkHost checks that commands and events pass, and go on after a restart of libvirtd.
func checkHost(t *testing.T, l *qemutest.Libvirtd, h *libvirt.Host) {
	t.Helper()
	q := qemutest.LibvirtQEMUs(t)[0]
	l.Create(t, q, "vm")
	conn, err := qmp.DialFunc(t.Context(), h.QMP("vm"), qmp.WithReconnect(qmp.Reconnect{}))
	require.NoError(t, err)
	defer conn.Close()
	c := qapi.NewClient(conn)
	events := qapi.Subscribe[qapi.ResumeEvent](c)
	require.NoError(t, c.Cont(t.Context()))
	_, err = events.Next(t.Context())
	require.NoError(t, err)
	_, err = h.QMP("other")(t.Context())
	assert.ErrorContains(t, err, "no domain with matching name 'other'")

	f, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer f.Close()
	assert.ErrorIs(t, conn.With(qmp.Files(f)).Execute(t.Context(), "add-fd", nil, nil), qmp.ErrNoFiles)

	l.Kill(t)
	_, err = events.Next(t.Context())
	require.ErrorAs(t, err, new(*qmp.GapError))
	l.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	assert.NoError(t, c.Stop(ctx))
}

package libvirttls_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/libvirt"
	"github.com/goqapi/goqapi/qmp/libvirt/libvirttls"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/qmp/qmptest/libvirttest"
)

// writeCertificates writes an authority, and a certificate that is good for both sides.
func writeCertificates(t *testing.T, dir string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write := func(name, kind string, data []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600))
	}
	write("cacert.pem", "CERTIFICATE", der)
	write("clientcert.pem", "CERTIFICATE", der)
	write("clientkey.pem", "PRIVATE KEY", secret)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A welcoming listener sends to each client the text welcome, such as the byte with which libvirtd accepts it.
type welcoming struct {
	net.Listener
	welcome string
}

func (l welcoming) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		_, _ = io.WriteString(c, l.welcome) // fails if the handshake does: the client sees it too
	}
	return c, err
}

func TestTLS(t *testing.T) {
	dir, empty := t.TempDir(), t.TempDir()
	own := writeCertificates(t, dir)
	other := t.TempDir()
	writeCertificates(t, other)
	authority := x509.NewCertPool()
	text, err := os.ReadFile(filepath.Join(dir, "cacert.pem"))
	require.NoError(t, err)
	require.True(t, authority.AppendCertsFromPEM(text))
	config := &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority}

	d := libvirttest.Start(t)
	require.NoError(t, d.Run("vm", qmptest.Start(t), nil))
	for _, test := range []struct{ name, welcome, query, want string }{
		{"accepted", "\x01", "?pkipath=" + dir, ""},
		{"not accepted", "\x00", "?pkipath=" + dir, "libvirt does not accept this client's certificate"},
		{"another authority", "\x01", "?pkipath=" + other, "certificate signed by unknown authority"},
		{"another certificate", "\x01", "?no_verify=1&pkipath=" + other, "libvirt does not accept this client's certificate"},
		{"no certificates", "\x01", "?pkipath=" + empty, "no such file or directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, err := tls.Listen("tcp", "127.0.0.1:0", config)
			require.NoError(t, err)
			d.Serve(welcoming{l, test.welcome})
			h, err := libvirt.Dial(t.Context(), "qemu+tls://"+l.Addr().String()+"/system"+test.query, libvirttls.WithTLS())
			if test.want != "" {
				assert.ErrorContains(t, err, test.want)
				return
			}
			require.NoError(t, err)
			defer h.Close()
			conn, err := qmp.DialFunc(t.Context(), h.QMP("vm"))
			require.NoError(t, err)
			assert.NoError(t, conn.Execute(t.Context(), "cont", nil, nil))
			conn.Close()
		})
	}
}

// A certificate without its key, or a key without its certificate, is an error that names the missing file.
func TestIncomplete(t *testing.T) {
	for _, missing := range []string{"clientcert.pem", "clientkey.pem"} {
		dir := t.TempDir()
		writeCertificates(t, dir)
		require.NoError(t, os.Remove(filepath.Join(dir, missing)))
		_, err := libvirt.Dial(t.Context(), "qemu+tls://127.0.0.1:1/system?pkipath="+dir, libvirttls.WithTLS())
		require.ErrorContains(t, err, "the client's certificate")
		assert.ErrorContains(t, err, "open "+filepath.Join(dir, missing)+": no such file")
	}
}

package qmptls_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	last int64 // serial number
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{key: newKey(t), last: 1}
	a.cert = &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	var err error
	a.cert, err = x509.ParseCertificate(a.sign(t, a.cert, a.key))
	require.NoError(t, err)
	return a
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func (a *authority) sign(t testing.TB, cert *x509.Certificate, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	return der
}

// write writes a directory as QEMU has it: this authority's certificate, and new
// ones of these owners, "server" or "client", whose serial numbers it returns.
func (a *authority) write(t testing.TB, owners ...string) (dir string, serials []*big.Int) {
	t.Helper()
	dir = t.TempDir()
	writePEM(t, dir, "ca-cert.pem", "CERTIFICATE", a.cert.Raw)
	for _, owner := range owners {
		a.last++
		key, serial := newKey(t), big.NewInt(a.last)
		usage := x509.ExtKeyUsageClientAuth
		if owner == "server" {
			usage = x509.ExtKeyUsageServerAuth
		}
		writePEM(t, dir, owner+"-cert.pem", "CERTIFICATE", a.sign(t, &x509.Certificate{
			SerialNumber: serial,
			Subject:      pkix.Name{CommonName: owner},
			NotBefore:    a.cert.NotBefore,
			NotAfter:     a.cert.NotAfter,
			KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
			ExtKeyUsage:  []x509.ExtKeyUsage{usage},
			DNSNames:     []string{"localhost"},
			IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		}, key))
		der, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		writePEM(t, dir, owner+"-key.pem", "PRIVATE KEY", der)
		serials = append(serials, serial)
	}
	return dir, serials
}

// revoke adds a list of revoked certificates to a directory.
func (a *authority) revoke(t testing.TB, dir string, until time.Time, serials ...*big.Int) {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: a.cert.NotBefore, NextUpdate: until}
	for _, serial := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: serial, RevocationTime: a.cert.NotBefore})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	require.NoError(t, err)
	writePEM(t, dir, "ca-crl.pem", "X509 CRL", der)
}

func writePEM(t testing.TB, dir, name, kind string, der []byte) {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
}

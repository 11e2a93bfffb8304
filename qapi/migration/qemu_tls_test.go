package migration_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/migration"
)

// secrets adds TLS credentials that are a key which both sides share.
func secrets(t *testing.T, m machine, dir, id string, endpoint qapi.QCryptoTLSCredsEndpoint, user *string) {
	t.Helper()
	require.NoError(t, m.ObjectAdd(t.Context(), qapi.ObjectOptions{ID: id, QOMType: qapi.ObjectOptionsTLSCredsPSK{
		Dir: &dir, Endpoint: &endpoint, Username: user,
	}}))
}

func TestQEMUTLS(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		dir := t.TempDir()
		key := "9091b1bd6e5ab2b6a5a1e7e9f0c1d2e3f405162738495a6b7c8d9e0f10213243"
		require.NoError(t, os.WriteFile(filepath.Join(dir, "keys.psk"), []byte("vm:"+key+"\n"), 0o600))
		add := func(t *testing.T, from, to machine, user string) {
			t.Helper()
			secrets(t, from, dir, "tls-out", qapi.QCryptoTLSCredsEndpointClient, &user)
			secrets(t, to, dir, "tls-in", qapi.QCryptoTLSCredsEndpointServer, nil)
		}
		opts := []migration.Option{
			quick, migration.AtSource(migration.TLS("tls-out", "")), migration.AtDestination(migration.TLS("tls-in", "")),
		}
		t.Run("good", func(t *testing.T) {
			from, to := pair(t, q)
			add(t, from, to, "vm")
			_, err := migration.Move(soon(t), from.Client, to.Client, migration.TCP("127.0.0.1", 0), opts...)
			require.NoError(t, err)
			assert.Equal(t, qapi.RunStateRunning, to.state(t))
			p, err := from.QueryMigrateParameters(t.Context())
			require.NoError(t, err)
			assert.NotEqual(t, qapi.Str("tls-out"), p.TLSCreds)
		})
		t.Run("only one side", func(t *testing.T) {
			from, to := pair(t, q)
			add(t, from, to, "vm")
			_, err := migration.Move(soon(t), from.Client, to.Client, migration.TCP("127.0.0.1", 0), opts[0], opts[1], migration.Limit(5e9))
			moved(t, err)
			unchanged(t, from)
		})
	})
}

// certificates writes the certificates of an authority, a server called vm.example and a client, in
// the files that QEMU reads.
func certificates(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	write := func(name, kind string, der []byte) {
		text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	var authority *x509.Certificate
	var key *ecdsa.PrivateKey
	for i, name := range []string{"ca", "server", "client"} {
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i) + 1), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, BasicConstraintsValid: true,
		}
		if authority == nil {
			template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign
			authority, key = template, own
		} else {
			template.DNSNames = []string{"vm.example"}
			template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		}
		cert, err := x509.CreateCertificate(rand.Reader, template, authority, &own.PublicKey, key)
		require.NoError(t, err)
		write(name+"-cert.pem", "CERTIFICATE", cert)
		secret, err := x509.MarshalPKCS8PrivateKey(own)
		require.NoError(t, err)
		write(name+"-key.pem", "PRIVATE KEY", secret)
	}
	return dir
}

// The name in the certificate must be the expected one.
func TestQEMUTLSWithCertificates(t *testing.T) {
	dir := certificates(t)
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		for _, hostname := range []string{"vm.example", "other.example"} {
			from, to := pair(t, q)
			for m, endpoint := range map[machine]qapi.QCryptoTLSCredsEndpoint{
				from: qapi.QCryptoTLSCredsEndpointClient, to: qapi.QCryptoTLSCredsEndpointServer,
			} {
				require.NoError(t, m.ObjectAdd(t.Context(), qapi.ObjectOptions{ID: "tls0", QOMType: qapi.ObjectOptionsTLSCredsX509{
					Dir: &dir, Endpoint: &endpoint,
				}}))
			}
			_, err := migration.Move(soon(t), from.Client, to.Client, migration.TCP("127.0.0.1", 0), quick,
				migration.TLS("tls0", ""), migration.AtSource(migration.TLS("tls0", hostname)), migration.Limit(5*time.Second))
			if hostname == "vm.example" {
				require.NoError(t, err)
				assert.Equal(t, qapi.RunStateRunning, to.state(t))
				continue
			}
			assert.Contains(t, moved(t, err).Reason, "hostname")
			unchanged(t, from)
		}
	})
}

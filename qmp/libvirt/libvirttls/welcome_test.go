package libvirttls_test

import (
	"context"
	"crypto/tls"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp/libvirt"
	"github.com/goqapi/goqapi/qmp/libvirt/libvirttls"
)

// At a timeout, the error does not say that the certificate was refused.
func TestNoWelcome(t *testing.T) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	l, err := tls.Listen("tcp", "127.0.0.1:0", s.TLS)
	require.NoError(t, err)
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	over := make(chan struct{})
	defer close(over)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.(*tls.Conn).HandshakeContext(t.Context()) // the client has an error, too
		cancel()
		<-over
	}()
	uri := "qemu+tls://" + l.Addr().String() + "/system?no_verify=1&pkipath=" + t.TempDir()
	_, err = libvirt.Dial(ctx, uri, libvirttls.WithTLS())
	require.ErrorIs(t, err, context.Canceled)
	assert.NotContains(t, err.Error(), "certificate")
}

package libvirt_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp/libvirt"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/qmp/qmptest/libvirttest"
)

func TestTCP(t *testing.T) {
	d := libvirttest.Start(t)
	require.NoError(t, d.Run("vm", qmptest.Start(t), nil))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	d.Serve(l)
	h, err := libvirt.Dial(t.Context(), "qemu+tcp://"+l.Addr().String()+"/system")
	require.NoError(t, err)
	defer h.Close()
	list, err := h.Domains(t.Context())
	require.NoError(t, err)
	assert.Len(t, list, 1)
	assert.NoError(t, h.Close())
	_, err = h.Domains(t.Context())
	assert.ErrorContains(t, err, "the libvirt.Host is closed")
}

// Sockets that are not there are named.
func TestNoSocket(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	_, err := libvirt.Dial(t.Context(), "qemu:///session")
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "virtqemud-sock")
	assert.ErrorContains(t, err, "libvirt-sock")
}

// If both sockets exist, virtqemud's is used, otherwise libvirtd's.
func TestSocketIsFound(t *testing.T) {
	dir, err := os.MkdirTemp("", "lv") // t.TempDir can be too long for a socket
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "libvirt"), 0o700))
	for _, name := range []string{"libvirt-sock", "virtqemud-sock"} {
		d := libvirttest.Start(t)
		require.NoError(t, d.Run(name, qmptest.Start(t), nil))
		_, err := d.Listen(filepath.Join(dir, "libvirt", name))
		require.NoError(t, err)
		h, err := libvirt.Dial(t.Context(), "qemu:///session")
		require.NoError(t, err)
		defer h.Close()
		list, err := h.Domains(t.Context())
		require.NoError(t, err)
		require.Len(t, list, 1)
		assert.Equal(t, name, list[0].Name)
	}
}

// polkit accepts a user, or refuses: then the error says who decides.
func TestPolkit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := libvirttest.Start(t)
		d.SetPolkit(true)
		h, err := libvirt.Dial(t.Context(), "qemu:///system", libvirt.WithDialer(d.Dial))
		require.NoError(t, err)
		assert.NoError(t, h.Close())
		d.SetPolkit(false)
		_, err = libvirt.Dial(t.Context(), "qemu:///system", libvirt.WithDialer(d.Dial))
		assert.EqualError(t, err, "libvirt: connecting to qemu:///system: authentication: by polkit, which usually accepts root and the "+
			"members of the group libvirt: libvirt says: authentication unavailable: no polkit agent available to authenticate action "+
			"'org.libvirt.unix.manage' (code 94)")
		e, ok := errors.AsType[*libvirt.Error](err)
		require.True(t, ok)
		assert.Equal(t, libvirt.CodeAuthUnavailable, e.Code)
	})
}

// TLS is refused before anything is sent if the program does not have it.
func TestTLSIsOptional(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	for _, scheme := range []string{"qemu", "qemu+tls"} {
		uri := scheme + "://" + l.Addr().String() + "/system"
		_, err := libvirt.Dial(t.Context(), uri)
		assert.ErrorContains(t, err, uri)
		assert.ErrorContains(t, err, "the option libvirttls.WithTLS(), of the package github.com/goqapi/goqapi/qmp/libvirt/libvirttls")
	}
	own, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	require.NoError(t, err)
	defer own.Close()
	first, err := l.Accept()
	require.NoError(t, err)
	defer first.Close()
	assert.Equal(t, own.LocalAddr(), first.RemoteAddr(), "Dial has connected")

	// With a dialer of the program's own only the path of the URI counts.
	h, err := libvirt.Dial(t.Context(), "qemu+tls://host/system", libvirt.WithDialer(libvirttest.Start(t).Dial))
	require.NoError(t, err)
	assert.NoError(t, h.Close())
}

// A greeted stream begins with a text, such as the byte with which libvirtd accepts a client.
type greeted struct {
	io.ReadWriteCloser
	greeting *strings.Reader
}

func (g greeted) Read(b []byte) (int, error) {
	if g.greeting.Len() > 0 {
		return g.greeting.Read(b)
	}
	return g.ReadWriteCloser.Read(b)
}

func TestTLSDialer(t *testing.T) {
	d := libvirttest.Start(t)
	for _, test := range []struct {
		welcome string
		err     error
		want    string
	}{
		{"\x01", nil, ""},
		{"\x00", nil, "libvirt does not accept this client's certificate"},
		{"", errors.New("no certificates"), "no certificates"},
		{"", nil, "returned neither a stream nor an error"},
	} {
		var got *url.URL
		h, err := libvirt.Dial(t.Context(), "qemu+tls://host/system?pkipath=/pki", libvirt.WithTLSDialer(
			func(ctx context.Context, uri *url.URL) (io.ReadWriteCloser, error) {
				got = uri
				if test.welcome == "" {
					return nil, test.err
				}
				rw, err := d.Dial(ctx)
				return greeted{rw, strings.NewReader(test.welcome)}, err
			}))
		require.NotNil(t, got)
		assert.Equal(t, "qemu+tls://host/system?pkipath=/pki", got.String())
		if test.want != "" {
			assert.ErrorContains(t, err, test.want)
			continue
		}
		require.NoError(t, err)
		_, err = h.Domains(t.Context())
		assert.NoError(t, err)
		assert.NoError(t, h.Close())
	}
}

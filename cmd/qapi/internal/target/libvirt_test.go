package target

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/qmp/qmptest/libvirttest"
)

func TestURIOfLibvirt(t *testing.T) {
	for address, want := range map[string][2]string{
		"libvirt:web":                 {"qemu:///system", "web"},
		"libvirt:///web":              {"qemu:///system", "web"},
		"libvirt+ssh://host/web":      {"qemu+ssh://host/system", "web"},
		"libvirt+ssh://me@host:22/w1": {"qemu+ssh://me@host:22/system", "w1"},
		"libvirt+tcp://host/web":      {"qemu+tcp://host/system", "web"},
	} {
		uri, name, err := libvirtURI(address)
		assert.NoError(t, err, address)
		assert.Equal(t, want, [2]string{uri, name}, address)
	}
	for _, bad := range []string{"libvirt:", "libvirt:a/b", "libvirt+ssh:web", "libvirt+ssh://host", "libvirt+ssh:///web", "libvirt+ssh://host/"} {
		_, _, err := libvirtURI(bad)
		assert.Error(t, err, bad)
	}
}

// TestDialLibvirt connects to a machine, and to its agent, through a fake libvirt.
func TestDialLibvirt(t *testing.T) {
	dir, err := os.MkdirTemp("", "libvirt") // t.TempDir can be too long for a socket
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	d := libvirttest.Start(t)
	uri, err := d.Listen(filepath.Join(dir, "s"))
	require.NoError(t, err)
	require.NoError(t, d.Run("web", qmptest.Start(t), qmptest.StartAgent(t)))
	defer func(was string) { systemURI = was }(systemURI)
	systemURI = uri

	machines, err := Resolve(t.Context(), fixed{}, "libvirt:web")
	require.NoError(t, err)
	c, err := machines[0].Dial(t.Context())
	require.NoError(t, err)
	status, err := c.QueryStatus(t.Context())
	require.NoError(t, err)
	assert.NotEmpty(t, status.Status)
	require.NoError(t, c.Close())
	g, err := machines[0].DialAgent(t.Context())
	require.NoError(t, err)
	_, err = g.GuestInfo(t.Context())
	require.NoError(t, err)
	require.NoError(t, g.Close())

	_, err = Machine{Name: "nope", Address: "libvirt:nope", Libvirt: true}.Dial(t.Context())
	assert.ErrorContains(t, err, "connect to nope: ")
}

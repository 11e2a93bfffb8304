package migration_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/migration"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// sent returns the arguments with which a QEMU of a release was told where to migrate.
func sent(t *testing.T, release string, at migration.Address) (qapi.MigrateArgs, error) {
	t.Helper()
	f := startFake(t, qmptest.Release(release))
	var got qapi.MigrateArgs
	qmptest.Handle(f.srv, f.srv.Commands.Migrate, func(_ context.Context, args ...qapi.MigrateArgs) error {
		got = args[0]
		return &qmp.Error{Class: qmp.ClassGenericError, Desc: "refused"}
	})
	_, err := migration.Run(t.Context(), f.Client, at)
	return got, err
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		at  migration.Address
		uri string
	}{
		{migration.TCP("10.0.0.2", 4444), "tcp:10.0.0.2:4444"},
		{migration.TCP("::1", 4444), "tcp:[::1]:4444"},
		{migration.Unix("/run/m,1"), "unix:/run/m,1"},
		{migration.FD("m"), "fd:m"},
		{migration.Exec("/bin/sh", "-c", "cat >/m"), "exec:cat >/m"},
		{migration.Address{Transport: qapi.MigrationAddressRdma{Host: "h", Port: "1"}}, "rdma:h:1"},
		{migration.Address{Transport: qapi.MigrationAddressSocket{Type: qapi.SocketAddressVsock{Cid: "3", Port: "1"}}}, "vsock:3:1"},
	} {
		parsed, err := migration.ParseURI(c.uri)
		require.NoError(t, err)
		assert.Equal(t, c.at, parsed)

		for _, release := range []string{"7.2", "8.2"} {
			old, err := sent(t, release, c.at)
			require.ErrorContains(t, err, "refused")
			assert.Equal(t, c.uri, qapi.Value(old.URI))
			assert.Nil(t, old.Channels)
		}
		newer, err := sent(t, "9.0", c.at)
		require.ErrorContains(t, err, "refused")
		assert.Nil(t, newer.URI)
		assert.Equal(t, []qapi.MigrationChannel{{ChannelType: qapi.MigrationChannelTypeMain, Addr: c.at}}, newer.Channels)
	}
}

func TestAddressesOfOldReleases(t *testing.T) {
	file := migration.Address{Transport: qapi.MigrationAddressFile{Filename: "/m", Offset: 4096}}
	first, err := sent(t, "8.2", file)
	require.ErrorContains(t, err, "refused")
	assert.Equal(t, "file:/m,offset=4096", qapi.Value(first.URI))

	old, _ := sent(t, "5.2", migration.Exec("a b", "it's"))
	assert.Equal(t, `exec:'a b' 'it'\''s'`, qapi.Value(old.URI))

	inet := qapi.SocketAddressInet{Host: "h", Port: "1", To: new(uint16(5)), IPv4: new(false), IPv6: new(true)}
	old, _ = sent(t, "5.2", migration.Address{Transport: qapi.MigrationAddressSocket{Type: inet}})
	assert.Equal(t, "tcp:h:1,to=5,ipv4=off,ipv6=on", qapi.Value(old.URI))

	inet.KeepAlive = new(true)
	for _, at := range []migration.Address{
		migration.File("/m"),
		{Transport: qapi.MigrationAddressSocket{Type: inet}},
		{Transport: qapi.MigrationAddressSocket{Type: qapi.SocketAddressUnix{Path: "m", Abstract: new(true)}}},
		{},
	} {
		old, err := sent(t, "5.2", at)
		require.Error(t, err)
		assert.Zero(t, old, "nothing is sent: %v", err)
	}
}

func TestParseURI(t *testing.T) {
	at, err := migration.ParseURI("file:/m,offset=0x1000")
	require.NoError(t, err)
	assert.Equal(t, migration.Address{Transport: qapi.MigrationAddressFile{Filename: "/m", Offset: 4096}}, at)
	for _, uri := range []string{"", "unix", "unix:", "tcp:host", "nope:x", "file:/m,offset=x"} {
		_, err := migration.ParseURI(uri)
		assert.ErrorContains(t, err, "migration: the URI", uri)
	}
}

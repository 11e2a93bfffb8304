package qga_test

import (
	"context"
	"math"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

func TestInspect(t *testing.T) {
	srv := qmptest.StartAgent(t)
	conn, err := qmp.NewAgentConn(t.Context(), srv.Pipe())
	require.NoError(t, err)
	c := qga.NewClient(conn)
	defer c.Close()
	want := qga.Guest{
		HostName:   "vm1",
		Interfaces: []qga.GuestNetworkInterface{{Name: "eth0"}},
		Users:      []qga.GuestUser{{User: "root"}},
	}
	srv.Reply("guest-get-host-name", qga.GuestHostName{HostName: "vm1"})
	srv.Reply("guest-network-get-interfaces", want.Interfaces)
	srv.Reply("guest-get-users", want.Users)
	refuse := func(command, class, text string) {
		srv.Handle(command, func(context.Context, *qmptest.Request) (any, error) {
			return nil, &qmp.Error{Class: class, Desc: text}
		})
	}
	refuse("guest-get-osinfo", qmp.ClassCommandNotFound, "The command guest-get-osinfo has not been found")
	refuse("guest-get-timezone", qmp.ClassCommandNotFound, "Command guest-get-timezone has been disabled")
	refuse("guest-get-fsinfo", qmp.ClassGenericError, "this feature or command is not currently supported")
	want.Unsupported = []string{"guest-get-osinfo", "guest-get-timezone", "guest-get-fsinfo"}
	guest, err := qga.Inspect(t.Context(), c)
	require.NoError(t, err)
	assert.Empty(t, cmp.Diff(want, guest))

	refuse("guest-get-fsinfo", qmp.ClassGenericError, "Permission denied")
	_, err = qga.Inspect(t.Context(), c)
	assert.EqualError(t, err, "qga: inspect: qmp: guest-get-fsinfo: Permission denied")
}

// A guest may send any text as an address.
func TestAddrs(t *testing.T) {
	nic := qga.GuestNetworkInterface{IPAddresses: []qga.GuestIPAddress{
		{IPAddress: "192.0.2.1", Prefix: 24}, {IPAddress: "2001:db8::1", Prefix: 64},
		{IPAddress: "\x1b[2J", Prefix: 24}, {IPAddress: "192.0.2.1", Prefix: 33}, {IPAddress: "192.0.2.1", Prefix: -1},
		{IPAddress: "192.0.2.1", Prefix: math.MaxInt64}, {},
	}}
	assert.Equal(t, []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("2001:db8::1/64")}, nic.Addrs())
}

func TestFilesystemPercent(t *testing.T) {
	percent := func(used, total *uint64) float64 {
		return qga.GuestFilesystemInfo{UsedBytes: used, TotalBytes: total}.Percent()
	}
	assert.InDelta(t, 25, percent(new(uint64(1)), new(uint64(4))), 1e-9)
	assert.InDelta(t, 100, percent(new(uint64(math.MaxUint64)), new(uint64(4))), 0)
	assert.Zero(t, percent(new(uint64(1)), new(uint64(0))))
	assert.Zero(t, percent(nil, new(uint64(4))))
	assert.Zero(t, percent(new(uint64(1)), nil))
}

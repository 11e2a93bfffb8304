package qga_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

func TestReport(t *testing.T) {
	srv := qmptest.StartAgent(t)
	conn, err := qmp.NewAgentConn(t.Context(), srv.Pipe())
	require.NoError(t, err)
	c := qga.NewClient(conn)
	defer c.Close()
	handle := func(command string, result any) {
		srv.Handle(command, func(context.Context, *qmptest.Request) (any, error) { return result, nil })
	}
	handle("guest-get-osinfo", qga.GuestOSInfo{PrettyName: new("Debian \x1b[31m")})
	handle("guest-get-timezone", qga.GuestTimezone{})
	handle("guest-get-users", []qga.GuestUser{})
	handle("guest-get-host-name", qga.GuestHostName{HostName: "vm1"})
	handle("guest-network-get-interfaces", []qga.GuestNetworkInterface{{Name: "eth0", IPAddresses: []qga.GuestIPAddress{
		{IPAddress: "192.0.2.1", IPAddressType: qga.GuestIPAddressTypeIPv4, Prefix: 24},
	}}})
	handle("guest-get-fsinfo", []qga.GuestFilesystemInfo{
		{Name: "vda1", Mountpoint: "/", Type: "ext4", UsedBytes: new(uint64(1 << 30)), TotalBytes: new(uint64(4 << 30)), Disk: []qga.GuestDiskAddress{}},
		{Name: "none", Mountpoint: "/none", Type: "none", Disk: []qga.GuestDiskAddress{}},
	})
	var text bytes.Buffer
	require.NoError(t, report(t.Context(), c, &text))
	assert.Equal(t, "\"vm1\" runs \"Debian \\x1b[31m\"\n\"eth0\": [192.0.2.1/24]\n\"/\" is full to 25 %\n", text.String())

	srv.Handle("guest-get-fsinfo", func(context.Context, *qmptest.Request) (any, error) {
		return nil, &qmp.Error{Class: qmp.ClassCommandNotFound, Desc: "disabled"}
	})
	assert.NoError(t, report(t.Context(), c, &text))
	srv.Handle("guest-get-osinfo", func(context.Context, *qmptest.Request) (any, error) {
		return nil, &qmp.Error{Class: qmp.ClassGenericError, Desc: "jammed"}
	})
	assert.ErrorContains(t, report(t.Context(), c, &text), "jammed")
}

// TestQEMUReport asks agents, also one that has disabled most commands.
func TestQEMUReport(t *testing.T) {
	eachAgent(t, func(t *testing.T, c *qga.Client, _ int) {
		var text bytes.Buffer
		require.NoError(t, report(t.Context(), c, &text))
		assert.Contains(t, text.String(), `"lo": [127.0.0.1/8`)
		assert.Contains(t, text.String(), " runs ")
	})
	qemutest.EachAgent(t, func(t *testing.T, a qemutest.Agent) {
		c, err := qga.Dial(t.Context(), "unix:"+a.StartFrozen(t))
		require.NoError(t, err)
		defer c.Close()
		_, err = c.GuestGetFsinfo(t.Context())
		assert.True(t, qapi.IsUnsupported(err), "%v", err)
		require.NoError(t, report(t.Context(), c, new(bytes.Buffer)))
	})
}

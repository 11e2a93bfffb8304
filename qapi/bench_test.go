package qapi_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/wiretest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qmp"
)

// answering returns a connection to a server that sends the same reply to whatever it
// reads, and allocates nothing for that.
func answering(b testing.TB, reply string) *qapi.Client {
	b.Helper()
	client, server := net.Pipe()
	go wiretest.Answer(server, []byte(reply+"\r\n"))
	conn, err := qmp.NewConn(b.Context(), client)
	require.NoError(b, err)
	b.Cleanup(func() { conn.Close() })
	return qapi.NewClient(conn)
}

// BenchmarkCall counts what a typed call allocates.
func BenchmarkCall(b *testing.B) {
	b.Run("query-status", func(b *testing.B) {
		c := answering(b, `{"return": {"running": true, "status": "running"}}`)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.QueryStatus(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("device_del", func(b *testing.B) {
		c := answering(b, `{"return": {}}`)
		b.ReportAllocs()
		for b.Loop() {
			if err := c.DeviceDel(b.Context(), qapi.DeviceDelArgs{ID: "nic0"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("blockdev-add qcow2 over file", func(b *testing.B) {
		c := answering(b, `{"return": {}}`)
		b.ReportAllocs()
		for b.Loop() {
			if err := c.BlockdevAdd(b.Context(), qapi.BlockdevOptions{
				NodeName: new("disk0"),
				Driver: qapi.BlockdevOptionsQcow2{
					File: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: "vm.qcow2"}},
				},
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
	disk := device.VirtioBlkPCI{ID: "vd0", Bus: "rp0", Drive: "disk0", Serial: "abc", Bootindex: new(int32(1)), Addr: device.Slot(0)}
	b.Run("device_add typed", func(b *testing.B) { benchmarkDeviceAdd(b, disk) })
	b.Run("device_add open", func(b *testing.B) {
		args, err := qapi.DeviceArgs(disk)
		require.NoError(b, err)
		benchmarkDeviceAdd(b, args)
	})
}

func benchmarkDeviceAdd[D qapi.Device](b *testing.B, dev D) {
	c := answering(b, `{"return": {}}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.DeviceAdd(b.Context(), dev); err != nil {
			b.Fatal(err)
		}
	}
}

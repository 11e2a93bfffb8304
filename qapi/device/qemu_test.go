package device_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qmp"
)

// machine starts a q35 with places for devices, and returns its monitor.
func machine(t *testing.T, q qemutest.QEMU, args ...string) *qapi.Client {
	t.Helper()
	args = append([]string{
		"-qmp", "-machine", "q35", "-accel", "tcg", "-m", "128M,slots=4,maxmem=1G", "-smp", "1,maxcpus=2",
		"-device", "pcie-root-port,id=rp0,chassis=1,addr=10", "-device", "pcie-root-port,id=rp1,chassis=2,addr=11",
		"-device", "pcie-root-port,id=rp2,chassis=3,addr=12", "-device", "pcie-root-port,id=rp3,chassis=4,addr=13",
		"-device", "pcie-root-port,id=rp4,chassis=5,addr=14",
		"-device", "virtio-scsi-pci,id=scsi0", "-device", "qemu-xhci,id=xhci",
		"-object", "memory-backend-ram,id=mem0,size=128M", "-object", "rng-builtin,id=rng0", "-object", "iothread,id=io0",
		"-netdev", "user,id=net0", "-netdev", "user,id=net1",
	}, args...)
	conn, err := qmp.NewConn(t.Context(), q.Start(t, args[0], args[1:]...))
	require.NoError(t, err)
	c := qapi.NewClient(conn)
	for _, node := range []string{"disk0", "disk1", "disk2"} {
		require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{
			NodeName: &node, Driver: qapi.BlockdevOptionsNullCo{Size: new(int64(1 << 20))},
		}))
	}
	return c
}

// plugged is a device that has been plugged in, with what it takes to read it back.
type plugged struct {
	id   string
	want any
	read func(ctx context.Context) (any, error)
}

// plug plugs a device in, after a check.
func plug[D qapi.Device](t *testing.T, c *qapi.Client, id string, dev D) plugged {
	t.Helper()
	require.NoError(t, device.Check(t.Context(), c, dev), id)
	require.NoError(t, c.DeviceAdd(t.Context(), dev), id)
	return plugged{id, dev, func(ctx context.Context) (any, error) { return device.Read[D](ctx, c, id) }}
}

// assertSet fails unless all fields that are set in want have the same values in got.
func assertSet(t *testing.T, want, got any) {
	t.Helper()
	w, g := reflect.ValueOf(want), reflect.ValueOf(got)
	for i := range w.NumField() {
		if !w.Field(i).IsZero() {
			assert.Equal(t, w.Field(i).Interface(), g.Field(i).Interface(), "%T.%s", want, w.Type().Field(i).Name)
		}
	}
}

// TestQEMUDevices plugs in, reads back and unplugs devices of all kinds, with one program for all
// releases.
func TestQEMUDevices(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		c := machine(t, q, "-drive", "format=raw,file="+qemutest.Guest(t),
			"-chardev", "ringbuf,id=com0,size=64", "-device", "isa-serial,chardev=com0")
		require.NoError(t, c.Cont(t.Context()))
		eventually(t, "the guest is not ready", func() bool {
			text, err := c.RingbufRead(t.Context(), qapi.RingbufReadArgs{Device: "com0", Size: 1})
			return err == nil && text == "R"
		})
		all := []plugged{
			plug(t, c, "vd0", device.VirtioBlkPCI{
				ID: "vd0", Bus: "rp0", Addr: device.Slot(0), Drive: "disk0", Serial: "abc", Bootindex: new(int32(0)), Iothread: "io0",
				WriteCache: qapi.OnOffAutoOn, Werror: qapi.BlockdevOnErrorStop, LogicalBlockSize: new(uint64(4096)),
				PhysicalBlockSize: new(uint64(4096)), NumQueues: new(uint16(2)), ShareRw: new(true), Romfile: new(""),
			}),
			plug(t, c, "nic0", device.E1000{ID: "nic0", Bus: "rp1", Addr: device.Slot(0), Netdev: "net0", MAC: "52:54:00:12:34:56"}),
			plug(t, c, "nic1", device.VirtioNetPCI{
				ID: "nic1", Bus: "rp2", Netdev: "net1", MAC: "52:54:00:12:34:57", MrgRxbuf: new(false), HostMTU: new(uint16(1400)), Rombar: new(int32(1)),
			}),
			plug(t, c, "sd0", device.SCSIHD{
				ID: "sd0", Bus: "scsi0.0", Drive: "disk1", SCSIID: new(uint32(3)), LUN: new(uint32(1)), WWN: new(uint64(0x5000c500a1b2c3d4)),
				Vendor: "ACME", Product: "DISK", RotationRate: new(uint16(1)),
			}),
			plug(t, c, "tab0", device.USBTablet{ID: "tab0", Bus: "xhci.0", Port: "2"}),
			plug(t, c, "nvme0", device.Nvme{ID: "nvme0", Bus: "rp3", Drive: "disk2", Serial: "nvme-1", MaxIoqpairs: new(uint32(8))}),
			plug(t, c, "rng0", device.VirtioRngPCI{ID: "rng0", Bus: "rp4", Rng: "rng0", MaxBytes: new(uint64(1 << 16)), Period: new(uint32(1000))}),
			plug(t, c, "dimm0", device.PcDimm{ID: "dimm0", Memdev: "mem0", Slot: new(int32(0)), Addr: new(uint64(1 << 32))}),
			plugCPU(t, c, "cpu1"),
		}
		for _, p := range all {
			got, err := p.read(t.Context())
			require.NoError(t, err, p.id)
			assertSet(t, p.want, got)
		}
		for _, p := range all {
			eventually(t, p.id+" is not unplugged", func() bool { // the guest needs time for the devices that were plugged in
				return c.DeviceDel(t.Context(), qapi.DeviceDelArgs{ID: p.id}) == nil
			})
			eventually(t, p.id+" is still there", func() bool {
				_, err := c.QOMList(t.Context(), qapi.QOMListArgs{Path: "/machine/peripheral/" + p.id})
				return err != nil
			})
		}
	})
}

// eventually returns when a condition holds.
func eventually(t *testing.T, otherwise string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, time.Minute, 20*time.Millisecond, otherwise)
}

// plugCPU plugs in the first processor that there is a place for.
func plugCPU(t *testing.T, c *qapi.Client, id string) plugged {
	t.Helper()
	cpus, err := c.QueryHotpluggableCPUs(t.Context())
	require.NoError(t, err)
	for _, cpu := range cpus {
		if cpu.QOMPath == nil {
			plug(t, c, id, cpu.Device(id))
			want := device.X86CPU{
				ID: id, Model: "qemu64", SocketID: new(int32(*cpu.Props.SocketID)), CoreID: new(int32(*cpu.Props.CoreID)), ThreadID: new(int32(*cpu.Props.ThreadID)),
			}
			return plugged{id, want, func(ctx context.Context) (any, error) { return device.Read[device.X86CPU](ctx, c, id) }}
		}
	}
	require.Fail(t, "there is no place for a processor")
	return plugged{}
}

// TestQEMUMemory plugs in memory of all kinds, with sizes beyond 32 bits.
func TestQEMUMemory(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		conn, err := qmp.NewConn(t.Context(), q.Start(t, "-qmp", "-machine", "q35,nvdimm=on", "-accel", "tcg", "-m", "128M,slots=4,maxmem=64G",
			"-device", "pcie-root-port,id=rp0"))
		require.NoError(t, err)
		c := qapi.NewClient(conn)
		for _, id := range []string{"m0", "m1", "m2"} {
			require.NoError(t, c.ObjectAdd(t.Context(), qapi.ObjectOptions{
				ID: id, QOMType: qapi.ObjectOptionsMemoryBackendRAM{Size: 256 << 20},
			}))
		}
		for _, p := range []plugged{
			plug(t, c, "dimm0", device.PcDimm{ID: "dimm0", Memdev: "m0", Addr: new(uint64(5 << 30)), Node: new(uint32(0))}),
			plug(t, c, "nv0", device.Nvdimm{ID: "nv0", Memdev: "m1", Unarmed: new(true), LabelSize: new(int64(128 << 10))}),
			plug(t, c, "vm0", device.VirtioMemPCI{ID: "vm0", Bus: "rp0", Memdev: "m2", RequestedSize: new(uint64(128 << 20)), BlockSize: new(uint64(4 << 20))}),
		} {
			got, err := p.read(t.Context())
			require.NoError(t, err, p.id)
			assertSet(t, p.want, got)
		}
	})
}

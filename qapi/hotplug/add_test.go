package hotplug_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qapi/hotplug"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

func TestDisk(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		_, c := fake(t, qmptest.Release(release))
		require.NoError(t, hotplug.AddDisk(t.Context(), c, device.VirtioBlkPCI{ID: "vd", Drive: "top"}, nullDisk("n"), rawOverN("top")))
		assert.Equal(t, []string{"vd"}, devices(t, c))
		err := hotplug.AddDisk(t.Context(), c, device.VirtioBlkPCI{ID: "vd", Drive: "other"}, nullDisk("other"))
		assert.EqualError(t, err, `hotplug: plugging in device "vd" (virtio-blk-pci): it exists already`)
		err = hotplug.AddDisk(t.Context(), c, device.VirtioBlkPCI{ID: "vd2", Drive: "top"}, nullDisk("other"), nullDisk("n"))
		assert.EqualError(t, err, `hotplug: plugging in block node "n": it exists already`)
		assert.ElementsMatch(t, []string{"top", "n"}, nodes(t, c), "what was there before stays")
		require.NoError(t, hotplug.RemoveDisk(t.Context(), c, "vd", "top", "n"))
		require.NoError(t, hotplug.RemoveDisk(t.Context(), c, "vd", "top", "n"), "once more")
		assert.Empty(t, devices(t, c))
		assert.Empty(t, nodes(t, c))
	})
}

// After a device could not be plugged in, nothing is left.
func TestDiskRollsBack(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		_, c := fake(t, qmptest.Release(release))
		err := hotplug.AddDisk(t.Context(), c, device.VirtioBlkPCI{ID: "vd", Drive: "none"}, nullDisk("n"), rawOverN("top"))
		refused, ok := errors.AsType[*qmp.Error](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, "device_add", refused.Command)
		assert.NotContains(t, err.Error(), "left behind")
		assert.Empty(t, nodes(t, c))
	})
}

func TestWhatCannotBeAdded(t *testing.T) {
	srv, c := fake(t)
	for _, tt := range []struct {
		err  error
		want string
	}{
		{hotplug.Plug(t.Context(), c, device.VirtioRngPCI{}), `hotplug: plugging in device "" (virtio-rng-pci): it needs an id, so that it can be unplugged`},
		{hotplug.AddDisk(t.Context(), c, device.VirtioBlkPCI{ID: "vd"}, qapi.BlockdevOptions{}), "hotplug: plugging in a disk: a block node needs a name, so that it can be removed"},
		{hotplug.AddNIC(t.Context(), c, nil, hub("h")), "hotplug: plugging in a device: qapi: device: "},
	} {
		assert.ErrorContains(t, tt.err, tt.want)
	}
	assert.Empty(t, srv.Calls())
}

// RemoveDisk waits, within the limit, for a node that something else uses.
func TestRemoveDiskWaitsForNodes(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		_, c := fake(t, qmptest.Release(release))
		plugSCSI(t, c)
		require.NoError(t, c.BlockdevAdd(t.Context(), rawOverN("user")))
		start := time.Now()
		err := hotplug.RemoveDisk(t.Context(), c, "sd", "n")
		assert.Equal(t, hotplug.DefaultLimit, time.Since(start))
		assert.True(t, qapi.IsInUse(err), "%v", err)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, `hotplug: removing block node "n": qmp: blockdev-del: `)

		time.AfterFunc(5*time.Second, func() {
			assert.NoError(t, c.BlockdevDel(t.Context(), qapi.BlockdevDelArgs{NodeName: "user"}))
		})
		start = time.Now()
		require.NoError(t, hotplug.RemoveDisk(t.Context(), c, "sd", "n"))
		assert.Less(t, time.Since(start), 7*time.Second)
	})
}

func TestNIC(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		_, c := fake(t, qmptest.Release(release))
		require.NoError(t, hotplug.AddNIC(t.Context(), c, device.VirtioNetPCI{ID: "nic", Netdev: "hub"}, hub("hub")))
		require.NoError(t, hotplug.RemoveNIC(t.Context(), c, "nic", "hub"))
		noNetdev(t, c, "hub")
		err := hotplug.AddNIC(t.Context(), c, device.VirtioNetPCI{ID: "nic", Netdev: "other"}, hub("hub"))
		assert.ErrorContains(t, err, `device "nic" (virtio-net-pci): qmp: device_add: `)
		noNetdev(t, c, "hub")
		require.NoError(t, c.NetdevAdd(t.Context(), hub("hub")))
		err = hotplug.AddNIC(t.Context(), c, device.VirtioNetPCI{ID: "nic", Netdev: "hub"}, hub("hub"))
		assert.EqualError(t, err, `hotplug: plugging in netdev "hub": it exists already`)
		require.NoError(t, c.NetdevDel(t.Context(), qapi.NetdevDelArgs{ID: "hub"}), "it is not ours")
	})
}

func TestMemory(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		_, c := fake(t, qmptest.Release(release))
		require.NoError(t, hotplug.AddMemory(t.Context(), c, device.PcDimm{ID: "dimm", Memdev: "m"}, ram("m", 128<<20)))
		info, err := c.QueryMemorySizeSummary(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 128<<20, *info.PluggedMemory)
		require.NoError(t, hotplug.RemoveMemory(t.Context(), c, "dimm", "m"))
		assert.Empty(t, objects(t, c))
		err = hotplug.AddMemory(t.Context(), c, device.PcDimm{ID: "dimm", Memdev: "none"}, ram("m", 128<<20))
		assert.ErrorContains(t, err, `device "dimm" (pc-dimm): qmp: device_add: `)
		assert.Empty(t, objects(t, c))
	})
}

func TestVirtioMem(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		srv, c := fake(t, qmptest.Release(release))
		require.NoError(t, c.Cont(t.Context()))
		require.NoError(t, hotplug.AddMemory(t.Context(), c, device.VirtioMemPCI{ID: "vm", Memdev: "m", RequestedSize: new(uint64(0))}, ram("m", 1<<30)))
		require.NoError(t, hotplug.ResizeMemory(t.Context(), c, "vm", 64<<20))
		devices, err := c.QueryMemoryDevices(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 64<<20, devices[0].Type.(qapi.MemoryDeviceInfoVirtioMem).Size)

		srv.Guest(qmptest.GuestSilent)
		start := time.Now()
		err = hotplug.ResizeMemory(t.Context(), c, "vm", 128<<20)
		assert.Equal(t, hotplug.DefaultLimit, time.Since(start))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, `hotplug: resizing memory "vm" to 134217728 bytes, of which the guest has 67108864: `)
		devices, err = c.QueryMemoryDevices(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 64<<20, devices[0].Type.(qapi.MemoryDeviceInfoVirtioMem).RequestedSize, "no more is asked for")

		srv.Guest(qmptest.GuestObeys)
		err = hotplug.RemoveMemory(t.Context(), c, "vm", "m")
		if release == "5.2" || release == "7.2" {
			_, refused := errors.AsType[*qmp.Error](err)
			assert.True(t, refused, "%v", err)
			devices, err = c.QueryMemoryDevices(t.Context())
			require.NoError(t, err)
			assert.EqualValues(t, 64<<20, devices[0].Type.(qapi.MemoryDeviceInfoVirtioMem).Size, "it is as it was")
			return
		}
		require.NoError(t, err)
		assert.Empty(t, objects(t, c))
	})
}

func TestResizeWhatIsNotThere(t *testing.T) {
	_, c := fake(t)
	err := hotplug.ResizeMemory(t.Context(), c, "none", 1<<30)
	assert.True(t, qapi.IsNotFound(err), "%v", err)
}

func TestSetCPUs(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		srv, c := fake(t, qmptest.Release(release))
		require.NoError(t, hotplug.SetCPUs(t.Context(), c, 3))
		assert.Equal(t, 3, cpus(t, c))
		want := []string{"cpu-0-1-0", "cpu-0-2-0"}
		if release == "5.2" {
			want = []string{"cpu-1-0-0", "cpu-2-0-0"}
		}
		assert.Equal(t, want, devices(t, c))
		assert.ErrorContains(t, hotplug.SetCPUs(t.Context(), c, 9), "hotplug: setting 9 processors: there is no place for 5 of them")
		assert.ErrorContains(t, hotplug.SetCPUs(t.Context(), c, 0), "a machine has at least one processor")
		err := hotplug.SetCPUs(t.Context(), c, 1)
		if release == "5.2" || release == "7.2" {
			assert.ErrorContains(t, err, "; 0 of 2 are gone")
			return
		}
		require.NoError(t, err)
		assert.Equal(t, 1, cpus(t, c))
		err = hotplug.SetCPUs(t.Context(), c, 2)
		require.ErrorIs(t, err, hotplug.ErrUnsafe)
		assert.ErrorContains(t, err, "no thread left for another processor")
		assert.Equal(t, 1, cpus(t, c))
		require.NoError(t, hotplug.SetCPUs(t.Context(), c, 1))
		srv.Reply("query-kvm", qapi.KVMInfo{Enabled: true, Present: true})
		require.NoError(t, hotplug.SetCPUs(t.Context(), c, 4), "they can be plugged in again")
		assert.Equal(t, 4, cpus(t, c))
	})
}

// If the guest refuses in the middle, what it has released stays unplugged.
func TestSetCPUsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c := fake(t)
		require.NoError(t, hotplug.SetCPUs(t.Context(), c, 4))
		del, times := srv.Handler("device_del"), 0
		srv.Handle("device_del", func(ctx context.Context, req *qmptest.Request) (any, error) {
			if times++; times == 2 {
				srv.Guest(qmptest.GuestRefuses)
			}
			return del(ctx, req)
		})
		err := hotplug.SetCPUs(t.Context(), c, 1)
		_, refused := errors.AsType[*hotplug.RefusedError](err)
		assert.True(t, refused, "%v", err)
		assert.ErrorContains(t, err, "; 1 of 3 are gone")
		assert.Equal(t, 3, cpus(t, c))
	})
}

// If one processor cannot be plugged in, those before it are unplugged again.
func TestSetCPUsRollsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c := fake(t)
		add, times := srv.Handler("device_add"), 0
		srv.Handle("device_add", func(ctx context.Context, req *qmptest.Request) (any, error) {
			if times++; times == 3 {
				return nil, &qmp.Error{Class: qmp.ClassGenericError, Desc: "no more"}
			}
			return add(ctx, req)
		})
		assert.ErrorContains(t, hotplug.SetCPUs(t.Context(), c, 4), "no more")
		assert.Equal(t, 1, cpus(t, c))
	})
}

// Processors may come in cores of several.
func TestSetCPUsFillsPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c := fake(t)
		srv.Reply("query-hotpluggable-cpus", []qapi.HotpluggableCPU{
			{Type: "x", VcpusCount: 4, Props: qapi.CPUInstanceProperties{CoreID: new(int64(4))}},
			{Type: "x", VcpusCount: 4, Props: qapi.CPUInstanceProperties{CoreID: new(int64(0))}, QOMPath: new("/machine/unattached/device[0]")},
		})
		assert.ErrorContains(t, hotplug.SetCPUs(t.Context(), c, 6), "a place cannot be filled partly: with whole places there would be 2 too many")
		assert.ErrorContains(t, hotplug.SetCPUs(t.Context(), c, 3), "a place cannot be emptied partly: with whole places there would be 3 too few")
		require.NoError(t, hotplug.SetCPUs(t.Context(), c, 4))
		assert.Zero(t, srv.Count("device_add")+srv.Count("device_del"))
	})
}

func TestBalloon(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		srv, c := fake(t, qmptest.Release(release))
		_, err := hotplug.Balloon(t.Context(), c, 32<<20)
		assert.True(t, qapi.IsNotFound(err), "%v", err)
		require.NoError(t, c.DeviceAdd(t.Context(), device.VirtioBalloonPCI{ID: "b"}))
		require.NoError(t, c.Cont(t.Context()))
		got, err := hotplug.Balloon(t.Context(), c, 32<<20)
		require.NoError(t, err)
		assert.EqualValues(t, 32<<20, got)
		got, err = hotplug.Balloon(t.Context(), c, 1<<40)
		require.NoError(t, err)
		assert.EqualValues(t, 64<<20, got, "all that there is")

		srv.Guest(qmptest.GuestSilent)
		start := time.Now()
		got, err = hotplug.Balloon(t.Context(), c, 16<<20)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, "hotplug: balloon to 16777216 bytes (last seen: 67108864): ")
		assert.EqualValues(t, 64<<20, got)
		assert.Equal(t, hotplug.DefaultLimit, time.Since(start))
		srv.Guest(qmptest.GuestObeys)
		info, err := c.QueryBalloon(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 64<<20, info.Actual, "no more is asked of it")
	})
}

func TestPorts(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		_, c := fake(t, qmptest.Release(release), qmptest.RootPorts("rp1", "rp0"))
		bus, err := hotplug.FreePort(t.Context(), c)
		require.NoError(t, err)
		assert.Equal(t, "rp0", bus)
		require.NoError(t, hotplug.Plug(t.Context(), c, device.VirtioRngPCI{ID: "a"}))
		require.NoError(t, hotplug.Plug(t.Context(), c, device.VirtioRngPCI{ID: "b"}))
		for id, port := range map[string]string{"a": "rp0", "b": "rp1"} {
			list, err := c.QOMList(t.Context(), qapi.QOMListArgs{Path: "/machine/peripheral/" + port + "/" + port})
			require.NoError(t, err)
			assert.Equal(t, "link<virtio-rng-pci>", list[len(list)-1].Type, "%s", id)
		}
		_, err = hotplug.FreePort(t.Context(), c)
		require.ErrorIs(t, err, hotplug.ErrNoPort)
		err = hotplug.AddDisk(t.Context(), c, device.VirtioBlkPCI{ID: "vd", Drive: "n"}, nullDisk("n"))
		require.ErrorIs(t, err, hotplug.ErrNoPort)
		assert.Empty(t, nodes(t, c))
		require.NoError(t, hotplug.Unplug(t.Context(), c, "a"))
		require.NoError(t, hotplug.Plug(t.Context(), c, device.VirtioRngPCI{ID: "c", Props: map[string]any{"max-bytes": 5}}))
	})
}

// Several devices that are plugged in at the same time get a port each.
func TestPortsTogether(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		ports := []string{"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"}
		_, c := fake(t, qmptest.Release(release), qmptest.RootPorts(ports...))
		done := make(chan error)
		for _, port := range ports {
			go func() { done <- hotplug.Plug(t.Context(), c, device.VirtioRngPCI{ID: "of-" + port}) }()
		}
		for range ports {
			require.NoError(t, <-done)
		}
		_, err := hotplug.FreePort(t.Context(), c)
		assert.ErrorIs(t, err, hotplug.ErrNoPort)
	})
}

// The machine pc has a bus that takes devices while it runs, as long as there is a slot.
func TestSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := fake(t)
		for i := range 29 {
			bus, err := hotplug.FreePort(t.Context(), c)
			require.NoError(t, err)
			assert.Equal(t, "pci.0", bus)
			require.NoError(t, hotplug.Plug(t.Context(), c, device.VirtioRngPCI{ID: fmt.Sprintf("rng%d", i), Bus: bus}))
		}
		_, err := hotplug.FreePort(t.Context(), c)
		assert.ErrorIs(t, err, hotplug.ErrNoPort)
	})
}

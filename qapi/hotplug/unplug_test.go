package hotplug_test

import (
	"context"
	"errors"
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

// each runs f in a bubble for each release.
func each(t *testing.T, f func(t *testing.T, release string)) {
	t.Helper()
	for _, release := range releases {
		t.Run(release, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, release) })
		})
	}
}

// After Unplug the node of a disk is free.
func TestUnplug(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		srv, c := fake(t, qmptest.Release(release))
		for _, plug := range []func(*testing.T, *qapi.Client){plugSCSI, plugBlk} {
			plug(t, c)
			start := time.Now()
			for _, id := range devices(t, c) {
				require.NoError(t, hotplug.Unplug(t.Context(), c, id))
			}
			require.NoError(t, c.BlockdevDel(t.Context(), qapi.BlockdevDelArgs{NodeName: "n"}))
			assert.Less(t, time.Since(start), 10*time.Millisecond)
		}
		assert.Empty(t, devices(t, c))
		assert.Equal(t, 2, srv.Count("device_del"))
	})
}

func TestUnplugWhatIsNotThere(t *testing.T) {
	srv, c := fake(t)
	require.NoError(t, hotplug.Unplug(t.Context(), c, "none"))
	require.NoError(t, hotplug.Unplug(t.Context(), c, "/machine/peripheral-anon/device[7]"))
	assert.Zero(t, srv.Count("device_del"))
}

// A device without an id has a path.
func TestUnplugByPath(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		_, c := fake(t, qmptest.Release(release))
		require.NoError(t, c.DeviceAdd(t.Context(), device.VirtioRngPCI{}))
		require.NoError(t, hotplug.Unplug(t.Context(), c, "/machine/peripheral-anon/device[0]"))
		assert.Empty(t, names(t, c, "/machine/peripheral-anon"))
	})
}

func TestUnplugWhatCannotBe(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		srv, c := fake(t, qmptest.Release(release))
		err := hotplug.Unplug(t.Context(), c, "cd0")
		_, refused := errors.AsType[*qmp.Error](err)
		assert.True(t, refused, "%v", err)
		assert.ErrorContains(t, err, `hotplug: unplugging "cd0": qmp: device_del: `)
		assert.Equal(t, 1, srv.Count("device_del"))
	})
}

// A refusal of the guest is reported by an event for devices, from 6.2 on, and by ACPI for
// memory and processors.
func TestUnplugRefused(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		srv, c := fake(t, qmptest.Release(release))
		srv.Guest(qmptest.GuestRefuses)
		require.NoError(t, hotplug.AddMemory(t.Context(), c, device.PcDimm{ID: "dimm", Memdev: "m"}, ram("m", 128<<20)))
		start := time.Now()
		err := hotplug.Unplug(t.Context(), c, "dimm")
		refused, ok := errors.AsType[*hotplug.RefusedError](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, hotplug.RefusedError{Device: "dimm", Reason: "the device is busy (ACPI status 130)"}, *refused)
		assert.EqualError(t, err, `hotplug: the guest refuses to release "dimm": the device is busy (ACPI status 130)`)
		assert.Zero(t, time.Since(start))

		err = hotplug.RemoveMemory(t.Context(), c, "dimm", "m")
		assert.ErrorContains(t, err, `memory backend "m" stays, too`)
		_, ok = errors.AsType[*hotplug.RefusedError](err)
		assert.True(t, ok)

		plugBlk(t, c)
		err = hotplug.Unplug(t.Context(), c, "vd")
		if release == "5.2" {
			assert.ErrorIs(t, err, hotplug.ErrNotReleased, "it has no such event")
		} else {
			assert.EqualError(t, err, `hotplug: the guest refuses to release "vd"`)
		}
		assert.Equal(t, []string{"dimm", "vd"}, devices(t, c))
	})
}

// Before 6.2, MEM_UNPLUG_ERROR reported that memory cannot be unplugged, with a reason.
func TestUnplugRefusedWithReason(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		srv, c := fake(t, qmptest.Release(release))
		if release == "10.0" || release == "11.1" {
			return // later releases do not have the event
		}
		srv.Guest(qmptest.GuestSilent)
		require.NoError(t, hotplug.AddMemory(t.Context(), c, device.PcDimm{ID: "dimm", Memdev: "m"}, ram("m", 128<<20)))
		go func() {
			time.Sleep(time.Second)
			srv.EmitNamed("MEM_UNPLUG_ERROR", map[string]any{"device": "other", "msg": "not it"})
			srv.EmitNamed("MEM_UNPLUG_ERROR", map[string]any{"device": "dimm", "msg": "bad\nluck"})
		}()
		start := time.Now()
		err := hotplug.Unplug(t.Context(), c, "dimm")
		assert.EqualError(t, err, `hotplug: the guest refuses to release "dimm": bad\nluck`)
		assert.Equal(t, time.Second, time.Since(start))
	})
}

// A guest that does not answer is asked again, at growing intervals, up to a limit.
func TestUnplugSilent(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		srv, c := fake(t, qmptest.Release(release))
		srv.Guest(qmptest.GuestSilent)
		plugBlk(t, c)
		start := time.Now()
		var asked []time.Duration
		del := srv.Handler("device_del")
		srv.Handle("device_del", func(ctx context.Context, req *qmptest.Request) (any, error) {
			asked = append(asked, time.Since(start).Round(time.Second))
			return del(ctx, req)
		})
		err := hotplug.Unplug(t.Context(), c, "vd")
		assert.Equal(t, hotplug.DefaultLimit, time.Since(start))
		require.ErrorIs(t, err, hotplug.ErrNotReleased)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.EqualError(t, err, `hotplug: unplugging "vd": the guest has not released it within 30s; it is still plugged in, and may be released later: context deadline exceeded`)
		assert.Equal(t, []time.Duration{0, 8 * time.Second, 24 * time.Second}, asked)
		assert.Equal(t, []string{"vd"}, devices(t, c))

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start = time.Now()
		err = hotplug.RemoveDisk(ctx, c, "vd", "n", "m")
		assert.Equal(t, time.Minute, time.Since(start), "the caller's limit counts")
		assert.ErrorContains(t, err, `; block node "n" stays, too; block node "m" stays, too`)
		assert.Equal(t, []string{"n"}, nodes(t, c))

		time.AfterFunc(10*time.Second, func() { srv.Guest(qmptest.GuestObeys) })
		start = time.Now()
		require.NoError(t, hotplug.RemoveDisk(t.Context(), c, "vd", "n"), "the guest may release it later")
		assert.Equal(t, 10*time.Second, time.Since(start))
		assert.Empty(t, nodes(t, c))
	})
}

func TestUnplugCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c := fake(t)
		srv.Guest(qmptest.GuestSilent)
		plugBlk(t, c)
		ctx, cancel := context.WithCancelCause(t.Context())
		bored := errors.New("bored")
		time.AfterFunc(3*time.Second, func() { cancel(bored) })
		err := hotplug.Unplug(ctx, c, "vd")
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, bored)
		assert.ErrorContains(t, err, "in 3s")
	})
}

// For a device behind a PCI Express port, the server refuses to ask the guest twice, which is
// not an error.
func TestUnplugAskedBefore(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		srv, c := fake(t, qmptest.Release(release), qmptest.RootPorts("rp0"))
		srv.Guest(qmptest.GuestSilent)
		require.NoError(t, hotplug.Plug(t.Context(), c, device.VirtioRngPCI{ID: "rng"}))
		require.NoError(t, c.DeviceDel(t.Context(), qapi.DeviceDelArgs{ID: "rng"}))
		time.AfterFunc(time.Minute, func() { srv.Guest(qmptest.GuestObeys) })
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		start := time.Now()
		require.NoError(t, hotplug.Unplug(ctx, c, "rng"))
		assert.Equal(t, time.Minute, time.Since(start))
	})
}

// Events may be lost: only the state of the machine counts.
func TestUnplugWithoutEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c := fake(t)
		srv.Guest(qmptest.GuestSilent)
		plugBlk(t, c)
		time.AfterFunc(3*time.Second, func() {
			srv.Cut()
			srv.Guest(qmptest.GuestObeys) // its event is not sent
		})
		start := time.Now()
		require.NoError(t, hotplug.RemoveDisk(t.Context(), c, "vd", "n"))
		assert.Less(t, time.Since(start), 4*time.Second)
	})
}

// Some processors have no event when they are unplugged.
func TestUnplugCPU(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		srv, c := fake(t, qmptest.Release(release))
		require.NoError(t, hotplug.SetCPUs(t.Context(), c, 2))
		id := devices(t, c)[0]
		start := time.Now()
		err := hotplug.Unplug(t.Context(), c, id)
		assert.Less(t, time.Since(start), 10*time.Millisecond)
		switch release {
		case "5.2":
			_, refused := errors.AsType[*qmp.Error](err)
			assert.True(t, refused, "%v", err)
		case "7.2":
			assert.ErrorIs(t, err, hotplug.ErrUnsafe)
			assert.Zero(t, srv.Count("device_del"))
			require.NoError(t, hotplug.SetCPUs(t.Context(), c, 3), "QEMU is there")
		default:
			require.NoError(t, err)
			assert.Equal(t, 1, cpus(t, c))
		}
	})
}

// QEMU 7.2 with KVM has no such fault, as far as is known.
func TestUnplugCPUWithKVM(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c := fake(t, qmptest.Release("7.2"))
		require.NoError(t, hotplug.SetCPUs(t.Context(), c, 2))
		srv.Reply("query-kvm", qapi.KVMInfo{Enabled: true, Present: true})
		require.NoError(t, hotplug.SetCPUs(t.Context(), c, 1))
		assert.Equal(t, 1, cpus(t, c))
	})
}

// A device leaves the tree of objects before what it used is free: only the event shows that this
// is free.
func TestUnplugAwaitsTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c := fake(t)
		srv.Guest(qmptest.GuestSilent)
		plugBlk(t, c)
		get, asked := srv.Handler("qom-get"), 0
		srv.Handle("qom-get", func(ctx context.Context, req *qmptest.Request) (any, error) {
			if asked++; asked > 2 {
				return nil, &qmp.Error{Class: qmp.ClassDeviceNotFound, Desc: "gone"}
			}
			return get(ctx, req)
		})
		time.AfterFunc(300*time.Millisecond, func() { srv.Guest(qmptest.GuestObeys) })
		start := time.Now()
		require.NoError(t, hotplug.Unplug(t.Context(), c, "vd"))
		assert.Equal(t, 300*time.Millisecond, time.Since(start))
		require.NoError(t, c.BlockdevDel(t.Context(), qapi.BlockdevDelArgs{NodeName: "n"}))

		asked = 0
		srv.Guest(qmptest.GuestSilent)
		plugBlk(t, c)
		start = time.Now()
		require.NoError(t, hotplug.Unplug(t.Context(), c, "vd"), "it is gone, event or not")
		assert.Less(t, time.Since(start), 2*time.Second)
	})
}

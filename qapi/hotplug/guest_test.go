package hotplug_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qapi/hotplug"
)

// The guest is a Linux with only the drivers for what is plugged in. The variable QAPI_GUEST
// names the folder it is made from, into which Debian's packages were unpacked:
//
//	apt-get download busybox-static linux-image-6.1.0-47-cloud-amd64-unsigned
//	for p in *.deb; do dpkg-deb -x $p .; done
const guestVariable = "QAPI_GUEST"

// guestModules are those that the guest loads, in this order.
var guestModules = []string{
	"drivers/virtio/virtio", "drivers/virtio/virtio_ring", "drivers/virtio/virtio_pci_modern_dev",
	"drivers/virtio/virtio_pci_legacy_dev", "drivers/virtio/virtio_pci", "drivers/virtio/virtio_balloon",
	"drivers/block/virtio_blk", "drivers/virtio/virtio_mem", "net/core/failover", "drivers/net/net_failover", "drivers/net/virtio_net",
}

// guestInit is the guest's first process. It brings new hardware online, and reports that on the
// serial port.
const guestInit = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
how=online_movable; grep -q keep-memory /proc/cmdline && how=online_kernel
echo $how > /sys/devices/system/memory/auto_online_blocks
%s
echo GUEST READY > /dev/ttyS0
i=0
while true; do
 if [ $how = online_kernel ]; then i=$((i+1)); mkdir -p /keep/$i/1/2/3/4/5/6/7/8/9; fi
 for c in /sys/devices/system/cpu/cpu[0-9]*; do o=$c/online; [ -f $o ] && [ "$(cat $o)" = 0 ] && echo 1 > $o; done
 sleep 0.1
done
`

// An archive is a cpio archive of the form that Linux unpacks at its start.
type archive struct {
	bytes.Buffer
	files int
}

func (a *archive) add(name string, mode, major, minor int, data []byte) {
	a.files++
	fmt.Fprintf(a, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		a.files, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name)+1, 0, name)
	a.pad()
	a.Write(data)
	a.pad()
}

func (a *archive) pad() {
	for a.Len()%4 != 0 {
		a.WriteByte(0)
	}
}

// makeGuest returns the files of a kernel and of its initial RAM disk.
func makeGuest(t *testing.T) (kernel, initrd string) {
	t.Helper()
	dir := os.Getenv(guestVariable)
	if dir == "" {
		t.Skipf("no guest: %s names none (see guest_test.go)", guestVariable)
	}
	read := func(parts ...string) ([]byte, string) {
		found, err := filepath.Glob(filepath.Join(append([]string{dir}, parts...)...))
		require.NoError(t, err)
		require.Len(t, found, 1, "%v in %s", parts, dir)
		data, err := os.ReadFile(found[0])
		require.NoError(t, err)
		return data, found[0]
	}
	const folder, program, console = 0o40755, 0o100755, 0o20600
	var a archive
	for _, name := range []string{"bin", "dev", "proc", "sys", "m"} {
		a.add(name, folder, 0, 0, nil)
	}
	a.add("dev/console", console, 5, 1, nil)
	busybox, _ := read("bin", "busybox")
	a.add("bin/busybox", program, 0, 0, busybox)
	var insmod strings.Builder
	for _, m := range guestModules {
		data, path := read("lib", "modules", "*", "kernel", m+".ko")
		a.add("m/"+filepath.Base(path), program, 0, 0, data)
		fmt.Fprintf(&insmod, "insmod /m/%s\n", filepath.Base(path))
	}
	a.add("init", program, 0, 0, fmt.Appendf(nil, guestInit, &insmod))
	a.add("TRAILER!!!", 0, 0, 0, nil)

	initrd = filepath.Join(t.TempDir(), "initrd.gz")
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := z.Write(a.Bytes())
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.NoError(t, os.WriteFile(initrd, zipped.Bytes(), 0o600))
	_, kernel = read("boot", "vmlinuz-*")
	return kernel, initrd
}

// boot starts a machine with a guest, and returns when this is ready.
func boot(t *testing.T, q qemutest.QEMU, kernel, initrd, machine, words string, more ...string) *qapi.Client {
	t.Helper()
	return bootMachine(t, q, kernel, initrd, machine, words, more...).client(t, nil)
}

func bootMachine(t *testing.T, q qemutest.QEMU, kernel, initrd, machine, words string, more ...string) *real {
	t.Helper()
	out, in, err := os.Pipe()
	require.NoError(t, err)
	defer in.Close()
	args := []string{
		"-machine", machine, "-m", "256,slots=4,maxmem=2G", "-smp", "1,maxcpus=3", "-kernel", kernel, "-initrd", initrd,
		"-append", "console=ttyS0 panic=-1 mitigations=off " + words, "-serial", "file:/dev/fd/4",
	}
	if machine == "q35" {
		args = append(args, "-device", "pcie-root-port,id=rp0,chassis=1", "-device", "pcie-root-port,id=rp1,chassis=2")
	}
	r := launch(t, q, []*os.File{in}, append(args, more...)...)
	ready := make(chan struct{})
	var reader sync.WaitGroup
	var said bytes.Buffer
	reader.Go(func() {
		defer close(ready)
		for p := make([]byte, 4096); !bytes.Contains(said.Bytes(), []byte("GUEST READY")); {
			n, err := out.Read(p)
			said.Write(p[:n])
			if err != nil {
				return
			}
		}
		reader.Go(func() { // so that the machine runs
			for p := make([]byte, 4096); ; {
				if _, err := out.Read(p); err != nil {
					return
				}
			}
		})
	})
	t.Cleanup(func() {
		r.kill()
		out.Close()
		reader.Wait()
	})
	select {
	case <-ready:
	case <-time.After(4 * time.Minute):
		out.Close()
		<-ready
	}
	require.Contains(t, said.String(), "GUEST READY", "the guest")
	return r
}

// TestQEMUGuest plugs everything into machines with a running Linux, and unplugs it again.
func TestQEMUGuest(t *testing.T) {
	kernel, initrd := makeGuest(t)
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		for _, machine := range []string{"q35", "pc"} {
			t.Run(machine, func(t *testing.T) {
				c := boot(t, q, kernel, initrd, machine, "", "-device", "virtio-balloon-pci,id=balloon")
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
				defer cancel()
				if machine == "q35" && q.Release == "5.2" {
					// On this release the guest believes that a port that was empty at its start is to be
					// switched off, and immediately releases what is plugged in first.
					require.NoError(t, hotplug.Plug(ctx, c, device.VirtioRngPCI{ID: "rng"}))
					require.NoError(t, hotplug.Unplug(ctx, c, "rng"))
				}
				guestDisk(ctx, t, c)
				guestMemory(ctx, t, c)
				got, err := hotplug.Balloon(ctx, c, 200<<20)
				require.NoError(t, err)
				assert.EqualValues(t, 200<<20, got)
				got, err = hotplug.Balloon(ctx, c, 1<<40)
				require.NoError(t, err)
				assert.EqualValues(t, 256<<20, got)
				guestVirtioMem(ctx, t, c, q.Release)
				guestCPUs(ctx, t, c, q.Release)
			})
		}
	})
}

func guestDisk(ctx context.Context, t *testing.T, c *qapi.Client) {
	t.Helper()
	for range 3 {
		require.NoError(t, hotplug.AddDisk(ctx, c, device.VirtioBlkPCI{ID: "vd", Drive: "n"}, nullDisk("n")))
		start := time.Now()
		require.NoError(t, hotplug.RemoveDisk(ctx, c, "vd", "n"))
		t.Logf("a disk has gone after %v", time.Since(start).Round(time.Millisecond))
		require.NoError(t, hotplug.AddNIC(ctx, c, device.VirtioNetPCI{ID: "nic", Netdev: "hub"}, hub("hub")))
		require.NoError(t, hotplug.RemoveNIC(ctx, c, "nic", "hub"))
	}
	assert.Empty(t, nodes(t, c))
}

func guestMemory(ctx context.Context, t *testing.T, c *qapi.Client) {
	t.Helper()
	require.NoError(t, hotplug.AddMemory(ctx, c, device.PcDimm{ID: "dimm", Memdev: "m"}, ram("m", 128<<20)))
	awaitOnline(ctx, t, c, "DIMM")
	require.NoError(t, hotplug.RemoveMemory(ctx, c, "dimm", "m"))
	assert.Empty(t, objects(t, c))
}

// awaitOnline waits until the guest has reported that it uses new hardware.
func awaitOnline(ctx context.Context, t *testing.T, c *qapi.Client, kind qapi.ACPISlotType) {
	t.Helper()
	for ctx.Err() == nil {
		all, err := c.QueryACPIOspmStatus(ctx)
		require.NoError(t, err)
		for _, slot := range all {
			if slot.SlotType == kind && slot.Device != nil && slot.Source == 1 {
				return
			}
		}
	}
	t.Fatalf("the guest does not use the %s", kind)
}

func guestVirtioMem(ctx context.Context, t *testing.T, c *qapi.Client, release string) {
	t.Helper()
	dev := device.VirtioMemPCI{ID: "vm", Memdev: "m2", RequestedSize: new(uint64(0))}
	require.NoError(t, hotplug.AddMemory(ctx, c, dev, ram("m2", 256<<20)))
	require.NoError(t, hotplug.ResizeMemory(ctx, c, "vm", 128<<20))
	err := hotplug.RemoveMemory(ctx, c, "vm", "m2")
	if release == "5.2" || release == "7.2" {
		require.ErrorContains(t, err, "cannot be unplugged")
		require.NoError(t, hotplug.ResizeMemory(ctx, c, "vm", 0))
		return
	}
	require.NoError(t, err)
	assert.Empty(t, objects(t, c))
}

func guestCPUs(ctx context.Context, t *testing.T, c *qapi.Client, release string) {
	t.Helper()
	require.NoError(t, hotplug.SetCPUs(ctx, c, 3))
	if release == "5.2" || release == "7.2" {
		require.Error(t, hotplug.SetCPUs(ctx, c, 1))
		assert.Equal(t, 3, cpus(t, c))
		return
	}
	require.NoError(t, hotplug.SetCPUs(ctx, c, 2))
	require.NoError(t, hotplug.SetCPUs(ctx, c, 1))
	assert.Equal(t, 1, cpus(t, c))
	require.ErrorIs(t, hotplug.SetCPUs(ctx, c, 2), hotplug.ErrUnsafe)
	guestDisk(ctx, t, c) // QEMU is there
}

// TestQEMUGuestExample runs the example with a Linux, which releases what is plugged in.
func TestQEMUGuestExample(t *testing.T) {
	kernel, initrd := makeGuest(t)
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		if q.Release == "5.2" || q.Release == "7.2" {
			t.Skip("this release does not take a processor out safely, which the example does: see hotplug.ErrUnsafe")
		}
		c := boot(t, q, kernel, initrd, "q35", "", "-device", "pcie-root-port,id=rp2,chassis=3")
		var out bytes.Buffer
		require.NoError(t, grow(t.Context(), c, &out))
		awaitOnline(within(t, time.Minute), t, c, "DIMM")
		require.NoError(t, shrink(within(t, 2*time.Minute), c, &out), "%s", &out)
		t.Logf("%s", &out)
		assert.Contains(t, out.String(), "disk vd0 is gone\ncard nic0 is gone\nthe ") // the guest may keep memory and processors
	})
}

// TestQEMUGuestRefuses asks a Linux for memory that it uses itself.
func TestQEMUGuestRefuses(t *testing.T) {
	kernel, initrd := makeGuest(t)
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		c := boot(t, q, kernel, initrd, "q35", "keep-memory")
		ctx := within(t, time.Minute)
		var err error
		for err == nil { // until the guest uses some of it
			require.NoError(t, hotplug.AddMemory(ctx, c, device.PcDimm{ID: "dimm", Memdev: "m"}, ram("m", 256<<20)))
			awaitOnline(ctx, t, c, "DIMM")
			err = hotplug.RemoveMemory(ctx, c, "dimm", "m")
		}
		refused, ok := errors.AsType[*hotplug.RefusedError](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, "the device is busy (ACPI status 130)", refused.Reason)
		assert.Equal(t, []string{"m"}, objects(t, c))
	})
}

package disk_test

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/cut"
	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/disk"
	"github.com/goqapi/goqapi/qapi/job"
	"github.com/goqapi/goqapi/qmp"
)

// qemuImg runs the program that comes with QEMU.
func qemuImg(t *testing.T, q qemutest.QEMU, args ...string) {
	t.Helper()
	out, err := exec.Command(q.Tool(t, "qemu-img"), args...).CombinedOutput()
	assert.NoError(t, err, "qemu-img %q: %s", args, out)
}

// write writes to a disk as a guest would.
func write(t *testing.T, c *qapi.Client, node string, pattern byte, offset int) {
	t.Helper()
	for _, command := range []string{fmt.Sprintf("write -P %d %d 64k", pattern, offset), "flush"} {
		out, err := c.HumanMonitorCommand(t.Context(), qapi.HumanMonitorCommandArgs{
			CommandLine: fmt.Sprintf("qemu-io %s %q", node, command),
		})
		require.NoError(t, err)
		require.NotContains(t, out, "rror")
	}
}

// The copies contain what was on the disk.
func TestQEMUContents(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		dir, ctx := t.TempDir(), t.Context()
		c := cut.New(q.Run(t).Dial).Client(t)
		path := func(name string) string { return filepath.Join(dir, name) }
		addDisk(t, c, "disk0", path("disk0.qcow2"))
		same := func(a, b string) { // also works while a is open
			t.Helper()
			qemuImg(t, q, "compare", "-U", a, b)
		}

		write(t, c, "disk0", 1, 0)
		require.NoError(t, disk.Backup(ctx, c, []disk.Copy{{Node: "disk0", Bitmap: "m", To: disk.File{Path: path("full.qcow2")}}}))
		same(path("disk0.qcow2"), path("full.qcow2"))
		write(t, c, "disk0", 2, 1<<20)
		require.NoError(t, disk.Increment(ctx, c, []disk.Copy{{
			Node: "disk0", Bitmap: "m", To: disk.File{Path: path("inc1.qcow2"), Backing: "full.qcow2"},
		}}))
		same(path("disk0.qcow2"), path("inc1.qcow2"))
		write(t, c, "disk0", 3, 0)
		require.NoError(t, disk.Increment(ctx, c, []disk.Copy{{
			Node: "disk0", Bitmap: "m", To: disk.File{Path: path("inc2.qcow2"), Backing: path("inc1.qcow2")},
		}}))
		same(path("disk0.qcow2"), path("inc2.qcow2"))

		qemuImg(t, q, "convert", "-U", "-O", "raw", path("disk0.qcow2"), path("before.raw"))
		names, err := disk.Snapshot(ctx, c, []disk.Overlay{{Node: "disk0", Path: path("overlay.qcow2")}})
		require.NoError(t, err)
		write(t, c, names[0], 4, 2<<20)
		same(path("disk0.qcow2"), path("before.raw"))
		qemuImg(t, q, "convert", "-U", "-O", "raw", path("overlay.qcow2"), path("after.raw"))
		require.NoError(t, disk.Commit(ctx, c, qapi.BlockCommitArgs{Device: names[0], BaseNode: new("disk0")}))
		same(path("disk0.qcow2"), path("after.raw"))
	})
}

// A copy over the network, and a target that is too small.
func TestQEMUCopyToNBD(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		dir, ctx := t.TempDir(), t.Context()
		c := cut.New(q.Run(t).Dial).Client(t)
		addDisk(t, c, "disk0", filepath.Join(dir, "disk0.qcow2"))
		write(t, c, "disk0", 1, 0)
		server := func(name, size string) qapi.SocketAddress {
			path := filepath.Join(dir, name)
			qemuImg(t, q, "create", "-q", "-f", "raw", path, size)
			cmd := exec.Command(q.Tool(t, "qemu-nbd"), "-f", "raw", "-x", "copy", "-t", "-k", path+".sock", path)
			require.NoError(t, cmd.Start())
			require.NoError(t, qmp.SocketExists(path+".sock")(ctx))
			t.Cleanup(func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait() // usually: killed
			})
			return qapi.SocketAddress{Type: qapi.SocketAddressUnix{Path: path + ".sock"}}
		}
		copyTo := func(at qapi.SocketAddress) error {
			return disk.Backup(ctx, c, []disk.Copy{{Node: "disk0", To: disk.NBD(at, "copy"), Bitmap: "m"}})
		}
		require.NoError(t, copyTo(server("copy", "4M")))
		qemuImg(t, q, "compare", "-U", filepath.Join(dir, "disk0.qcow2"), filepath.Join(dir, "copy"))
		require.NoError(t, c.BlockDirtyBitmapRemove(ctx, qapi.BlockDirtyBitmap{Node: "disk0", Name: "m"}))
		assert.ErrorContains(t, copyTo(server("small", "1M")), "size")
		assert.Empty(t, others(t, c))
	})
}

// The disk that the copy goes to is full.
func TestFull(t *testing.T) {
	onFake(t, func(t *testing.T, cutter *cut.Cutter) {
		c, dir := cutter.Client(t), t.TempDir()
		twoDisks(t, c, dir)
		playFull(t, c, dir)
	})
}

func TestQEMUFull(t *testing.T) {
	onQEMU(t, func(t *testing.T, cutter *cut.Cutter) {
		c, dir := cutter.Client(t), t.TempDir()
		twoDisks(t, c, dir)
		write(t, c, "disk1", 1, 0) // an empty disk would fit
		playFull(t, c, dir)
	})
}

func playFull(t *testing.T, c *qapi.Client, dir string) {
	full := disk.Image{Driver: qapi.BlockdevOptionsBlkdebug{
		Image: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsNullCo{Size: new(int64(size))}},
		InjectError: []qapi.BlkdebugInjectErrorOptions{{
			Event: qapi.BlkdebugEventNone, Errno: new(int64(28)), Iotype: new(qapi.BlkdebugIOTypeWrite),
		}},
	}}
	err := disk.Backup(t.Context(), c, []disk.Copy{
		{Node: "disk0", Bitmap: "m", To: disk.File{Path: filepath.Join(dir, "full.raw"), Format: qapi.BlockdevDriverRaw}},
		{Node: "disk1", Bitmap: "m", To: full},
	})
	failed, ok := errors.AsType[*job.Error](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, "No space left on device", failed.Reason)
	assert.Empty(t, others(t, c))
}

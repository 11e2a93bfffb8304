package job_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/cut"
	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/job"
	"github.com/goqapi/goqapi/qapi/migration"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// playMachine plays what concerns the whole machine.
func playMachine(t *testing.T, c *qapi.Client, dir string, since func(major, minor int) bool) {
	ctx := t.Context()
	addImage(t, c, filepath.Join(dir, "disk.qcow2"), "disk", nil)
	_, err := job.Amend(ctx, c, qapi.XBlockdevAmendArgs{NodeName: "disk", Options: qapi.BlockdevAmendOptions{
		Driver: qapi.BlockdevAmendOptionsQcow2{},
	}})
	assert.NoError(t, err)
	require.NoError(t, c.Cont(ctx))
	running := func(what string) {
		t.Helper()
		status, err := c.QueryStatus(ctx)
		require.NoError(t, err)
		assert.True(t, status.Running, "after %s it is %s", what, status.Status)
	}

	var seen []job.Progress
	dump := qapi.DumpGuestMemoryArgs{Protocol: "file:" + filepath.Join(dir, "dump")}
	how, err := job.Dump(ctx, c, dump, job.OnProgress(func(p job.Progress) { seen = append(seen, p) }))
	require.NoError(t, err)
	assert.Equal(t, qapi.DumpStatusCompleted, how.Status)
	assert.Equal(t, how.Total, how.Completed)
	assert.InDelta(t, 100, seen[len(seen)-1].Percent, 0)
	running("a dump")

	if since(6, 0) {
		snapshots(t, c)
		running("snapshots")
	}
	stats, err := job.BackgroundSnapshot(ctx, c, migration.Exec("/bin/sh", "-c", "cat > "+filepath.Join(dir, "state")))
	if since(6, 0) {
		require.NoError(t, err)
		assert.Equal(t, qapi.MigrationStatusCompleted, *stats.Info.Status)
		capabilities, err := c.QueryMigrateCapabilities(ctx)
		require.NoError(t, err)
		for _, have := range capabilities {
			if have.Capability == qapi.MigrationCapabilityBackgroundSnapshot || have.Capability == qapi.MigrationCapabilityEvents {
				assert.False(t, have.State, have.Capability)
			}
		}
	} else {
		assert.ErrorIs(t, err, errors.ErrUnsupported)
	}
	running("a background snapshot")

	_, err = job.Dump(ctx, c, qapi.DumpGuestMemoryArgs{Protocol: "file:/dev/full"})
	assert.ErrorContains(t, err, "job: memory dump: ")
	assert.ErrorContains(t, err, ": failed to write elf header: No space left on device")
	failed, ok := errors.AsType[*job.Error](err)
	assert.True(t, ok && !failed.Cancelled)
}

func snapshots(t *testing.T, c *qapi.Client) {
	ctx := t.Context()
	_, err := job.SnapshotSave(ctx, c, qapi.SnapshotSaveArgs{Tag: "one", Vmstate: "disk", Devices: []string{"disk"}})
	require.NoError(t, err)
	_, err = job.SnapshotSave(ctx, c, qapi.SnapshotSaveArgs{Tag: "one", Vmstate: "disk", Devices: []string{"disk"}})
	failed, ok := errors.AsType[*job.Error](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, "Snapshot 'one' already exists in one or more devices", failed.Reason)
	_, err = job.SnapshotLoad(ctx, c, qapi.SnapshotLoadArgs{Tag: "one", Vmstate: "disk", Devices: []string{"disk"}})
	assert.NoError(t, err)
	_, err = job.SnapshotDelete(ctx, c, qapi.SnapshotDeleteArgs{Tag: "one", Devices: []string{"disk"}})
	assert.NoError(t, err)
}

func TestMachine(t *testing.T) {
	onFake(t, func(t *testing.T, srv *qmptest.Server, c *qapi.Client) {
		v := c.Conn().Greeting().Version
		playMachine(t, c, "/nowhere", func(major, minor int) bool { return v.AtLeast(major, minor) })
	})
}

func TestQEMUMachine(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		c := cut.New(q.Run(t, "-machine", "q35", "-m", "64").Dial).Client(t)
		v := c.Conn().Greeting().Version
		playMachine(t, c, t.TempDir(), func(major, minor int) bool { return v.AtLeast(major, minor) })
	})
}

package job_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/cut"
	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/job"
	"github.com/goqapi/goqapi/qapi/migration"
)

// wholeMachine has the arguments of a machine with memory, whose guest runs.
var wholeMachine = []string{"-machine", "pc", "-m", "32"}

// A wholeOperation is an operation on the whole machine, or on an image of it.
type wholeOperation struct {
	cut.Try

	old  bool     // QEMU before 6.0 has it, too
	once bool     // only once for each QEMU, in which a second one could not be told from the first
	left []string // what is left when it has succeeded
	// What may be left when its ctx has ended.
	undone []string
}

var wholeOperations = []wholeOperation{
	{
		old: true, Try: cut.Try{Name: "amend", Prep: runWithDisk, Run: func(ctx context.Context, c *qapi.Client, _ string) error {
			_, err := job.Amend(ctx, c, qapi.XBlockdevAmendArgs{NodeName: "disk", Options: qapi.BlockdevAmendOptions{
				Driver: qapi.BlockdevAmendOptionsQcow2{},
			}})
			return err
		}},
	},
	{
		left: []string{"snapshot one"}, undone: []string{"snapshot one"},
		Try: cut.Try{Name: "snapshot-save", Prep: runWithDisk, Run: saveSnapshot},
	},
	{
		left: []string{"snapshot one"}, undone: []string{"snapshot one"},
		Try: cut.Try{Name: "snapshot-load", Prep: runWithSnapshot, Run: func(ctx context.Context, c *qapi.Client, _ string) error {
			_, err := job.SnapshotLoad(ctx, c, qapi.SnapshotLoadArgs{Tag: "one", Vmstate: "disk", Devices: []string{"disk"}})
			return err
		}},
	},
	{
		undone: []string{"snapshot one"},
		Try: cut.Try{Name: "snapshot-delete", Prep: runWithSnapshot, Run: func(ctx context.Context, c *qapi.Client, _ string) error {
			_, err := job.SnapshotDelete(ctx, c, qapi.SnapshotDeleteArgs{Tag: "one", Devices: []string{"disk"}})
			return err
		}},
	},
	{
		old: true, once: true, left: []string{"dump"}, undone: []string{"dump"},
		Try: cut.Try{Name: "dump", Prep: runWithDisk, Run: func(ctx context.Context, c *qapi.Client, dir string) error {
			_, err := job.Dump(ctx, c, qapi.DumpGuestMemoryArgs{Protocol: "file:" + filepath.Join(dir, "dump")})
			return err
		}},
	},
	{
		once: true, left: []string{"state"}, undone: []string{"state"},
		Try: cut.Try{Name: "background snapshot", Prep: runWithDisk, Run: func(ctx context.Context, c *qapi.Client, dir string) error {
			_, err := job.BackgroundSnapshot(ctx, c, migration.Exec("/bin/sh", "-c", "cat > "+filepath.Join(dir, "state")))
			return err
		}},
	},
}

func saveSnapshot(ctx context.Context, c *qapi.Client, _ string) error {
	_, err := job.SnapshotSave(ctx, c, qapi.SnapshotSaveArgs{Tag: "one", Vmstate: "disk", Devices: []string{"disk"}})
	return err
}

func runWithDisk(t *testing.T, c *qapi.Client, dir string) {
	addImage(t, c, filepath.Join(dir, "disk.qcow2"), "disk", nil)
	require.NoError(t, c.Cont(t.Context()))
}

func runWithSnapshot(t *testing.T, c *qapi.Client, dir string) {
	runWithDisk(t, c, dir)
	require.NoError(t, saveSnapshot(t.Context(), c, dir))
}

// wholeLeft returns what an operation has left, and removes the disk.
func wholeLeft(t *testing.T, c *qapi.Client, dir string) (left []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	nodes, err := c.QueryNamedBlockNodes(ctx)
	require.NoError(t, err)
	disk := nodes[slices.IndexFunc(nodes, func(n qapi.BlockDeviceInfo) bool { return n.NodeName == "disk" })]
	for _, s := range disk.Image.Snapshots {
		left = append(left, "snapshot "+s.Name)
	}
	left = append(left, leftovers(t, c, []string{"disk"})...)
	for _, name := range []string{"dump", "state"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			left = append(left, name)
		}
	}
	capabilities, err := c.QueryMigrateCapabilities(ctx)
	require.NoError(t, err)
	for _, have := range capabilities {
		if have.State && (have.Capability == qapi.MigrationCapabilityBackgroundSnapshot || have.Capability == qapi.MigrationCapabilityEvents) {
			left = append(left, string(have.Capability))
		}
	}
	status, err := c.QueryStatus(ctx)
	require.NoError(t, err)
	if !status.Running {
		left = append(left, "a machine that is "+string(status.Status))
	}
	return left
}

// eachWhole runs f for each operation that a QEMU has.
func eachWhole(t *testing.T, f func(t *testing.T, q qemutest.QEMU, op wholeOperation)) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		v := cut.New(q.Run(t).Dial).Client(t).Conn().Greeting().Version
		for _, op := range wholeOperations {
			if op.old || v.AtLeast(6, 0) {
				t.Run(op.Name, func(t *testing.T) { f(t, q, op) })
			}
		}
	})
}

func TestQEMUWholeMachineKilled(t *testing.T) {
	eachWhole(t, func(t *testing.T, q qemutest.QEMU, op wholeOperation) { cut.Killed(t, q, op.Try, wholeMachine...) })
}

// The connection is cut at each message: the operation is executed exactly once. Without QAPI_LONG only every
// fifth message of a dump and of a background snapshot is tried.
func TestQEMUWholeMachineWhoseConnectionIsCut(t *testing.T) {
	eachWhole(t, func(t *testing.T, q qemutest.QEMU, op wholeOperation) {
		machines := newMachines(t, q, op)
		cut.Everywhere(t, func(n int, how cut.How) bool {
			if op.once && n%5 != 1 && os.Getenv("QAPI_LONG") == "" { // each needs a QEMU of its own
				return true
			}
			cutter, c := machines()
			dir := t.TempDir()
			op.Prep(t, c, dir)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			cutter.At(n, how)
			err := op.Run(ctx, c, dir)
			reached := cutter.Reached()
			require.NoError(t, err, "message %d, %s", n, how)
			assert.Equal(t, op.left, wholeLeft(t, c, dir), "message %d, %s", n, how)
			return reached
		})
	})
}

// ctx ends at each message: the call returns soon, with the error of ctx unless it has succeeded,
// and leaves nothing half done.
func TestQEMUWholeMachineThatIsGivenUp(t *testing.T) {
	eachWhole(t, func(t *testing.T, q qemutest.QEMU, op wholeOperation) {
		if op.Name == "background snapshot" && os.Getenv("QAPI_LONG") == "" {
			t.Skip("a QEMU 7.2 stopped answering after one was cancelled, once in many runs: QAPI_LONG=1 tries it")
		}
		machines := newMachines(t, q, op)
		for n, reached := 1, true; reached && !t.Failed(); n++ {
			cutter, c := machines()
			dir := t.TempDir()
			op.Prep(t, c, dir)
			ctx, cancel := context.WithCancel(t.Context())
			cutter.Before(n, cancel)
			err := op.Run(ctx, c, dir)
			reached = cutter.Reached()
			cancel()
			left := wholeLeft(t, c, dir)
			if err == nil {
				assert.Equal(t, op.left, left, "message %d", n)
				continue
			}
			assert.ErrorIs(t, err, context.Canceled, "message %d", n)
			assert.NotContains(t, err.Error(), "left behind", "message %d", n)
			assert.Subset(t, op.undone, left, "message %d: %v", n, err)
		}
	})
}

// newMachines returns a function that starts a QEMU, or returns the one that was started before if
// the operation can be repeated in it.
func newMachines(t *testing.T, q qemutest.QEMU, op wholeOperation) func() (*cut.Cutter, *qapi.Client) {
	var cutter *cut.Cutter
	var c *qapi.Client
	return func() (*cut.Cutter, *qapi.Client) {
		if c == nil || op.once {
			cutter = cut.New(q.Run(t, wholeMachine...).Dial)
			c = cutter.Client(t)
		}
		return cutter, c
	}
}

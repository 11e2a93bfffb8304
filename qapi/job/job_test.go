package job_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/job"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

func fake(t *testing.T, opts ...qmptest.Option) (*qmptest.Server, *qapi.Client) {
	t.Helper()
	srv := qmptest.Start(t, opts...)
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return srv, qapi.NewClient(conn)
}

// addNodes adds block nodes that hold nothing.
func addNodes(t *testing.T, c *qapi.Client, size int64, names ...string) {
	t.Helper()
	for _, name := range names {
		require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{
			NodeName: &name, Driver: qapi.BlockdevOptionsNullCo{Size: &size, ReadZeroes: new(true)},
		}))
	}
}

var _ = errors.New
var _ = context.Canceled
var _ = time.Second
var _ qmp.Error

func TestBackup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := fake(t)
		addNodes(t, c, 1<<24, "a", "b")
		var seen []job.Progress
		info, err := job.Backup(t.Context(), c, qapi.BlockdevBackup{
			Device: "a", Target: "b", Sync: qapi.MirrorSyncModeFull, Speed: new(int64(1 << 22)),
		}, job.OnProgress(func(p job.Progress) { seen = append(seen, p) }))
		require.NoError(t, err)
		assert.Equal(t, qapi.JobTypeBackup, info.Type)
		t.Log(seen)
		jobs, err := c.QueryJobs(t.Context())
		require.NoError(t, err)
		assert.Empty(t, jobs)
		_, err = job.Mirror(t.Context(), c, qapi.BlockdevMirrorArgs{
			Device: "a", Target: "b", Sync: qapi.MirrorSyncModeFull, Speed: new(int64(1 << 22)),
		})
		require.NoError(t, err)
	})
}

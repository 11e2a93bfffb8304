package qmptest_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// Every release has a machine, whose replies and events fit the schema.
func TestMachine(t *testing.T) {
	for _, release := range []string{"5.2", "7.2", "10.0", "10.2", "11.1"} {
		synctest.Test(t, func(t *testing.T) {
			srv := qmptest.Start(t, qmptest.Release(release))
			conn, err := srv.Dial(t.Context())
			require.NoError(t, err)
			c := qapi.NewClient(conn)
			defer c.Close()
			events := qapi.SubscribeEvents(c, nil)

			require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{
				NodeName: new("disk0"), Driver: qapi.BlockdevOptionsNullCo{},
			}))
			require.NoError(t, c.DeviceAdd(t.Context(), qapi.DeviceAddArgs{
				Driver: "scsi-hd", ID: new("sd0"), Props: map[string]any{"drive": "disk0"},
			}))
			require.NoError(t, c.Cont(t.Context()))
			status, err := c.QueryStatus(t.Context())
			require.NoError(t, err)
			assert.True(t, status.Running)
			nodes, err := c.QueryNamedBlockNodes(t.Context(), qapi.QueryNamedBlockNodesArgs{})
			require.NoError(t, err)
			assert.Equal(t, "disk0", nodes[0].NodeName)
			blocks, err := c.QueryBlock(t.Context(), qapi.QueryBlockArgs{})
			require.NoError(t, err)
			assert.Len(t, blocks, 2)
			require.NoError(t, c.DeviceDel(t.Context(), qapi.DeviceDelArgs{ID: "sd0"}))
			require.NoError(t, c.Quit(t.Context()))
			var seen []string
			for {
				e, err := events.Next(t.Context())
				if err != nil {
					assert.ErrorIs(t, err, qmp.ErrClosed)
					break
				}
				seen = append(seen, e.EventName())
			}
			assert.Equal(t, []string{"RESUME", "DEVICE_DELETED", "SHUTDOWN"}, seen, release)
		})
	}
}

// A test's own handlers replace those of the machine.
func TestMachineOverridden(t *testing.T) {
	srv := qmptest.Start(t)
	qmptest.Handle(srv, srv.Commands.Eject, func(context.Context, ...qapi.EjectArgs) error {
		return &qmp.Error{Class: qmp.ClassGenericError, Desc: "jammed"}
	})
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	c := qapi.NewClient(conn)
	defer c.Close()
	assert.ErrorContains(t, c.Eject(t.Context(), qapi.EjectArgs{ID: new("cd0")}), "jammed")
	assert.NoError(t, c.BlockdevOpenTray(t.Context(), qapi.BlockdevOpenTrayArgs{ID: new("cd0")}))

	quick, watched := srv.Handler("cont"), 0
	srv.Handle("cont", func(ctx context.Context, req *qmptest.Request) (any, error) {
		watched++
		return quick(ctx, req)
	})
	require.NoError(t, c.Cont(t.Context()))
	status, err := c.QueryStatus(t.Context())
	require.NoError(t, err)
	assert.True(t, status.Running)
	assert.Equal(t, 1, watched)
	assert.Nil(t, srv.Handler("x-levitate"))
}

// A job that fails says why as QEMU does.
func TestJobFails(t *testing.T) {
	srv := qmptest.Start(t)
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	c := qapi.NewClient(conn)
	defer c.Close()
	for name, size := range map[string]int64{"a": 1 << 20, "b": 2 << 20} {
		require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{
			NodeName: &name, Driver: qapi.BlockdevOptionsNullCo{Size: &size},
		}))
	}
	done := qapi.Subscribe[qapi.BlockJobCompletedEvent](c)
	require.NoError(t, c.BlockdevMirror(t.Context(), qapi.BlockdevMirrorArgs{
		JobID: new("m"), Device: "a", Target: "b", Sync: qapi.MirrorSyncModeFull,
	}))
	e, err := done.Next(t.Context())
	require.NoError(t, err)
	require.NotNil(t, e.Error)
	assert.Equal(t, "Source and target image have different sizes", *e.Error)
}

func TestMethodsThatNeedAMachine(t *testing.T) {
	for name, srv := range map[string]*qmptest.Server{"without a machine": qmptest.New(qmptest.WithoutMachine()), "agent": qmptest.NewAgent()} {
		srv.FailMigration("no")
		srv.DirtyMemory(1)
		srv.Guest(qmptest.GuestSilent)
		err := srv.Close()
		for _, method := range []string{"FailMigration", "DirtyMemory", "Guest"} {
			assert.ErrorContains(t, err, "qmptest: "+method+": this server has no virtual machine", name)
		}
	}
}

package qmptest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// What a guest reads and writes changes statistics and dirty bitmaps, and can reach a threshold.
func TestGuestReadsAndWrites(t *testing.T) {
	for _, release := range []string{"5.2", "8.2", "11.1"} {
		srv := qmptest.Start(t, qmptest.Release(release))
		conn, err := srv.Dial(t.Context())
		require.NoError(t, err)
		c := qapi.NewClient(conn)
		defer c.Close()
		require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{
			NodeName: new("disk0"), Driver: qapi.BlockdevOptionsNullCo{Size: new(int64(1 << 20))},
		}))
		require.NoError(t, c.DeviceAdd(t.Context(), qapi.DeviceAddArgs{
			Driver: "scsi-hd", ID: new("sd0"), Props: map[string]any{"drive": "disk0"},
		}))
		require.NoError(t, c.BlockDirtyBitmapAdd(t.Context(), qapi.BlockDirtyBitmapAdd{Node: "disk0", Name: "b0"}))
		require.NoError(t, c.BlockSetWriteThreshold(t.Context(), qapi.BlockSetWriteThresholdArgs{
			NodeName: "disk0", WriteThreshold: 100_000,
		}))
		reached := qapi.Subscribe[qapi.BlockWriteThresholdEvent](c)

		require.NoError(t, srv.GuestReads("sd0", 0, 512))
		require.NoError(t, srv.GuestWrites("sd0", 65_536, 65_536))
		e, err := reached.Next(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 31_072, e.AmountExceeded)
		all, err := c.QueryBlockstats(t.Context())
		require.NoError(t, err)
		stats := all[1].Stats
		assert.Equal(t, []int64{512, 1, 65_536, 1}, []int64{stats.RdBytes, stats.RdOperations, stats.WrBytes, stats.WrOperations})
		nodes, err := c.QueryNamedBlockNodes(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 65_536, nodes[0].DirtyBitmaps[0].Count)

		assert.ErrorContains(t, srv.GuestWrites("none", 0, 1), "not found")
		assert.ErrorContains(t, srv.GuestWrites("cd0", 0, 1), "has no medium")
		assert.ErrorContains(t, srv.GuestWrites("sd0", 1<<20, 1), "1 bytes at 1048576")
		assert.ErrorContains(t, srv.GuestReads("sd0", -1, 1), "1 bytes at -1")
	}
	assert.ErrorContains(t, qmptest.Start(t, qmptest.WithoutMachine()).GuestReads("sd0", 0, 1), "has no virtual machine")
}

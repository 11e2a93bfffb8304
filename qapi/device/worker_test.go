package device_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// TestReadInHandler reads a device in the only handler that the connection has a worker for.
func TestReadInHandler(t *testing.T) {
	srv := qmptest.Start(t, qmptest.Release("7.2"))
	conn, err := srv.Dial(t.Context(), qmp.WithWorkers(1))
	require.NoError(t, err)
	c := qapi.NewClient(conn)
	require.NoError(t, c.DeviceAdd(t.Context(), device.VirtioRngPCI{ID: "rng9"}))
	type result struct {
		dev device.VirtioRngPCI
		err error
	}
	got := make(chan result, 1)
	c.OnStop(func(qapi.StopEvent) {
		dev, err := device.Read[device.VirtioRngPCI](t.Context(), c, "rng9")
		got <- result{dev, err}
	})
	require.NoError(t, c.Cont(t.Context()))
	require.NoError(t, c.Stop(t.Context()))
	select {
	case r := <-got:
		require.NoError(t, r.err)
		require.Equal(t, "rng9", r.dev.ID)
	case <-t.Context().Done():
		t.Fatal("the handler waits for its own worker")
	}
	require.NoError(t, conn.Close())
}

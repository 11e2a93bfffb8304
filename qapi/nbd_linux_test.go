package qapi_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

func TestExport(t *testing.T) {
	_, c := dialFake(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 2 { // the second time, the server still runs
		require.NoError(t, export(ctx, c, "disk.qcow2", "nbd.sock"))
		require.NoError(t, unexport(ctx, c))
	}
	assert.True(t, qapi.IsNotFound(unexport(ctx, c)), "there is no node")
}

// TestQEMUExport exports an image with the storage daemon of each release, and reads it with
// qemu-img.
func TestQEMUExport(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		image, socket := filepath.Join(t.TempDir(), "disk"), filepath.Join(t.TempDir(), "s")
		out, err := exec.Command(q.Tool(t, "qemu-img"), "create", "-f", "qcow2", image, "1M").CombinedOutput()
		require.NoError(t, err, "%s", out)
		daemon, err := qmp.Launch(ctx, exec.Command(q.Tool(t, "qemu-storage-daemon")))
		require.NoError(t, err)
		defer daemon.Close()
		c := qapi.NewClient(daemon.Conn)
		for range 2 {
			require.NoError(t, export(ctx, c, image, socket))
			out, err = exec.CommandContext(ctx, q.Tool(t, "qemu-img"), "info", "nbd+unix:///disk?socket="+socket).CombinedOutput()
			require.NoError(t, err, "%s", out)
			assert.Contains(t, string(out), "1048576 bytes")
			require.NoError(t, unexport(ctx, c))
		}
		require.NoError(t, daemon.Stop(ctx, qmp.Steps{}))
		require.NoError(t, daemon.Wait(ctx))
	})
}

package cmdline_test

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

// TestQEMUBoot starts the machine of the example in each release, and without its image.
func TestQEMUBoot(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		image := filepath.Join(t.TempDir(), "disk")
		_, err := boot(ctx, q.Path, image)
		require.ErrorContains(t, err, "No such file or directory")

		out, err := exec.Command(q.Tool(t, "qemu-img"), "create", "-f", "qcow2", image, "1M").CombinedOutput()
		require.NoError(t, err, "%s", out)
		p, err := boot(ctx, q.Path, image)
		require.NoError(t, err)
		defer p.Close()
		c := qapi.NewClient(p.Conn)
		require.NoError(t, c.Cont(ctx))
		nodes, err := c.QueryNamedBlockNodes(ctx)
		require.NoError(t, err)
		assert.NotEmpty(t, nodes)
		drive, err := qapi.QOMGetAs[string](ctx, c, "/machine/peripheral/vd0", "drive")
		require.NoError(t, err)
		assert.Equal(t, "disk0", drive)
		require.NoError(t, p.Stop(ctx, qmp.Steps{}))
		require.NoError(t, p.Wait(ctx))
	})
}

package qapi_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
)

// The examples that are shown whole, on real QEMUs.
func TestQEMUExamples(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		vm := q.Run(t, "-machine", "pc", "-device", "virtio-scsi-pci", "-device", "scsi-cd,id=cd0")
		conn, err := vm.Dial(t.Context())
		require.NoError(t, err)
		conn.Close() // it listens
		c, err := qapi.Dial(t.Context(), vm.Addr())
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{
			NodeName: new("disk0"), Driver: qapi.BlockdevOptionsRaw{File: qapi.BlockdevOptions{
				NodeName: new("file0"), Driver: qapi.BlockdevOptionsNullCo{Size: new(int64(1 << 20))},
			}},
		}))
		require.NoError(t, c.DeviceAdd(t.Context(), qapi.DeviceAddArgs{
			Driver: "virtio-blk-pci", ID: new("vd0"), Props: map[string]any{"drive": "disk0"},
		}))

		var out strings.Builder
		require.NoError(t, printGraph(t.Context(), c, &out))
		assert.Contains(t, out.String(), "vd0/virtio-backend\n    root: disk0 (raw, ")
		assert.Contains(t, out.String(), "\n        file: file0 (null-co, ")

		out.Reset()
		ctx, cancel := context.WithCancel(t.Context())
		require.NoError(t, printRates(ctx, c, time.Millisecond, writerFunc(func(line []byte) (int, error) {
			if strings.Count(out.String(), "\n") == 3 {
				cancel()
			}
			return out.Write(line)
		})))
		assert.Contains(t, out.String(), "cd0: reads 0 KiB/s")
		assert.Contains(t, out.String(), "vd0/virtio-backend: reads 0 KiB/s (0/s), writes 0 KiB/s (0/s)")
	})
}

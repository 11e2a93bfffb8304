package deviceprobe

import (
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/internal/qemutest"
)

// captured opens what a binary said earlier.
func captured(t *testing.T, release, target string) *os.File {
	t.Helper()
	f, err := os.Open(corpus.Path(t, "devices", release, target+".jsonl"))
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// inModules are devices that QEMU has in files of their own since 7.2, which packagers put into
// other packages than the program. A QEMU without these files does not list them.
var inModules = []string{"qxl", "qxl-vga", "virtio-gpu-gl-device", "virtio-gpu-gl-pci", "virtio-vga-gl"}

// TestQEMUAsk checks that Ask returns the same facts for a binary as Read does for a capture of it.
func TestQEMUAsk(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		f := captured(t, q.Release, "x86_64")
		capture, err := read(f.Name(), f)
		require.NoError(t, err)
		got, report, err := Ask(t.Context(), q.Path)
		require.NoError(t, err)
		capture.Devices = slices.DeleteFunc(capture.Devices, func(a asked) bool {
			return slices.Contains(inModules, a.Name) && got.Type(a.Name) == nil
		})
		want, wantReport, err := capture.list()
		require.NoError(t, err)
		assert.Empty(t, cmp.Diff(string(want.Format()), string(got.Format())), "a capture (-) and the binary (+) differ")
		require.Equal(t, wantReport.Devices, report.Devices)
		require.Len(t, report.LeftOut, len(wantReport.LeftOut))
		for i, left := range report.LeftOut {
			require.Equal(t, wantReport.LeftOut[i].Device, left.Device)
			require.NotEmpty(t, left.Reason)
		}
	})
}

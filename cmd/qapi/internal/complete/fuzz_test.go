package complete

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzComplete completes any line: each candidate continues the word that is being typed, is there
// once, and completes to itself.
func FuzzComplete(f *testing.F) {
	for _, line := range []string{
		"", "q", "blockdev-add driver=qcow2 file.driver=nbd file.server.type=inet file.server.",
		"device_add driver=virtio-blk-pci ", "migrate channels.0.addr.transport=socket channels.",
		"qom-get path=/machine/ property=", "snapshot-save devices.65536=", "screendump filename=@/",
		"block-dirty-bitmap-merge bitmaps.0.node=x bitmaps.", "blockdev-add file.file.file.file.file.", "x .=.:={}",
	} {
		f.Add(line)
	}
	e := engine(f)
	f.Fuzz(func(t *testing.T, line string) {
		all := strings.Split(line, " ")
		rest, last := all[:len(all)-1], all[len(all)-1]
		seen := map[string]bool{}
		for i, c := range e.Complete(t.Context(), rest, last) {
			require.True(t, strings.HasPrefix(c.Word, last), "%q has the candidate %+v", line, c)
			require.NotEmpty(t, c.Show, "%q has the candidate %+v", line, c)
			require.False(t, seen[c.Word], "%q has the candidate %+v twice", line, c)
			seen[c.Word] = true
			if i > 20 {
				continue
			}
			again := e.Complete(t.Context(), rest, c.Word)
			if !c.Open && !strings.HasSuffix(c.Word, "=") {
				assert.Contains(t, again, c, "of %q", line)
			}
		}
	})
}

func BenchmarkComplete(b *testing.B) {
	e := engine(b)
	for _, line := range []string{
		"q", "blockdev-add ",
		"blockdev-add driver=qcow2 file.driver=nbd file.server.type=inet file.server.",
		"blockdev-add driver=", "device_add driver=virtio-blk-pci ", "device_add driver=", "device_del id=",
	} {
		b.Run(line, func(b *testing.B) {
			all := strings.Split(line, " ")
			for b.Loop() {
				e.Complete(b.Context(), all[:len(all)-1], all[len(all)-1])
			}
		})
	}
}

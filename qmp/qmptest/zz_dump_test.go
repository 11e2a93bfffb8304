package qmptest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/goqapi/goqapi/internal/qemutest"
)

func TestQEMUZZDump(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		dir := t.TempDir()
		tab := readTable(t, dir)
		firmware := filepath.Join(t.TempDir(), "halt")
		os.WriteFile(firmware, bytes.Repeat([]byte{0xf4}, 1<<16), 0o600)
		real := newMonitor(t, q.Start(t, "-qmp", "-machine", "pc", "-accel", "tcg", "-m", "64", "-bios", firmware,
			"-device", "virtio-scsi-pci,id=scsi0", "-device", "ide-cd,id=cd0"))
		f, _ := os.Create("/tmp/real-" + q.Release + ".txt")
		defer f.Close()
		for _, c := range tab.cases {
			said, err := real.tell(c)
			o := tab.outcome(said, err)
			r, _ := json.Marshal(o.reply)
			desc := ""
			for _, s := range said {
				if s.Error != nil {
					desc += " # " + s.Error.Desc
				}
			}
			fmt.Fprintf(f, "%d %s\n    %q %s%.300s%s\n", c.line, c.text, o.said, o.end, r, desc)
		}
	})
}

package qmptest_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/schema/qemu"
)

// TestQEMUConformance sends the same commands to a real QEMU of each release and to the fake,
// and compares the answers.
func TestQEMUConformance(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		conform(t, q, "testdata/conformance.txt")
	})
}

// TestQEMUConformanceOfManagers does the same with a new machine, and with other commands that
// managers send.
func TestQEMUConformanceOfManagers(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		conform(t, q, "testdata/conformance-managers.txt")
	})
}

// conform sends the commands of a table to a real QEMU and to the fake, and compares the
// answers.
func conform(t *testing.T, q qemutest.QEMU, file string) {
	t.Helper()
	// The firmware is a single instruction: halt.
	firmware := filepath.Join(t.TempDir(), "halt")
	require.NoError(t, os.WriteFile(firmware, bytes.Repeat([]byte{0xf4}, 1<<16), 0o600))
	args := []string{
		"-machine", "pc", "-accel", "tcg", "-m", "64", "-bios", firmware,
		"-device", "virtio-scsi-pci,id=scsi0", "-device", "ide-cd,id=cd0",
	}
	real := newMonitor(t, q.Start(t, "-qmp", args...))
	w := &watched{TB: t}
	srv := qmptest.Start(w, qmptest.Version(real.version))
	release := fmt.Sprintf("%d.%d", real.version.Major, real.version.Minor)
	if srv.Release() != release {
		t.Skipf("this is QEMU %s, which qmptest does not play", release)
	}
	tab := readTable(t, t.TempDir())
	tab.compare(t, file, srv, real, newMonitor(t, dialUnix(t, srv)))
	for _, report := range w.said() { // a case that is accepted
		assert.Contains(t, report, "nothing executes", "what the fake says of the test")
	}
}

// dialUnix connects to a server by a Unix socket.
func dialUnix(t *testing.T, srv *qmptest.Server) net.Conn {
	t.Helper()
	addr, err := srv.Listen("unix:" + filepath.Join(socketDir(t), "fake"))
	require.NoError(t, err)
	conn, err := net.Dial("unix", strings.TrimPrefix(addr, "unix:"))
	require.NoError(t, err)
	return conn
}

func (tab *table) compare(t *testing.T, file string, srv *qmptest.Server, real, fake *monitor) {
	t.Helper()
	release := srv.Release()
	s, err := qemu.Load(release, qemu.QMP)
	require.NoError(t, err)
	agree := 0
	for c := range tab.with(srv, file) {
		tab := tab.freeing(c.free)
		want := tab.outcome(real.send(c))
		differ := compare(want, tab.outcome(fake.send(c)))
		place := c.place()
		assert.True(t, c.failsAsSaid(s, want), "%s\n\tQEMU does not fail with %s: %q", place, c.fails, want.said)
		reason := c.accepted(release)
		switch {
		case len(differ) == 0 && reason == "":
			agree++
		case len(differ) == 0:
			t.Errorf("%s\n\tQEMU and the fake agree, but the table accepts a difference: %s", place, reason)
		case reason != "":
			t.Logf("%s\n\taccepted: %s", place, reason)
		default:
			t.Errorf("%s\n\t%s", place, differ)
		}
	}
	t.Logf("%s: %d of %d agree", release, agree, len(tab.of(file)))
}

package wiretest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/goqapi/goqapi/schema/qemu"
)

// QEMUs are the real QEMUs at hand, the oldest first: release to program. They
// lie below the folder that QAPI_QEMU_LAB names. The test is skipped where there
// is none, and fails instead if QAPI_REQUIRE_QEMU is set.
func QEMUs(t testing.TB) (releases []string, programs map[string]string) {
	t.Helper()
	programs = map[string]string{}
	if lab := os.Getenv("QAPI_QEMU_LAB"); lab != "" {
		found, err := filepath.Glob(filepath.Join(lab, "*", "bin", "qemu-system-x86_64"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			release := filepath.Base(filepath.Dir(filepath.Dir(path)))
			programs[release] = path
			releases = append(releases, release)
		}
	}
	if len(releases) == 0 {
		const none = "no QEMU at hand: QAPI_QEMU_LAB names no folder with RELEASE/bin/qemu-system-x86_64"
		if os.Getenv("QAPI_REQUIRE_QEMU") != "" {
			t.Fatal(none)
		}
		t.Skip(none)
	}
	slices.SortFunc(releases, qemu.Compare)
	return releases, programs
}

// StartQEMU starts a QEMU that stands still, with further arguments, and returns
// its monitor, which it connects to us. It is killed when the test ends.
func StartQEMU(t testing.TB, program string, args ...string) net.Conn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "qmp")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append([]string{"-S", "-nodefaults", "-display", "none", "-qmp", "unix:" + path}, args...)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed in the end
		l.Close()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		<-ended
	})
	conn, err := l.Accept()
	if err != nil {
		t.Fatalf("%s ended before it connected: %v", program, cmd.ProcessState)
	}
	return conn
}

// Package qemutest finds and starts real QEMUs for tests. The tests that need one
// are named TestQEMU…, for make test-qemu.
package qemutest

import (
	"cmp"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goqapi/goqapi/internal/versions"
)

const system = "qemu-system-x86_64"

// A QEMU is an installed release.
type QEMU struct {
	Release string // such as "7.2"; "" if it is not known
	Path    string // the path of qemu-system-x86_64
}

// Each runs f as a subtest for each of [QEMUs].
func Each(t *testing.T, f func(t *testing.T, q QEMU)) {
	t.Helper()
	for _, q := range QEMUs(t) {
		t.Run(cmp.Or(q.Release, filepath.Base(q.Path)), func(t *testing.T) { f(t, q) })
	}
}

// QEMUs returns the installed QEMUs: each release in the folder that QAPI_QEMU_LAB names,
// which has <release>/bin, the oldest first; otherwise the program that QEMU names;
// otherwise qemu-system-x86_64 on PATH. Without any the test is skipped, or fails if
// QAPI_REQUIRE_QEMU is set.
func QEMUs(t testing.TB) []QEMU {
	t.Helper()
	found := find(t)
	if len(found) == 0 {
		absent(t, "no QEMU: set QAPI_QEMU_LAB or QEMU, or have "+system+" on PATH")
	}
	return found
}

// Tool returns the path of another program of the release, such as qemu-img, in the folder of
// QEMU. Without it the test is skipped, or fails if QAPI_REQUIRE_QEMU is set.
func (q QEMU) Tool(t testing.TB, name string) string {
	t.Helper()
	qemu, err := exec.LookPath(q.Path)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(filepath.Dir(qemu), name)
	if _, err := os.Stat(path); err != nil {
		absent(t, "there is no "+name+" where QEMU is, in "+filepath.Dir(qemu))
	}
	return path
}

// absent skips a test for what is missing, or fails it if QAPI_REQUIRE_QEMU is set.
func absent(t testing.TB, missing string) {
	t.Helper()
	if os.Getenv("QAPI_REQUIRE_QEMU") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
}

func find(t testing.TB) []QEMU {
	t.Helper()
	if lab := os.Getenv("QAPI_QEMU_LAB"); lab != "" {
		paths, err := filepath.Glob(filepath.Join(lab, "*", "bin", system))
		if err != nil || len(paths) == 0 {
			t.Fatalf("QAPI_QEMU_LAB: there is no %s (%v)", filepath.Join(lab, "<release>", "bin", system), err)
		}
		var found []QEMU
		for _, path := range paths {
			found = append(found, QEMU{filepath.Base(filepath.Dir(filepath.Dir(path))), path})
		}
		slices.SortFunc(found, func(a, b QEMU) int { return versions.Compare(a.Release, b.Release) })
		return found
	}
	if path := os.Getenv("QEMU"); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			t.Fatalf("QEMU: %v", err)
		}
		return []QEMU{{"", path}}
	}
	if path, err := exec.LookPath(system); err == nil {
		return []QEMU{{"", path}}
	}
	return nil
}

// Start starts a machine without devices that does not run, with further arguments, and
// returns its monitor; monitor is -qmp or -qmp-pretty. QEMU connects to the test, so that
// the test need not poll. QEMU is killed when the test ends.
func (q QEMU) Start(t testing.TB, monitor string, args ...string) net.Conn {
	t.Helper()
	dir, err := os.MkdirTemp("", "qemu") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "qmp"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()

	var stderr strings.Builder
	cmd := exec.Command(q.Path, append([]string{
		"-S", "-nodefaults", "-display", "none", "-machine", "none",
		monitor, "unix:" + l.Addr().String(),
	}, args...)...)
	cmd.Stderr = &stderr
	EndWithTest(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // usually it was killed
		l.Close()      // if it has not connected, it never will
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	conn, err := l.Accept()
	if err != nil {
		<-ended
		t.Fatalf("%s %s ended without connecting: %s", q.Path, strings.Join(cmd.Args[1:], " "), &stderr)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

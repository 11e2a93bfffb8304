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

// An Agent is an installed release of the guest agent.
type Agent struct {
	Release string // such as "7.2"; "" if it is not known
	Path    string // of qemu-ga
}

// EachAgent runs f as a subtest for each of [Agents].
func EachAgent(t *testing.T, f func(t *testing.T, a Agent)) {
	t.Helper()
	for _, a := range Agents(t) {
		t.Run(cmp.Or(a.Release, "qemu-ga"), func(t *testing.T) { f(t, a) })
	}
}

// Agents returns the agents of the releases in the folder that QAPI_QEMU_LAB names, the
// oldest first; without it qemu-ga on PATH. Without any the test is skipped, or fails if
// QAPI_REQUIRE_QEMU is set.
//
// An agent started by a test acts on this machine, with the rights of the test:
// only commands that change nothing may be sent to it.
func Agents(t testing.TB) []Agent {
	t.Helper()
	var agents []Agent
	if lab := os.Getenv("QAPI_QEMU_LAB"); lab != "" {
		paths, _ := filepath.Glob(filepath.Join(lab, "*", "bin", "qemu-ga")) // the pattern is good
		for _, path := range paths {
			agents = append(agents, Agent{filepath.Base(filepath.Dir(filepath.Dir(path))), path})
		}
	} else if path, err := exec.LookPath("qemu-ga"); err == nil {
		agents = []Agent{{"", path}}
	}
	if len(agents) == 0 {
		absent(t, "no guest agent: have <release>/bin/qemu-ga in QAPI_QEMU_LAB, or qemu-ga on PATH")
	}
	slices.SortFunc(agents, func(a, b Agent) int { return versions.Compare(a.Release, b.Release) })
	return agents
}

// Start starts an agent and returns the path of its socket. It is killed when the
// test ends.
func (a Agent) Start(t testing.TB) string {
	t.Helper()
	return a.start(t, false)
}

// StartFrozen starts an agent that takes the file systems of this machine, which are
// not frozen, for frozen.
func (a Agent) StartFrozen(t testing.TB) string {
	t.Helper()
	return a.start(t, true)
}

func (a Agent) start(t testing.TB, frozen bool) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "qga") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if frozen {
		if err := os.WriteFile(filepath.Join(dir, "qga.state.isfrozen"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// It is started as systemd starts it: with a listening socket, so that the test need
	// not wait until the agent has made one, and with SIGPIPE ignored.
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	f, err := l.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var output strings.Builder
	cmd := exec.Command("sh", "-c", `trap "" PIPE; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"`, "sh",
		a.Path, "-m", "unix-listen", "-p", socket, "-t", dir, "-f", filepath.Join(dir, "pid"))
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.ExtraFiles = []*os.File{f}
	EndWithTest(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // usually it was killed
		if t.Failed() {
			t.Logf("%s: %v, it said %q", a.Path, cmd.ProcessState, &output)
		}
	})
	return socket
}

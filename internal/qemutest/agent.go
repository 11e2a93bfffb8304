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
	"time"
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

// Agents are the agents of the releases in the folder that QAPI_QEMU_LAB names,
// the oldest first; without it qemu-ga on PATH. Without any the test is skipped, or
// fails if QAPI_REQUIRE_QEMU is set.
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
		const missing = "no guest agent: have <release>/bin/qemu-ga in QAPI_QEMU_LAB, or qemu-ga on PATH"
		if os.Getenv("QAPI_REQUIRE_QEMU") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	slices.SortFunc(agents, func(a, b Agent) int { return slices.Compare(numbers(a.Release), numbers(b.Release)) })
	return agents
}

// Start starts an agent and returns the path of its socket. It is killed when the
// test ends.
func (a Agent) Start(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "qga") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	var output strings.Builder
	cmd := exec.Command(a.Path, "-m", "unix-listen", "-p", socket, "-t", dir, "-f", filepath.Join(dir, "pid"))
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // killed, as a rule
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	// It tells nobody when it listens.
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			return socket
		}
		select {
		case <-tick.C:
		case <-ended:
			t.Fatalf("%s ended: %s", a.Path, &output)
		}
	}
	t.Fatalf("%s does not listen at %s", a.Path, socket)
	return ""
}

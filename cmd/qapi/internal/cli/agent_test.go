package cli

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/internal/qemutest"
)

func TestAgentOrder(t *testing.T) {
	for in, want := range map[string]string{
		"agent web01 run df -h":  "agent run web01 df -h",
		"agent run web01 df":     "agent run web01 df",
		"agent run cat df":       "agent run cat df",
		"agent web01":            "agent web01",
		"call agent run x":       "call agent run x",
		"agent web01 nonsense x": "agent web01 nonsense x",
	} {
		assert.Equal(t, words(want), verbFirst(words(in)), in)
	}
}

// ran makes the agent's next program end with a code and an output.
func (w *world) ran(code int, out, errs string) {
	w.agent.Reply("guest-exec", map[string]any{"pid": 7})
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	w.agent.Reply("guest-exec-status", map[string]any{"exited": true, "exitcode": code, "out-data": encode(out), "err-data": encode(errs)})
}

func TestAgentRun(t *testing.T) {
	w := newWorld(t)
	w.ran(0, "out\x1b[2J\n", "err\n")
	code, out, errs := w.run("", words("agent web01 run df -h /")...)
	assert.Equal(t, exit.OK, code, errs)
	assert.Equal(t, "out\x1b[2J\n", out, "not a terminal: as it is")
	assert.Equal(t, "err\n", errs)
	assert.JSONEq(t, `{"path":"df","arg":["-h","/"],"capture-output":true}`, string(w.agent.Calls()[0].Arguments))

	w.ran(3, "", "")
	code, _, errs = w.run("", words("agent run web01 false")...)
	assert.Equal(t, exit.Failed, code)
	assert.Equal(t, "qapi: false ended with 3\n", errs)
	// The agent's own socket is an address, too.
	w.ran(0, "x", "")
	code, out, errs = w.run("", "agent", w.found[0].Agent, "run", "true")
	assert.Equal(t, exit.OK, code, errs)
	assert.Equal(t, "x", out)
}

func TestAgentInfo(t *testing.T) {
	w := newWorld(t)
	w.agent.Reply("guest-get-host-name", map[string]any{"host-name": "guest1"})
	w.agent.Reply("guest-get-osinfo", map[string]any{"pretty-name": "Debian", "kernel-release": "6.1", "machine": "x86_64"})
	code, out, errs := w.run("", "agent", "web01", "info")
	require.Equal(t, exit.OK, code, errs)
	assert.Contains(t, out, "host      guest1\nsystem    Debian\nkernel    6.1 x86_64\n")
}

func TestAgentFreeze(t *testing.T) {
	w := newWorld(t)
	w.agent.Reply("guest-fsfreeze-status", "thawed")
	w.agent.Reply("guest-fsfreeze-freeze", 2)
	w.agent.Reply("guest-fsfreeze-freeze-list", 2)
	w.agent.Reply("guest-fsfreeze-thaw", 2)
	code, out, errs := w.run("", "agent", "web01", "freeze", "sh", "-c", "echo frozen")
	require.Equal(t, exit.OK, code, errs)
	assert.Equal(t, "frozen\n", out)
	assert.Contains(t, errs, "qapi: 2 file systems are frozen\n")
	thaws := w.agent.Count("guest-fsfreeze-thaw")
	assert.Positive(t, thaws)

	code, _, errs = w.run("", "agent", "web01", "freeze", "false")
	assert.Equal(t, exit.Failed, code)
	assert.Contains(t, errs, "false: exit status 1")
	assert.Greater(t, w.agent.Count("guest-fsfreeze-thaw"), thaws)
	code, _, errs = w.run("\n", "agent", "web01", "freeze")
	assert.Equal(t, exit.OK, code, errs)
}

// TestQEMUAgent works with real agents.
func TestQEMUAgent(t *testing.T) {
	qemutest.EachAgent(t, func(t *testing.T, a qemutest.Agent) {
		w := newWorld(t)
		address := a.Start(t)
		run := func(stdin string, args ...string) string {
			t.Helper()
			code, out, errs := w.run(stdin, append([]string{"agent", address}, args...)...)
			require.Equal(t, exit.OK, code, "%v: %s", args, errs)
			return out
		}
		assert.Contains(t, run("", "info"), "agent     "+a.Release)
		assert.Equal(t, "hello\n", run("", "run", "echo", "hello"))
		assert.Equal(t, "typed", run("typed", "run", "--stdin", "cat"))
		path := filepath.Join(w.dir, "file")
		text := strings.Repeat("0123456789\n", 20_000)
		run(text, "put", "-", path)
		assert.Equal(t, text, run("", "cat", path))
		copied := filepath.Join(w.dir, "copy")
		run("", "put", path, copied)
		same, err := os.ReadFile(copied)
		require.NoError(t, err)
		assert.Equal(t, text, string(same))
		assert.Equal(t, a.Release, strings.Join(strings.Split(strings.TrimSpace(run("", "call", "guest-info", "--jq", ".version")), ".")[:2], "."))
		code, _, errs := w.run("", "agent", address, "call", "guest-ping", "x=1")
		assert.Equal(t, exit.Usage, code)
		assert.Contains(t, errs, "guest-ping has no arguments")
	})
}

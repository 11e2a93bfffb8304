package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
)

func TestTopOnce(t *testing.T) {
	w := newWorld(t)
	code, out, errs := w.run("", "top", "@web*", "--once", "--json", "--interval", "100ms")
	require.Equal(t, exit.OK, code, errs)
	var names []string
	for line := range strings.Lines(out) {
		var r struct{ VM, State string }
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		assert.NotEmpty(t, r.State)
		names = append(names, r.VM)
	}
	assert.Equal(t, []string{"web01", "web02"}, names)

	code, out, _ = w.run("", "top", "web01", "unix:/none/x", "--once", "--interval", "100ms")
	assert.Equal(t, exit.NoConnection, code)
	assert.Contains(t, out, "web01         ")
	assert.Contains(t, out, "unix:/none/x  no connection: no such file or directory")

	code, _, errs = w.run("", "top", "web01", "--interval", "1ms")
	assert.Equal(t, exit.Usage, code)
	assert.Contains(t, errs, "it must be at least 100ms")
}

func TestDescribeCommand(t *testing.T) {
	w := newWorld(t)
	code, out, _ := w.run("", "describe", "eject", "--json")
	assert.Equal(t, exit.OK, code)
	assert.Contains(t, out, `"kind": "command"`)
	code, _, errs := w.run("", "describe", "ejct")
	assert.Equal(t, exit.Usage, code)
	assert.Equal(t, "qapi: there is no \"ejct\" in QEMU 11.1; did you mean eject?\n", errs)
	code, _, errs = w.run("", "describe", "eject", "-r", "1.0")
	assert.Equal(t, exit.Usage, code)
	assert.Contains(t, errs, `there is no schema of QEMU "1.0"`)
}

func TestGraphCommand(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ flag, want string }{
		{"", "device cd0"}, {"--dot", "digraph"}, {"--mermaid", "flowchart TD"}, {"--json", `"roots":`},
	} {
		code, out, errs := w.run("", append([]string{"graph", "web01"}, strings.Fields(c.flag)...)...)
		assert.Equal(t, exit.OK, code, errs)
		assert.Contains(t, out, c.want)
	}
	code, _, errs := w.run("", "graph", "web01", "--dot", "--json")
	assert.Equal(t, exit.Usage, code)
	assert.Contains(t, errs, "only one of --dot")
}

//go:build unix

package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/tmuxtest"
)

// inTerminal starts the program in a terminal.
func inTerminal(t *testing.T, args ...string) *tmuxtest.Terminal {
	t.Helper()
	return tmuxtest.Start(t, tmuxtest.Options{Width: 100, Env: []string{asProgram + "=1"}}, append([]string{os.Args[0]}, args...)...)
}

// inShell runs a line in sh, which continues after an interrupt, in a terminal.
func inShell(t *testing.T, line string) *tmuxtest.Terminal {
	t.Helper()
	return tmuxtest.Start(t, tmuxtest.Options{Width: 100, Env: []string{asProgram + "=1"}}, "sh", "-c", "trap : INT; "+line)
}

// After an interrupt, the tool asks whether to cancel a migration.
func TestInterruptedMigration(t *testing.T) {
	w := newWorld(t)
	w.vm.DirtyMemory(1 << 40) // the migration never ends
	term := inTerminal(t, "migrate", "--bandwidth", "1M", w.found[0].Address, "tcp:localhost:4444")
	term.Wait("active")
	term.Press("C-c").Wait("Cancel it? [y/N]")
	assert.Zero(t, w.vm.Count("migrate_cancel"))
	term.Type("n").Press("Enter").WaitFor(`N\] n\n(.*\n)*migration ▕`) // an interrupt would discard what was not read yet
	term.Press("C-c").WaitFor(`N\] n\n(.*\n)*.*Cancel it\?`)
	assert.Zero(t, w.vm.Count("migrate_cancel"))
	term.Type("y").Press("Enter").Wait("cancelled")
	assert.Equal(t, 1, w.vm.Count("migrate_cancel"))
}

// TestJobWaitInTerminal shows a bar; after an interrupt the job continues.
func TestJobWaitInTerminal(t *testing.T) {
	w := newWorld(t)
	slowJob(w)
	term := inTerminal(t, "job", "wait", w.found[0].Address, "slow")
	term.WaitFor("slow  backup ▕.*▏ .*running")
	term.Press("C-c").Wait("qapi: the job slow goes on: qapi job wait ")
	code, out, errs := w.run("", "job", "ls", "web01")
	require.Equal(t, exit.OK, code, errs)
	assert.Contains(t, out, "running")
}

// TestSecretInTerminal does not show a secret that is typed.
func TestSecretInTerminal(t *testing.T) {
	w := newWorld(t)
	w.vm.Reply("set_password", struct{}{})
	term := inTerminal(t, "call", w.found[0].Address, "set_password", "protocol=vnc", "password=-")
	term.Wait("not shown:").Type("Geheim123").Press("Enter")
	assert.Zero(t, term.Exit())
	assert.NotContains(t, term.Screen(), "Geheim")
	assert.Contains(t, string(w.vm.Calls()[0].Arguments), `"password":"Geheim123"`)
}

// An interrupt ends a command that waits for a secret, and the terminal shows again what is typed.
func TestNoSecretInTerminal(t *testing.T) {
	w := newWorld(t)
	command := "%s call %s set_password protocol=vnc password=-; echo code $?; stty -a | grep -o ' echo '"
	term := inShell(t, fmt.Sprintf(command, os.Args[0], w.found[0].Address))
	term.Wait("not shown:").Press("C-c").WaitFor(`code 130\n echo`)
	assert.Empty(t, w.vm.Calls())
}

// TestCallInTerminal indents long results, and shows no control sequences.
func TestCallInTerminal(t *testing.T) {
	w := newWorld(t)
	name := strings.Repeat("x", 60) + "\u009b31m\u202e"
	w.vm.Reply("query-name", map[string]any{"name": name})
	term := inTerminal(t, "call", w.found[0].Address, "query-name")
	term.WaitFor(`\{\n  "name": "x+\\u009[bB]31m\\u202[eE]"\n\}`)
	term = inTerminal(t, "call", w.found[0].Address, "query-name", "--jq", ".name")
	term.WaitFor(`x+\\u009b31m\\u202e`)
}

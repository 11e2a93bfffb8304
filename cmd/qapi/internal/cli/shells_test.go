//go:build unix

package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/tmuxtest"
	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// shells are the shells for which qapi completion has scripts. For each: how it is started so that it
// reads only one file, and what this file contains before and after the script.
var shells = []struct {
	name    string
	command []string // FILE is the file; zsh finds it by its name
	rc      string
}{
	{"bash", []string{"bash", "--noprofile", "--rcfile", "FILE"}, `
PS1='> '
source /usr/share/bash-completion/bash_completion
source <(qapi completion bash)
`},
	{"zsh", []string{"zsh", "-d", "-i"}, `
PS1='> '
autoload -Uz compinit && compinit -u -D
source <(qapi completion zsh)
`},
	{"fish", []string{"fish", "--no-config", "--init-command", "source FILE"}, `
function fish_prompt; echo -n '> '; end
function fish_greeting; end
qapi completion fish | source
`},
}

// startShell starts a shell in which this program is qapi, with its completion.
func startShell(t *testing.T, command []string, rc string) *tmuxtest.Terminal {
	if _, err := exec.LookPath(command[0]); err != nil {
		require.Empty(t, os.Getenv("QAPI_REQUIRE_SHELLS"), "%s is not installed", command[0])
		t.Skipf("%s is not installed", command[0])
	}
	bin := t.TempDir()
	self, err := os.Executable()
	require.NoError(t, err)
	script := fmt.Sprintf("#!/bin/sh\n%s=1 exec '%s' \"$@\"\n", asProgram, self)
	require.NoError(t, os.WriteFile(filepath.Join(bin, "qapi"), []byte(script), 0o700))
	file := filepath.Join(bin, ".zshrc")
	require.NoError(t, os.WriteFile(file, []byte(rc), 0o600))
	args := make([]string, len(command))
	for i, arg := range command {
		args[i] = strings.ReplaceAll(arg, "FILE", file)
	}
	path := "PATH=" + bin + string(filepath.ListSeparator) + os.Getenv("PATH")
	return tmuxtest.Start(t, tmuxtest.Options{Width: 100, Env: []string{path, "ZDOTDIR=" + bin}}, args...)
}

// Each shell completes commands, addresses, arguments and values, when Tab is pressed.
func TestShells(t *testing.T) {
	for _, shell := range shells {
		t.Run(shell.name, func(t *testing.T) {
			if testing.Short() && shell.name != "bash" {
				t.Skip("short: starts one of three shells")
			}
			term := startShell(t, shell.command, shell.rc)
			term.WaitFor(`(?m)^> $|^>$`)
			dir := t.TempDir()
			require.NoError(t, os.MkdirAll(filepath.Join(dir, "vm"), 0o700))
			for _, c := range []struct{ typed, want string }{
				{"qapi supp", "qapi supports"},
				{"qapi call " + dir + "/v", dir + "/vm/"},
				{"qapi call x query-stats-", "query-stats-schemas"},
				{"qapi call x blockdev-add driver=qcow2 file.driver=nbd file.serv", "file.server."},
				{"qapi call x blockdev-add driver=qcow2 file.driver=nbd file.server.", "file.server.type="},
				{"qapi call x blockdev-add detect-zeroes=unm", "detect-zeroes=unmap"},
				{"qapi call x device_add driver=virtio-blk-pci write-c", "write-cache="},
				{"qapi call x device_del id=d --wait DEVICE_DEL", "DEVICE_DELETED"},
				{"qapi call x stop --wait DEVICE_DELETED:dev", "DEVICE_DELETED:device="},
				{"qapi events x BLOCK_JOB_REA", "BLOCK_JOB_READY"},
				{"qapi job wa", "qapi job wa"}, // wait, watch
			} {
				term.Press("C-u").Press("C-l").Type(c.typed).Press("Tab").Wait(c.want)
			}
			term.Press("C-u").Press("C-l").Type("qapi call x blockdev-add driver=v").Press("Tab", "Tab").Wait("vmdk")
		})
	}
}

// tab types a line and Tab, and returns the screen when the shell continues.
func tab(term *tmuxtest.Terminal, typed string) string {
	return term.Press("C-u").Press("C-l").Type(typed).Press("Tab").Type("#").Wait("#").Screen()
}

// The names that only a machine knows are completed, unless another client is connected to it.
func TestQEMUShells(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		if q.Release == "7.2" || q.Release == "10.0" {
			t.Skip("the oldest and the newest are enough")
		}
		name := fmt.Sprintf("shells%d", os.Getpid())
		socket := filepath.Join(t.TempDir(), "qmp")
		p, err := qmp.Launch(t.Context(), exec.Command(q.Path, "-name", name, "-S", "-nodefaults", "-display", "none", "-machine", "q35",
			"-blockdev", "null-co,node-name=disk0", "-device", "virtio-rng-pci,id=rng0"), qmp.AtSocket("unix:"+socket))
		require.NoError(t, err)
		defer p.Close()
		require.NoError(t, p.Conn.Close())
		term := startShell(t, shells[0].command, shells[0].rc)
		term.WaitFor(`(?m)^> $|^>$`)
		for _, c := range []struct{ typed, want string }{
			{"qapi call shel", name},
			{"qapi call " + name + " block_resize node-name=di", "node-name=disk0"},
			{"qapi call " + name + " device_del id=", "id=rng0"},
			{"qapi call " + name + " device_add driver=virtio-blk-p", "driver=virtio-blk-pci"},
			{"qapi call " + name + " qom-list path=/machine/periph", "/machine/peripheral"},
		} {
			// A machine that is busy may not answer in time.
			for tries := 1; !strings.Contains(tab(term, c.typed), c.want); tries++ {
				require.Less(t, tries, 100, "%s: the screen shows\n%s", c.typed, term.Screen())
			}
		}

		busy, err := qapi.Dial(t.Context(), p.Addr())
		require.NoError(t, err)
		defer busy.Close()
		require.NotContains(t, tab(term, "qapi call "+name+" block_resize node-name="), "disk0")
		require.NoError(t, busy.Conn().Err())
	})
}

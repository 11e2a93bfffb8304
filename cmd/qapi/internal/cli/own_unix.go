//go:build unix

package cli

import (
	"os/exec"
	"syscall"
)

// ownProcessGroup makes a command run in a process group of its own, so that Ctrl-C does not end
// it: the session ends it.
func ownProcessGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

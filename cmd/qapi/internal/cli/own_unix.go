//go:build unix

package cli

import (
	"os/exec"
	"syscall"
)

// ofItsOwn keeps Ctrl-C from a program that is started: it is ended in order.
func ofItsOwn(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

//go:build unix

package cli

import (
	"os/exec"
	"syscall"
)

// ofItsOwn protects a program that is started from Ctrl-C: it is ended with quit instead.
func ofItsOwn(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

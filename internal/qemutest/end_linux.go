package qemutest

import (
	"os/exec"
	"syscall"
)

// EndWithTest makes the system kill a program when the test's process ends: at a timeout of
// go test it ends without running cleanups.
func EndWithTest(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

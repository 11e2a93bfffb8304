package qemutest

import (
	"os/exec"
	"syscall"
)

// EndWithTest has the system kill a program when the test's process ends, which a time limit
// of go test does without running cleanups.
func EndWithTest(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

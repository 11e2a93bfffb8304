//go:build !unix

package cli

import "os/exec"

// ownProcessGroup does nothing: no QEMU is started on these systems.
func ownProcessGroup(*exec.Cmd) {}

//go:build !unix

package cli

import "os/exec"

// ofItsOwn does nothing: no QEMU is started there.
func ofItsOwn(*exec.Cmd) {}

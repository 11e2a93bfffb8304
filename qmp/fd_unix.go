//go:build unix

package qmp

import "syscall"

// nonblock is the flag to open a FIFO without waiting for its other end.
const nonblock = syscall.O_NONBLOCK

// pollable makes fd non-blocking, so that closing it ends a read.
func pollable(fd int) error { return syscall.SetNonblock(fd, true) }

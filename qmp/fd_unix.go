//go:build unix

package qmp

import "syscall"

// nonblock has a FIFO opened without waiting for its other end.
const nonblock = syscall.O_NONBLOCK

// pollable lets a read of fd be ended by closing it.
func pollable(fd int) error { return syscall.SetNonblock(fd, true) }

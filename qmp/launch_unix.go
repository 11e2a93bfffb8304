//go:build unix

package qmp

import (
	"net"
	"os"
	"os/exec"
	"syscall"
)

// socketPair returns the two ends of a connection, one of them for another process.
func socketPair() (ours net.Conn, theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	theirs = os.NewFile(uintptr(fds[1]), "monitor")
	f := os.NewFile(uintptr(fds[0]), "monitor")
	defer f.Close() // ours is a copy
	if ours, err = net.FileConn(f); err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// ownSession has a process start a session of its own.
func ownSession(cmd *exec.Cmd) {
	attr := new(syscall.SysProcAttr)
	if cmd.SysProcAttr != nil {
		*attr = *cmd.SysProcAttr
	}
	attr.Setsid, attr.Setpgid = true, false // the leader of a session is already the leader of its process group
	cmd.SysProcAttr = attr
}

//go:build unix

package qmp

import (
	"errors"
	"os"
	"syscall"
)

const canPassFiles = true

// dupFiles duplicates descriptors: what is being written may outlive its call,
// and so the caller's files.
func dupFiles(files []*os.File) ([]int, error) {
	fds := make([]int, 0, len(files))
	for _, f := range files {
		fd, err := dupFile(f)
		if err != nil {
			closeFDs(fds)
			return nil, err
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

func dupFile(f *os.File) (int, error) {
	raw, err := f.SyscallConn() // unlike Fd, it leaves the file's mode alone
	if err != nil {
		return -1, err
	}
	fd := -1
	err2 := raw.Control(func(old uintptr) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if fd, err = syscall.Dup(int(old)); err == nil {
			syscall.CloseOnExec(fd)
		}
	})
	return fd, errors.Join(err, err2)
}

func closeFDs(fds []int) {
	for _, fd := range fds {
		_ = syscall.Close(fd) // a duplicate: nothing is lost
	}
}

func fileRights(fds []int) []byte { return syscall.UnixRights(fds...) }

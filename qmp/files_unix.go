//go:build unix

package qmp

import (
	"errors"
	"os"
	"syscall"
)

const canPassFiles = true

// dupFiles duplicates descriptors: a message may still be written after its call has
// ended, when the caller may have closed the files.
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
	raw, err := f.SyscallConn() // unlike Fd, it does not change the file's mode
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
		_ = syscall.Close(fd) // a duplicate, so that an error loses nothing
	}
}

func fileRights(fds []int) []byte { return syscall.UnixRights(fds...) }

package qmp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

// An fdPassing has the functions that pass files. Only [Files] refers to it, so that the
// linker leaves it out of programs that pass none.
type fdPassing struct {
	refused func(io.ReadWriteCloser, *call) error
	dup     func([]*os.File) ([]int, error)
	write   func(*writer) (int, error)
}

// maxFiles is how many files QEMU takes with a message; it drops the rest.
const maxFiles = 16

// filesRefused returns why c's files cannot be passed, or nil.
func filesRefused(rw io.ReadWriteCloser, c *call) error {
	_, socket := rw.(*net.UnixConn)
	_, relay := rw.(Relay)
	switch {
	case !socket && !relay || !canPassFiles:
		return ErrNoFiles
	case c.oob:
		return errors.New("files cannot be passed out of band")
	case len(c.files) > maxFiles:
		return fmt.Errorf("%d files are more than the %d that a command can have", len(c.files), maxFiles)
	}
	return nil
}

// writeFiles writes the beginning of out together with the files, and returns how many
// bytes it wrote, at least one.
func (w *writer) writeFiles() (int, error) {
	defer func() {
		closeFDs(w.fds)
		w.fds = nil
	}()
	if r, ok := w.rw.(Relay); ok {
		return len(w.out), r.WriteFiles(w.out, w.fds)
	}
	n, _, err := w.rw.(*net.UnixConn).WriteMsgUnix(w.out, fileRights(w.fds), nil)
	if err != nil {
		return n, fmt.Errorf("passing files: %w", err)
	}
	return n, nil
}

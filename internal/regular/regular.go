// Package regular reads files of any kind safely: it never waits for another program,
// and uses at most a given amount of memory.
package regular

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// ErrIrregular is wrapped by the errors for what is not a regular file: a folder, a
// device, or a named pipe, which cannot be opened until another program writes to it.
var ErrIrregular = errors.New("not a regular file")

// ReadFile reads a regular file of at most limit bytes. Its errors are *fs.PathError.
func ReadFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Stat(fsys, name) // before it is opened, since that can wait, too
	if err != nil {
		return nil, err
	}
	fail := func(err error) ([]byte, error) { return nil, &fs.PathError{Op: "read", Path: name, Err: err} }
	if err := check(info); err != nil {
		return fail(err)
	}
	if info.Size() > limit {
		return fail(fmt.Errorf("it has %d bytes; the limit is %d", info.Size(), limit))
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1)) // a size can change, and some files report 0
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return fail(fmt.Errorf("it has more than %d bytes", limit))
	}
	return text, nil
}

// Open opens a regular file to read from it.
func Open(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil {
		if err := check(info); err != nil {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
	return os.Open(path)
}

func check(info fs.FileInfo) error {
	if info.Mode().IsRegular() {
		return nil
	}
	return fmt.Errorf("it is %s, %w", kind(info.Mode()), ErrIrregular)
}

// kind names what is not a regular file.
func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "something else"
}

// Package regular reads files by name of which nothing is known: it waits for no other
// program, and takes no more memory than it is allowed.
package regular

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// ErrIrregular is wrapped by the error of [ReadFile] for what is not a regular file: a
// folder, a device, or a named pipe, which would wait for somebody who writes to it.
var ErrIrregular = errors.New("not a regular file")

// ReadFile reads a regular file of at most limit bytes. Its errors are *fs.PathError.
func ReadFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Stat(fsys, name) // before it is opened: that would wait, too
	if err != nil {
		return nil, err
	}
	fail := func(err error) ([]byte, error) { return nil, &fs.PathError{Op: "read", Path: name, Err: err} }
	switch {
	case !info.Mode().IsRegular():
		return fail(fmt.Errorf("it is %s, %w", kind(info.Mode()), ErrIrregular))
	case info.Size() > limit:
		return fail(fmt.Errorf("it has %d bytes; there may be %d", info.Size(), limit))
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1)) // a size can change, and some files say 0
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return fail(fmt.Errorf("it has more than %d bytes", limit))
	}
	return text, nil
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

package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// A passedFile is a file that goes to QEMU.
type passedFile struct {
	name string
	file *os.File
}

// openFiles opens files given as NAME=PATH: for reading and writing where that is allowed.
func openFiles(list []string) (files []passedFile, err error) {
	defer func() {
		if err != nil {
			closeFiles(files)
		}
	}()
	for _, text := range list {
		name, path, ok := strings.Cut(text, "=")
		if !ok || name == "" || path == "" {
			return files, exit.Usagef("--file %s: it is not NAME=PATH", text)
		}
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.EROFS) {
			file, err = os.Open(path)
		}
		if err != nil {
			return files, exit.Usagef("--file: %w", err)
		}
		files = append(files, passedFile{name, file})
	}
	return files, nil
}

func closeFiles(files []passedFile) {
	for _, f := range files {
		f.file.Close()
	}
}

// takesFiles are commands that take a file themselves.
var takesFiles = []string{"getfd", "add-fd"}

// passFiles passes files to QEMU, under their names. A command that takes files itself gets
// them with it: the returned connection does that.
func passFiles(ctx context.Context, conn *qmp.Conn, command string, files []passedFile) (*qmp.Conn, error) {
	if len(files) == 0 {
		return conn, nil
	}
	if slices.Contains(takesFiles, command) {
		var all []*os.File
		for _, f := range files {
			all = append(all, f.file)
		}
		return conn.With(qmp.Files(all...)), nil
	}
	for _, f := range files {
		c := qapi.NewClient(conn.With(qmp.Files(f.file)))
		if err := c.Getfd(ctx, qapi.GetfdArgs{Fdname: f.name}); err != nil {
			return nil, fmt.Errorf("pass %s: %w", f.file.Name(), err)
		}
	}
	return conn, nil
}

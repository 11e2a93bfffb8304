package qapi

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/goqapi/goqapi/qmp"
)

// An FDSet is the number of a set of files that the server has been passed; see [AddFile].
type FDSet int64

// Path is what stands for the set wherever QEMU opens a file by its name, such as in
// [BlockdevOptionsFile]: the server takes the file of the set that was opened for what it
// is about to do, reading or writing.
func (s FDSet) Path() string { return fmt.Sprintf("/dev/fdset/%d", int64(s)) }

// Remove has the server close the files of the set: those that nodes and devices have
// opened by its path are duplicates of them, and stay. A set that does not exist is success.
// While a machine stands still QEMU 5.2 and 7.2 keep the files, until it runs and Remove is
// called again.
func (s FDSet) Remove(ctx context.Context, c *Client) error {
	err := c.RemoveFD(ctx, RemoveFDArgs{FdsetID: int64(s)})
	if IsNotFound(err) {
		return nil
	}
	return err
}

// AddFile passes a file to the server, which may not open it itself, and returns the set
// that it is in. Several files are of one set: the same image opened for reading, and for
// reading and writing, say. If it fails, the server has none of them, or the error says so.
//
//	disk, err := qapi.AddFile(ctx, c, f)
//	…
//	err = c.BlockdevAdd(ctx, qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: disk.Path()}})
//
// The server gets duplicates. The caller closes the files, and should not use them any
// more; see [qmp.Files], which also has which connections can pass files.
//
// A set stays when the node or device that has used it is gone; [FDSet.Remove] removes it.
// One that nothing has opened yet vanishes with the last client of a QEMU 5.2 or 7.2, so a
// reconnecting client may have to add it again.
func AddFile(ctx context.Context, c *Client, files ...*os.File) (FDSet, error) {
	if len(files) == 0 {
		return 0, errors.New("qapi: AddFile: no file was given")
	}
	label := fmt.Sprintf("goqapi-%016x", rand.Uint64()) // by which it is found if the reply is lost
	args := AddFDArgs{Opaque: &label}
	for _, f := range files {
		info, err := c.With(qmp.Files(f)).AddFD(ctx, args)
		if err != nil {
			if args.FdsetID != nil || qmp.MayHaveRun(err) {
				err = takeBack(ctx, c, label, err)
			}
			return 0, err
		}
		args.FdsetID = &info.FdsetID
	}
	return FDSet(*args.FdsetID), nil
}

// undoTime is how long it may take to undo what was begun, when ctx has ended, too.
const undoTime = 5 * time.Second

// takeBack removes the sets of files with a label, because of err.
func takeBack(ctx context.Context, c *Client, label string, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	sets, left := c.QueryFdsets(ctx)
	for _, set := range sets {
		for _, fd := range set.FDs {
			if Value(fd.Opaque) == label {
				left = errors.Join(left, FDSet(set.FdsetID).Remove(ctx, c))
				break
			}
		}
	}
	if left != nil {
		return fmt.Errorf("%w; the server may still have the file (labelled %s): %w", err, label, left)
	}
	return err
}

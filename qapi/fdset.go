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

// Path returns the file name that stands for the set, for example in [BlockdevOptionsFile].
// When QEMU opens this name, it uses the file in the set that was opened in the same mode,
// for reading or for writing.
func (s FDSet) Path() string { return fmt.Sprintf("/dev/fdset/%d", int64(s)) }

// Remove makes the server close the files of the set. What nodes and devices have opened by
// its path are duplicates, and stay open. It is not an error if the set does not exist.
// While a machine is stopped, QEMU 5.2 and 7.2 keep the files: call Remove again when the
// machine runs.
func (s FDSet) Remove(ctx context.Context, c *Client) error {
	err := c.RemoveFD(ctx, RemoveFDArgs{FdsetID: int64(s)})
	if IsNotFound(err) {
		return nil
	}
	return err
}

// AddFile passes an open file to the server, such as one that the server cannot open
// itself, and returns the set that the file is in. Several files form one set: for
// example the same image opened for reading, and for reading and writing. If AddFile
// fails, the server has none of the files, or the error says that it may have some.
//
//	disk, err := qapi.AddFile(ctx, c, f)
//	…
//	err = c.BlockdevAdd(ctx, qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: disk.Path()}})
//
// The server gets duplicates. The caller closes the files, and should not use them any
// more. The documentation of [qmp.Files] says which connections can pass files.
//
// A set stays when the node or device that has used it is gone; [FDSet.Remove] removes it.
// QEMU 5.2 and 7.2 remove a set that nothing has opened when their last client disconnects:
// a client that connects again may have to add it again.
func AddFile(ctx context.Context, c *Client, files ...*os.File) (FDSet, error) {
	if len(files) == 0 {
		return 0, errors.New("qapi: AddFile: no file was given")
	}
	label := fmt.Sprintf("goqapi-%016x", rand.Uint64()) // to find the set by if the reply is lost
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

// undoTime is how long it may take to undo what was begun, even if ctx has ended.
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

package disk

import (
	"context"
	"errors"
	"fmt"

	"github.com/goqapi/goqapi/internal/undo"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/job"
)

// A Target is where a copy of a disk goes: a [File], an [Image] or what [NBD] returns.
type Target interface {
	// open adds a block node for a disk of the given size, and returns its name. nodes removes the node;
	// failed says what else is left if the copy fails.
	open(ctx context.Context, c *qapi.Client, size int64, nodes, failed *undo.Stack) (string, error)
}

// A File is a new image in a new file on QEMU's host. An existing file is overwritten.
type File struct {
	Path   string
	Format qapi.BlockdevDriver // qcow2 or raw; qcow2 if empty
	// Backing is the file of the copy before this one, for [Increment]: data that have not changed since then
	// are read from it. Only qcow2 can have one. A relative path is relative to Path.
	Backing string
	// BackingFormat is the format of Backing; qcow2 if empty.
	BackingFormat qapi.BlockdevDriver
}

func (f File) open(ctx context.Context, c *qapi.Client, size int64, nodes, failed *undo.Stack) (string, error) {
	file := qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: f.Path}}
	name := newName("target")
	options := qapi.BlockdevOptions{NodeName: &name}
	fileSize := uint64(0)
	switch {
	case f.Path == "":
		return "", errors.New("the file of the copy has no path")
	case f.Format == "" || f.Format == qapi.BlockdevDriverQcow2:
		options.Driver = qapi.BlockdevOptionsQcow2{File: file, Backing: qapi.Null{}}
	case f.Format == qapi.BlockdevDriverRaw && f.Backing == "":
		options.Driver, fileSize = qapi.BlockdevOptionsRaw{File: file}, uint64(size)
	default:
		return "", fmt.Errorf("%s: the format is %q: a file can be qcow2, or raw without a backing file", f.Path, f.Format)
	}
	failed.Add("the file "+f.Path+", if it was created", func(context.Context) error { return errors.New("QEMU cannot remove files") })
	if err := create(ctx, c, qapi.BlockdevCreateOptionsFile{Filename: f.Path, Size: fileSize}); err != nil {
		return "", err
	}
	if f.Format != qapi.BlockdevDriverRaw {
		if err := createQcow2(ctx, c, file, size, f.Backing, f.BackingFormat); err != nil {
			return "", err
		}
	}
	return name, addNode(ctx, c, options, nodes)
}

func create(ctx context.Context, c *qapi.Client, driver qapi.BlockdevCreateOptionsVariant) error {
	_, err := job.Create(ctx, c, qapi.BlockdevCreateOptions{Driver: driver})
	return err
}

func createQcow2(
	ctx context.Context, c *qapi.Client, file qapi.BlockdevRef, size int64, backing string, format qapi.BlockdevDriver,
) error {
	options := qapi.BlockdevCreateOptionsQcow2{File: file, Size: uint64(size)}
	if backing != "" {
		if format == "" {
			format = qapi.BlockdevDriverQcow2
		}
		options.BackingFile, options.BackingFmt = &backing, &format
	}
	return create(ctx, c, options)
}

// An Image is an existing image, which must be as large as the disk. It is opened for the copy, and closed
// again. If it has no node name, it gets one.
type Image qapi.BlockdevOptions

func (i Image) open(ctx context.Context, c *qapi.Client, _ int64, nodes, _ *undo.Stack) (string, error) {
	options := qapi.BlockdevOptions(i)
	if options.NodeName == nil {
		options.NodeName = new(newName("target"))
	}
	return *options.NodeName, addNode(ctx, c, options, nodes)
}

// NBD is an export of an NBD server, which must be as large as the disk and writable.
func NBD(server qapi.SocketAddress, export string) Image {
	return Image{Driver: qapi.BlockdevOptionsNBD{Server: server, Export: &export}}
}

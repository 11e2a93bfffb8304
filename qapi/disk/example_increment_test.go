package disk_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"path/filepath"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/disk"
	"github.com/goqapi/goqapi/qapi/job"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// A chain of copies of one disk: the first is complete, each other one contains what has
// changed since the copy before it.
type chain struct {
	c      *qapi.Client
	node   string // the disk
	bitmap string // records what has changed
	folder string
	last   string // the file of the last copy
}

// add adds a copy. After a failure the next copy contains what this one would have contained.
func (ch *chain) add(ctx context.Context, name string) error {
	copied := disk.Copy{Node: ch.node, Bitmap: ch.bitmap, Persistent: true}
	path := filepath.Join(ch.folder, name+".qcow2")
	copied.To = disk.File{Path: path, Backing: ch.last}
	back := disk.Increment
	if ch.last == "" {
		back = disk.Backup
	}
	err := back(ctx, ch.c, []disk.Copy{copied})
	if failed, ok := errors.AsType[*job.Error](err); ok {
		return fmt.Errorf("%s: QEMU says: %s", path, failed.Reason)
	}
	if err == nil {
		ch.last = path
	}
	return err
}

// A complete copy of a disk, and two with what has changed.
func Example_increment() {
	ctx := context.Background()
	vm := qmptest.New() // a fake machine
	defer vm.Close()
	conn, err := vm.Dial(ctx)
	if err != nil {
		log.Fatal(err)
	}
	c := qapi.NewClient(conn)
	defer c.Close()
	if err := c.BlockdevAdd(ctx, qapi.BlockdevOptions{NodeName: new("disk0"), Driver: qapi.BlockdevOptionsQcow2{
		File: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: "/vm/disk0.qcow2"}},
	}}); err != nil {
		log.Fatal(err)
	}

	copies := chain{c: c, node: "disk0", bitmap: "since-the-last-copy", folder: "/backup"}
	for _, day := range []string{"monday", "tuesday", "wednesday"} {
		fmt.Println(copies.add(ctx, day), copies.last)
	}
	// Output:
	// <nil> /backup/monday.qcow2
	// <nil> /backup/tuesday.qcow2
	// <nil> /backup/wednesday.qcow2
}

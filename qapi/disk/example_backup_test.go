package disk_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qapi/disk"
	"github.com/goqapi/goqapi/qapi/job"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// backUp copies all disks of the running machine at addr to a folder, as they are at one
// moment, and shows how far it is.
func backUp(ctx context.Context, addr, folder string) error {
	c, err := qapi.Dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	drives, err := c.QueryBlock(ctx)
	if err != nil {
		return err
	}
	var copies []disk.Copy
	for _, d := range drives {
		if d.Inserted == nil || d.Inserted.Ro { // an empty drive, or a CD
			continue
		}
		node := d.Inserted.NodeName
		copies = append(copies, disk.Copy{Node: node, To: disk.File{Path: filepath.Join(folder, node+".qcow2")}})
	}
	return disk.Backup(ctx, c, copies, job.OnProgress(func(p job.Progress) {
		fmt.Fprintf(os.Stderr, "\r%s   ", p)
	}))
}

// A backup of a running machine, which is a fake here.
func Example_backup() {
	vm := qmptest.New()
	defer vm.Close()
	addr, err := vm.Listen("tcp:127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	if err := plugDisk(addr, "disk0"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(backUp(context.Background(), addr, "/backup"))
	// Output: <nil>
}

// plugDisk gives the machine a disk.
func plugDisk(addr, node string) error {
	ctx := context.Background()
	c, err := qapi.Dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.BlockdevAdd(ctx, qapi.BlockdevOptions{NodeName: &node, Driver: qapi.BlockdevOptionsQcow2{
		File: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: "/vm/" + node + ".qcow2"}},
	}}); err != nil {
		return err
	}
	return c.DeviceAdd(ctx, device.VirtioBlkPCI{Drive: node})
}

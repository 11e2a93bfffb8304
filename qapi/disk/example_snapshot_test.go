package disk_test

import (
	"context"
	"fmt"
	"log"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/disk"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// withSnapshot calls f while two disks do not change: what the guest writes meanwhile goes
// to overlays. Afterwards these are written back and removed, whether or not f has failed.
func withSnapshot(ctx context.Context, c *qapi.Client, folder string, disks [2]string, f func() error) error {
	var overlays []disk.Overlay
	for _, node := range disks {
		overlays = append(overlays, disk.Overlay{Node: node, Path: folder + "/" + node + ".overlay"})
	}
	names, err := disk.Snapshot(ctx, c, overlays)
	if err != nil {
		return err
	}
	err = f()
	for i, name := range names {
		committed := disk.Commit(ctx, c, qapi.BlockCommitArgs{Device: name, BaseNode: &disks[i]})
		if err == nil {
			err = committed
		}
	}
	return err
}

// A snapshot of two disks: while it exists, any program can copy their files. Then it
// is removed.
func Example_snapshot() {
	ctx := context.Background()
	vm := qmptest.New() // a fake machine
	defer vm.Close()
	conn, err := vm.Dial(ctx)
	if err != nil {
		log.Fatal(err)
	}
	c := qapi.NewClient(conn)
	defer c.Close()
	for _, node := range []string{"disk0", "disk1"} {
		if err := c.BlockdevAdd(ctx, qapi.BlockdevOptions{NodeName: &node, Driver: qapi.BlockdevOptionsQcow2{
			File: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: "/vm/" + node + ".qcow2"}},
		}}); err != nil {
			log.Fatal(err)
		}
	}

	fmt.Println(withSnapshot(ctx, c, "/vm", [2]string{"disk0", "disk1"}, func() error {
		fmt.Println("copying the files")
		return nil
	}))
	// Output:
	// copying the files
	// <nil>
}

package disk_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qapi/disk"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// printGraph prints the block layer of a machine as trees: devices, exports and jobs first, files last.
func printGraph(ctx context.Context, c *qapi.Client, out io.Writer) error {
	graph, err := disk.ReadGraph(ctx, c)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(out, graph)
	return err
}

// The block graph of a machine, which is a fake here, as a tree.
func ExampleReadGraph() {
	ctx := context.Background()
	vm := qmptest.New()
	defer vm.Close()
	conn, err := vm.Dial(ctx)
	if err != nil {
		log.Fatal(err)
	}
	c := qapi.NewClient(conn)
	defer c.Close()
	if err := c.BlockdevAdd(ctx, qapi.BlockdevOptions{NodeName: new("disk0"), Driver: qapi.BlockdevOptionsQcow2{
		File: qapi.BlockdevOptions{NodeName: new("file0"), Driver: qapi.BlockdevOptionsFile{Filename: "/vm/disk0.qcow2"}},
	}}); err != nil {
		log.Fatal(err)
	}
	if err := c.DeviceAdd(ctx, device.VirtioBlkPCI{ID: "vd0", Drive: "disk0"}); err != nil {
		log.Fatal(err)
	}
	if err := printGraph(ctx, c, os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	// device cd0
	// device vd0
	//     root: disk0 (qcow2, /vm/disk0.qcow2)
	//         file: file0 (file, /vm/disk0.qcow2)
}

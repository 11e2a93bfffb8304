// Quickstart plugs a disk into a running machine. README shows this program.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: quickstart unix:/run/vm/qmp.sock")
	}
	ctx := context.Background()
	c, err := qapi.Dial(ctx, os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	status, err := c.QueryStatus(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the machine is", status.Status)

	c.OnBlockIOError(func(e qapi.BlockIOErrorEvent) { log.Printf("%s failed: %s", e.Operation, e.Reason) })
	if err := c.BlockdevAdd(ctx, qapi.BlockdevOptions{
		NodeName: new("disk0"),
		Driver: qapi.BlockdevOptionsQcow2{
			File: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: "vm.qcow2"}},
		},
	}); err != nil {
		log.Fatal(err)
	}
	if err := c.DeviceAdd(ctx, device.VirtioBlkPCI{ID: "vd0", Drive: "disk0"}); err != nil {
		log.Fatal(err)
	}
}

// Props is a program that plugs in an open device, to measure its size.
package main

import (
	"context"
	"log"
	"os"

	"github.com/goqapi/goqapi/qapi"
)

func main() {
	ctx := context.Background()
	c, err := qapi.Dial(ctx, os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.DeviceAdd(ctx, qapi.DeviceAddArgs{Driver: "virtio-blk-pci", ID: new("vd0"), Bus: new("rp0"), Props: map[string]any{
		"drive": "disk0", "bootindex": 1,
	}}); err != nil {
		log.Fatal(err)
	}
}

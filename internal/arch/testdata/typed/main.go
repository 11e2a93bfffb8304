// Typed is a program that plugs in a device of package qapi/device, to measure its size.
package main

import (
	"context"
	"log"
	"os"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
)

func main() {
	ctx := context.Background()
	c, err := qapi.Dial(ctx, os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.DeviceAdd(ctx, device.VirtioBlkPCI{ID: "vd0", Bus: "rp0", Drive: "disk0", Bootindex: new(int32(1))}); err != nil {
		log.Fatal(err)
	}
}

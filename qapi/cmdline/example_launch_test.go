package cmdline_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/cmdline"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qmp"
)

// A machine is described with Go types, started, and then controlled with the same types.
func Example_launch() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p, err := boot(ctx, "qemu-system-x86_64", "disk.qcow2")
	if err != nil {
		log.Fatal(err) // if QEMU has ended, the error contains its output
	}
	defer p.Close()
	c := qapi.NewClient(p.Conn)
	if err := c.Cont(ctx); err != nil {
		log.Fatal(err)
	}
	status, err := c.QueryStatus(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the machine is", status.Status)
}

// boot starts a machine with a disk and a network, which is paused until the command cont.
func boot(ctx context.Context, qemu, image string) (*qmp.Process, error) {
	cmd, err := cmdline.Command(ctx, qemu,
		cmdline.Machine("q35", nil),
		cmdline.Memory(qapi.MemorySizeConfiguration{Size: new(uint64(256 << 20))}),
		cmdline.Blockdev(qapi.BlockdevOptions{NodeName: new("disk0"), Driver: qapi.BlockdevOptionsQcow2{
			File: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: image}},
		}}),
		cmdline.Device(device.PCIERootPort{ID: "rp0", Chassis: new(uint8(1))}), // stays empty: something can be plugged in later
		cmdline.Device(device.VirtioBlkPCI{ID: "vd0", Drive: "disk0", Bootindex: new(int32(1))}),
		cmdline.Netdev(qapi.Netdev{ID: "net0", Type: qapi.NetdevUser{}}),
		cmdline.Device(device.VirtioNetPCI{ID: "nic0", Netdev: "net0"}),
		cmdline.Text("-nodefaults", "-S", "-display", "none"),
	)
	if err != nil {
		return nil, err
	}
	return qmp.Launch(ctx, cmd) // Launch appends the option for the monitor
}

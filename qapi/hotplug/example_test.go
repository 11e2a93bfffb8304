package hotplug_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qapi/hotplug"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// A disk, a network card, memory, processors and a balloon are added to a running machine, and
// removed again. Here it is a fake; a real one is started with places for them:
//
//	-machine q35 -smp 1,maxcpus=4 -m 512,slots=2,maxmem=4G -device pcie-root-port,id=rp0,chassis=1 …
func Example() {
	vm := qmptest.New(qmptest.RootPorts("rp0", "rp1", "rp2"), qmptest.CPUs(4), qmptest.MemorySlots(2))
	defer vm.Close()
	addr, err := vm.Listen("tcp:127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	c, err := qapi.Dial(ctx, addr)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.Cont(ctx); err != nil {
		log.Fatal(err)
	}
	if err := grow(ctx, c, os.Stdout); err != nil {
		log.Fatal(err)
	}
	if err := shrink(ctx, c, os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	// disk vd0 is there
	// card nic0 is there
	// 128 MiB of memory are there
	// there are 3 processors
	// disk vd0 is gone
	// card nic0 is gone
	// the memory is gone
	// there is 1 processor
	// the guest has 48 MiB
}

// grow plugs in. The guest need not answer.
func grow(ctx context.Context, c *qapi.Client, w io.Writer) error {
	disk := device.VirtioBlkPCI{ID: "vd0", Drive: "disk0", Serial: "data"} // in a free port
	node := qapi.BlockdevOptions{NodeName: new("disk0"), Driver: qapi.BlockdevOptionsNullCo{Size: new(int64(1 << 30))}}
	if err := hotplug.AddDisk(ctx, c, disk, node); err != nil {
		return err
	}
	fmt.Fprintln(w, "disk vd0 is there")

	card := device.VirtioNetPCI{ID: "nic0", Netdev: "net0", MAC: "52:54:00:12:34:56"}
	if err := hotplug.AddNIC(ctx, c, card, qapi.Netdev{ID: "net0", Type: qapi.NetdevHubport{}}); err != nil {
		return err
	}
	fmt.Fprintln(w, "card nic0 is there")

	memory := qapi.ObjectOptions{ID: "mem0", QOMType: qapi.ObjectOptionsMemoryBackendRAM{Size: 128 << 20}}
	if err := hotplug.AddMemory(ctx, c, device.PcDimm{ID: "dimm0", Memdev: "mem0"}, memory); err != nil {
		return err
	}
	fmt.Fprintln(w, "128 MiB of memory are there")

	if err := hotplug.SetCPUs(ctx, c, 3); err != nil {
		return err
	}
	fmt.Fprintln(w, "there are 3 processors")
	return hotplug.Plug(ctx, c, device.VirtioBalloonPCI{ID: "balloon0"})
}

// shrink unplugs everything, which the guest has to release. The guest may be slow, or refuse.
func shrink(ctx context.Context, c *qapi.Client, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	err := hotplug.RemoveDisk(ctx, c, "vd0", "disk0")
	if errors.Is(err, hotplug.ErrNotReleased) {
		return fmt.Errorf("does the guest run? %w", err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "disk vd0 is gone")
	if err := hotplug.RemoveNIC(ctx, c, "nic0", "net0"); err != nil {
		return err
	}
	fmt.Fprintln(w, "card nic0 is gone")

	err = hotplug.RemoveMemory(ctx, c, "dimm0", "mem0")
	if refused, ok := errors.AsType[*hotplug.RefusedError](err); ok {
		fmt.Fprintln(w, "the guest keeps its memory:", refused.Reason)
	} else if err != nil {
		return err
	} else {
		fmt.Fprintln(w, "the memory is gone")
	}
	err = hotplug.SetCPUs(ctx, c, 1)
	if refused, ok := errors.AsType[*hotplug.RefusedError](err); ok {
		fmt.Fprintln(w, "the guest keeps its processors:", refused.Reason)
	} else if err != nil {
		return err
	} else {
		fmt.Fprintln(w, "there is 1 processor")
	}

	memory, err := c.QueryMemorySizeSummary(ctx)
	if err != nil {
		return err
	}
	left, err := hotplug.Balloon(ctx, c, int64(memory.BaseMemory)/4*3) // it needs the rest
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "the guest has", left>>20, "MiB")
	return nil
}

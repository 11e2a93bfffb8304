// Hotplug starts a QEMU, makes a disk image, plugs a disk, a network card, memory and a
// processor into the machine, takes the disk away again, and shuts down.
//
// It uses the QEMU that the environment variable QEMU names, otherwise qemu-system-x86_64 on
// PATH. Without a QEMU it runs against a fake one.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/cmdline"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qapi/hotplug"
	"github.com/goqapi/goqapi/qapi/job"
	"github.com/goqapi/goqapi/qmp"
)

func main() {
	// Whatever ends this program must end QEMU first; this includes a closed pipe on its output.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "hotplug:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	program, err := find()
	if err != nil {
		return err
	}
	if program == "" {
		fmt.Fprintln(out, "There is no QEMU here (set QEMU=… or put qemu-system-x86_64 on PATH): driving the fake server")
		return playFake(ctx, out)
	}
	fmt.Fprintln(out, "Driving", program)
	p, err := boot(ctx, program)
	if err != nil {
		return err
	}
	err = play(ctx, qapi.NewClient(p.Conn), out)
	if err == nil {
		err = p.Wait(ctx)
	}
	return errors.Join(err, p.Close()) // which ends it if it still runs
}

// find returns the path of a QEMU, or "" if there is none.
func find() (string, error) {
	if program := os.Getenv("QEMU"); program != "" {
		return program, nil
	}
	program, err := exec.LookPath("qemu-system-x86_64")
	if errors.Is(err, exec.ErrNotFound) {
		return "", nil
	}
	return program, err
}

// boot starts a machine that has room for more devices, and does not run before cont.
func boot(ctx context.Context, program string) (*qmp.Process, error) {
	cmd, err := cmdline.Command(ctx, program,
		cmdline.Machine("q35", nil),
		cmdline.Accel("tcg", nil),
		cmdline.SMP(qapi.SMPConfiguration{CPUs: new(int64(1)), Maxcpus: new(int64(2))}),
		cmdline.Memory(qapi.MemorySizeConfiguration{
			Size: new(uint64(64 << 20)), MaxSize: new(uint64(1 << 30)), Slots: new(uint64(1)),
		}),
		cmdline.Device(device.VirtioSCSIPCI{ID: "scsi0"}),
		cmdline.Device(device.PCIERootPort{ID: "port0", Chassis: new(uint8(1))}),
		cmdline.Text("-nodefaults", "-S", "-display", "none"),
	)
	if err != nil {
		return nil, err
	}
	return qmp.Launch(ctx, cmd)
}

// play runs all steps in order, until one fails.
func play(ctx context.Context, c *qapi.Client, out io.Writer) error {
	for _, step := range []struct {
		name string
		do   func(context.Context, *qapi.Client) (string, error)
	}{
		{"version", version},
		{"disk", plugDisk},
		{"network", plugNIC},
		{"memory", plugMemory},
		{"processor", plugCPU},
		{"RESUME", resume},
		{"unplug", unplugDisk},
		{"SHUTDOWN", quit},
	} {
		news, err := step.do(ctx, c)
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Fprintf(out, "  %-10s %s\n", step.name, news)
	}
	return nil
}

func version(ctx context.Context, c *qapi.Client) (string, error) {
	version, err := c.QueryVersion(ctx)
	v := version.QEMU
	return fmt.Sprintf("QEMU %d.%d.%d", v.Major, v.Minor, v.Micro), err
}

// plugDisk plugs in a disk with an image that QEMU makes. QEMU keeps the image open, so its
// folder can be removed.
func plugDisk(ctx context.Context, c *qapi.Client) (string, error) {
	dir, err := os.MkdirTemp("", "hotplug")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "disk.raw")
	if _, err := job.Create(ctx, c, qapi.BlockdevCreateOptions{
		Driver: qapi.BlockdevCreateOptionsFile{Filename: path, Size: 16 << 20},
	}); err != nil {
		return "", err
	}
	disk := device.SCSIHD{ID: "sd0", Bus: "scsi0.0", Drive: "disk0", Serial: "data"}
	return "16 MiB, as sd0", hotplug.AddDisk(ctx, c, disk, qapi.BlockdevOptions{
		NodeName: new("disk0"),
		Driver:   qapi.BlockdevOptionsFile{Filename: path},
	})
}

func plugNIC(ctx context.Context, c *qapi.Client) (string, error) {
	card := device.VirtioNetPCI{ID: "nic0", Netdev: "net0", MAC: "52:54:00:12:34:56"} // in a free port
	return "virtio-net-pci on a hub port, as nic0",
		hotplug.AddNIC(ctx, c, card, qapi.Netdev{ID: "net0", Type: qapi.NetdevHubport{Hubid: 0}})
}

func plugMemory(ctx context.Context, c *qapi.Client) (string, error) {
	memory := qapi.ObjectOptions{ID: "mem0", QOMType: qapi.ObjectOptionsMemoryBackendRAM{Size: 128 << 20}}
	return "128 MiB more, as dimm0", hotplug.AddMemory(ctx, c, device.PcDimm{ID: "dimm0", Memdev: "mem0"}, memory)
}

func plugCPU(ctx context.Context, c *qapi.Client) (string, error) {
	return "there are 2", hotplug.SetCPUs(ctx, c, 2)
}

func resume(ctx context.Context, c *qapi.Client) (string, error) {
	_, err := qapi.Await[qapi.ResumeEvent](ctx, c, c.Cont, nil)
	return "the machine runs", err
}

// unplugDisk removes the disk and its block node. For a SCSI disk the guest need not cooperate.
func unplugDisk(ctx context.Context, c *qapi.Client) (string, error) {
	return "sd0 is gone", hotplug.RemoveDisk(ctx, c, "sd0", "disk0")
}

func quit(ctx context.Context, c *qapi.Client) (string, error) {
	event, err := qapi.Await[qapi.ShutdownEvent](ctx, c, c.Quit, nil)
	return string(event.Reason), err
}

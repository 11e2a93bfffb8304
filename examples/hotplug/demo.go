package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qmp"
)

// A demo drives one QEMU.
type demo struct {
	ctx context.Context
	c   *qapi.Client
	dir string
	out io.Writer
}

// play does everything, in order, up to the first failure.
func (d *demo) play() error {
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"status", d.status},
		{"disk", d.disk},
		{"network", d.network},
		{"objects", d.objects},
		{"CD tray", d.tray},
		{"I/O error", d.ioError},
		{"stop and continue", d.stopAndContinue},
		{"unplug", d.unplug},
		{"quit", d.quit},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// say prints one line: what it is about, and what happened.
func (d *demo) say(about, format string, args ...any) {
	fmt.Fprintf(d.out, "  %-10s %s\n", about, fmt.Sprintf(format, args...))
}

func (d *demo) status() error {
	version, err := d.c.QueryVersion(d.ctx)
	if err != nil {
		return err
	}
	status, err := d.c.QueryStatus(d.ctx)
	if err != nil {
		return err
	}
	v := version.QEMU
	d.say("version", "QEMU %d.%d.%d", v.Major, v.Minor, v.Micro)
	d.say("status", "%s", status.Status)
	return nil
}

// disk makes a qcow2 image with block jobs, opens it, and plugs it in.
func (d *demo) disk() error {
	const size = 16 << 20
	image := filepath.Join(d.dir, "disk.qcow2")
	if err := d.create("create-file", qapi.BlockdevCreateOptions{
		Driver: qapi.BlockdevCreateOptionsFile{Filename: image},
	}); err != nil {
		return err
	}
	if err := d.c.BlockdevAdd(d.ctx, qapi.BlockdevOptions{
		NodeName: new("image"),
		Driver:   qapi.BlockdevOptionsFile{Filename: image},
	}); err != nil {
		return err
	}
	if err := d.create("create-qcow2", qapi.BlockdevCreateOptions{
		Driver: qapi.BlockdevCreateOptionsQcow2{File: qapi.Str("image"), Size: size},
	}); err != nil {
		return err
	}
	if err := d.c.BlockdevDel(d.ctx, qapi.BlockdevDelArgs{NodeName: "image"}); err != nil {
		return err
	}
	if err := d.c.BlockdevAdd(d.ctx, qapi.BlockdevOptions{
		NodeName: new("disk0"),
		Driver: qapi.BlockdevOptionsQcow2{
			File: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: image}},
		},
	}); err != nil {
		return err
	}
	if err := d.c.DeviceAdd(d.ctx, device.VirtioBlkPCI{ID: "vd0", Drive: "disk0"}); err != nil {
		return err
	}
	nodes, err := d.c.QueryNamedBlockNodes(d.ctx, qapi.QueryNamedBlockNodesArgs{Flat: new(true)})
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if node.NodeName == "disk0" {
			d.say("disk", "%s over file, %d MiB, as vd0", node.Drv, node.Image.VirtualSize>>20)
		}
	}
	return nil
}

// create runs a job that makes an image, and waits until it has concluded.
func (d *demo) create(job string, options qapi.BlockdevCreateOptions) error {
	changes := qapi.Subscribe[qapi.JobStatusChangeEvent](d.c)
	defer changes.Close()
	if err := d.c.BlockdevCreate(d.ctx, qapi.BlockdevCreateArgs{JobID: job, Options: options}); err != nil {
		return err
	}
	if _, err := changes.Find(d.ctx, func(e qapi.JobStatusChangeEvent) bool {
		return e.ID == job && e.Status == qapi.JobStatusConcluded
	}); err != nil {
		return err
	}
	jobs, err := d.c.QueryJobs(d.ctx)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if j.ID == job && j.Error != nil {
			return fmt.Errorf("job %s: %s", job, *j.Error)
		}
	}
	return d.c.JobDismiss(d.ctx, qapi.JobDismissArgs{ID: job})
}

func (d *demo) network() error {
	if err := d.c.NetdevAdd(d.ctx, qapi.Netdev{ID: "net0", Type: qapi.NetdevHubport{Hubid: 0}}); err != nil {
		return err
	}
	if err := d.c.DeviceAdd(d.ctx, device.VirtioNetPCI{ID: "nic0", Netdev: "net0", MAC: "52:54:00:12:34:56"}); err != nil {
		return err
	}
	d.say("network", "virtio-net-pci on a hub port, as nic0")
	return nil
}

func (d *demo) objects() error {
	for _, object := range []qapi.ObjectOptions{
		{ID: "io0", QOMType: qapi.ObjectOptionsIothread{PollMaxNs: new(int64(0))}},
		{ID: "rng0", QOMType: qapi.ObjectOptionsRngBuiltin{}},
	} {
		if err := d.c.ObjectAdd(d.ctx, object); err != nil {
			return err
		}
		d.say("object", "%s %s", object.QOMType.ObjectType(), object.ID)
	}
	serial := filepath.Join(d.dir, "serial.sock")
	if _, err := d.c.ChardevAdd(d.ctx, qapi.ChardevAddArgs{
		ID: "serial0",
		Backend: qapi.ChardevBackend{Type: qapi.ChardevBackendSocket{
			Addr:   qapi.SocketAddressLegacy{Type: qapi.SocketAddressLegacyUnix{Path: serial}},
			Server: new(true),
			Wait:   new(false),
		}},
	}); err != nil {
		return err
	}
	d.say("chardev", "a socket, as serial0")
	return nil
}

func (d *demo) tray() error {
	moves := qapi.Subscribe[qapi.DeviceTrayMovedEvent](d.c)
	defer moves.Close()
	if err := d.c.BlockdevOpenTray(d.ctx, qapi.BlockdevOpenTrayArgs{ID: new("cd0")}); err != nil {
		return err
	}
	move, err := moves.Next(d.ctx)
	if err != nil {
		return err
	}
	d.say("CD tray", "%s: open is %t", move.ID, move.TrayOpen)
	return nil
}

// ioError plugs in a disk that cannot be read, and lets the machine's firmware
// stumble over it.
func (d *demo) ioError() error {
	if err := d.c.BlockdevAdd(d.ctx, qapi.BlockdevOptions{
		NodeName: new("good"),
		Driver:   qapi.BlockdevOptionsNullCo{Size: new(int64(1 << 20))},
	}); err != nil {
		return err
	}
	if err := d.c.BlockdevAdd(d.ctx, qapi.BlockdevOptions{
		NodeName: new("bad"),
		Driver: qapi.BlockdevOptionsBlkdebug{
			Image: qapi.Str("good"),
			InjectError: []qapi.BlkdebugInjectErrorOptions{{
				Event:  qapi.BlkdebugEventNone,
				Iotype: new(qapi.BlkdebugIOTypeRead),
				Errno:  new(int64(5)),
			}},
		},
	}); err != nil {
		return err
	}
	failed := make(chan qapi.BlockIOErrorEvent, 1)
	stop := d.c.OnBlockIOError(func(e qapi.BlockIOErrorEvent) {
		select {
		case failed <- e:
		default: // one is enough
		}
	})
	defer stop()
	stops := qapi.Subscribe[qapi.StopEvent](d.c)
	defer stops.Close()
	if err := d.c.DeviceAdd(d.ctx, device.SCSIHd{
		ID: "bad0", Bus: "scsi0.0", Drive: "bad", Rerror: qapi.BlockdevOnErrorStop,
	}); err != nil {
		return err
	}
	if err := d.c.Cont(d.ctx); err != nil {
		return err
	}
	select {
	case e := <-failed:
		d.say("I/O error", "%s: %s; action: %s", e.Operation, e.Reason, e.Action)
	case <-d.ctx.Done():
		return d.ctx.Err()
	}
	_, err := stops.Next(d.ctx) // what rerror=stop asks for
	return err
}

func (d *demo) stopAndContinue() error {
	if err := d.remove("bad0"); err != nil { // or the firmware would fail again
		return err
	}
	runs := qapi.SubscribeEvents(d.c, []qapi.Event{qapi.StopEvent{}, qapi.ResumeEvent{}})
	defer runs.Close()
	for _, change := range []func(context.Context) error{d.c.Cont, d.c.Stop} {
		if err := change(d.ctx); err != nil {
			return err
		}
		event, err := runs.Next(d.ctx)
		if err != nil {
			return err
		}
		switch event.(type) {
		case qapi.ResumeEvent:
			d.say("RESUME", "the machine runs")
		case qapi.StopEvent:
			d.say("STOP", "the machine stands still")
		}
	}
	return nil
}

// remove unplugs a device and waits until it is gone.
func (d *demo) remove(id string) error {
	deleted := qapi.Subscribe[qapi.DeviceDeletedEvent](d.c)
	defer deleted.Close()
	if err := d.c.DeviceDel(d.ctx, qapi.DeviceDelArgs{ID: id}); err != nil {
		return err
	}
	_, err := deleted.Find(d.ctx, func(e qapi.DeviceDeletedEvent) bool {
		return e.Device != nil && *e.Device == id
	})
	return err
}

func (d *demo) unplug() error {
	if err := d.c.BlockdevAdd(d.ctx, qapi.BlockdevOptions{
		NodeName: new("spare"),
		Driver:   qapi.BlockdevOptionsNullCo{Size: new(int64(1 << 20))},
	}); err != nil {
		return err
	}
	if err := d.c.DeviceAdd(d.ctx, device.SCSIHd{ID: "sd0", Bus: "scsi0.0", Drive: "spare"}); err != nil {
		return err
	}
	if err := d.remove("sd0"); err != nil {
		return err
	}
	d.say("unplug", "sd0 is gone")
	return nil
}

func (d *demo) quit() error {
	shutdown := qapi.Subscribe[qapi.ShutdownEvent](d.c)
	defer shutdown.Close()
	if err := d.c.Quit(d.ctx); err != nil {
		return err
	}
	event, err := shutdown.Next(d.ctx)
	if err != nil {
		return err
	}
	d.say("SHUTDOWN", "%s", event.Reason)
	select {
	case <-d.c.Conn().Done():
		if err := d.c.Conn().Err(); !errors.Is(err, qmp.ErrClosed) && !errors.Is(err, io.EOF) {
			return err
		}
		return nil
	case <-d.ctx.Done():
		return d.ctx.Err()
	}
}

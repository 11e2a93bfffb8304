package arch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"time"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/cmdline"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qapi/disk"
	"github.com/goqapi/goqapi/qapi/job"
	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/libvirt"
	"github.com/goqapi/goqapi/qmp/qmplog"
	"github.com/goqapi/goqapi/qmp/qmptls"
)

// The pieces of Go that README shows, to prove that they compile; [TestReadmeCompiles] finds
// them here. They would need servers to run; other tests run similar code.
var _ = []any{plug, command, introspect, tls, spawn, listen, options, reconnect, log, jobs, agent, throughLibvirt}

func plug(ctx context.Context, c *qapi.Client) (err error) {
	err = c.DeviceAdd(ctx, device.SCSIHD{ID: "hd0", Bus: "scsi0.0", Drive: "disk1", WWN: new(uint64(0x5000c50015ea71ac))})
	return err
}

func command(ctx context.Context, disk qapi.BlockdevOptions) (*exec.Cmd, error) {
	cmd, err := cmdline.Command(ctx, "qemu-system-x86_64",
		cmdline.Machine("q35", map[string]any{"hpet": false}),
		cmdline.Accel("kvm", nil),
		cmdline.Memory(qapi.MemorySizeConfiguration{Size: new(uint64(2 << 30))}),
		cmdline.Blockdev(disk), // as for c.BlockdevAdd
		cmdline.Device(device.VirtioBlkPCI{ID: "vd0", Drive: "disk0"}),
		cmdline.QMP(qmp.UnixAddr("/run/vm/qmp.sock")+",server=on,wait=off"),
		cmdline.Text("-nodefaults", "-S"), // any other option
	)
	return cmd, err
}

func introspect(ctx context.Context, c *qapi.Client) (bool, error) {
	caps, err := qapi.Introspect(ctx, c)
	if err != nil {
		return false, err
	}
	if caps.Supports("blockdev-add/driver=nvme-io_uring") {
		return true, nil
	}
	return false, nil
}

func tls(ctx context.Context) (*qapi.Client, error) {
	// TLS, with the files of QEMU's tls-creds-x509
	cfg, err := qmptls.LoadClient("/etc/pki/qemu")
	if err != nil {
		return nil, err
	}
	c, err := qapi.Dial(ctx, "tcp:vmhost:4444", qmptls.WithConfig(cfg))
	return c, err
}

func spawn(ctx context.Context) (*qapi.Client, error) {
	// start a QEMU: p.Conn is connected, or the error has what QEMU printed; p.Close ends QEMU
	p, err := qmp.Launch(ctx, exec.Command("qemu-system-x86_64", "-M", "q35", "-display", "none"))
	if err != nil {
		return nil, err
	}
	c := qapi.NewClient(p.Conn)
	return c, nil
}

func listen(ctx context.Context) (*qmp.Conn, error) {
	// a QEMU that dials us: -qmp unix:/run/vm/qmp.sock
	l, err := qmp.Listen(ctx, "unix:/run/vm/qmp.sock")
	if err != nil {
		return nil, err
	}
	conn, err := l.Accept(ctx)
	return conn, err
}

func options(ctx context.Context, c *qapi.Client) error {
	f, err := os.Open("/dev/vhost-net")
	if err != nil {
		return err
	}
	err = c.With(qmp.Files(f)).Getfd(ctx, qapi.GetfdArgs{Fdname: "vhost"}) // the file travels with the command
	if err != nil {
		return err
	}
	err = c.With(qmp.Timeout(time.Second)).Stop(ctx)
	if err != nil {
		return err
	}
	// out of band: overtakes commands that wait; for a connection dialled with qmp.WithOOB()
	err = c.With(qmp.OutOfBand()).MigratePause(ctx)
	return err
}

func reconnect(ctx context.Context, addr string) (*qapi.Client, error) {
	c, err := qapi.Dial(ctx, addr, qmp.WithReconnect(qmp.Reconnect{}))
	return c, err
}

func log() qmp.Option {
	return qmplog.WithLogger(slog.Default())
}

func jobs(ctx context.Context, c *qapi.Client) error {
	_, err := job.Mirror(ctx, c, qapi.BlockdevMirrorArgs{Device: "disk0", Target: "new0", Sync: qapi.MirrorSyncModeFull},
		job.OnProgress(func(p job.Progress) { fmt.Printf("\r%s", p) })) // 42 %, 1m30s left
	if failed, ok := errors.AsType[*job.Error](err); ok {
		fmt.Println(failed.Reason) // in QEMU's words, also if the job ended at once
	}

	err = disk.Backup(ctx, c, []disk.Copy{{Node: "disk0", Bitmap: "b", To: disk.File{Path: "/backup/full.qcow2"}}})
	return err
}

func agent(ctx context.Context, snapshot func(context.Context) error) error {
	g, err := qga.Dial(ctx, "unix:/run/vm/qga.sock") // synchronises with it first
	if err != nil {
		return err
	}
	result, err := qga.Run(ctx, g, qga.Command{Path: "df", Args: []string{"-h", "/"}})
	if err != nil {
		return err
	}
	fmt.Printf("%d\n%s", result.ExitCode, result.Stdout)

	err = qga.WithFrozen(ctx, g, nil, func(ctx context.Context, frozen int) error {
		return snapshot(ctx) // the guest's file systems are frozen now; afterwards they are always thawed
	})
	if err != nil {
		return err
	}

	err = qga.Shutdown(ctx, g, qga.ShutdownPowerdown) // nil: the agent has not refused
	return err
}

func throughLibvirt(ctx context.Context) ([]libvirt.Domain, error) {
	h, err := libvirt.Dial(ctx, "qemu+ssh://root@vmhost/system")
	if err != nil {
		return nil, err
	}
	conn, err := qmp.DialFunc(ctx, h.QMP("vm1"), qmp.WithReconnect(qmp.Reconnect{}))
	if err != nil {
		return nil, err
	}
	c := qapi.NewClient(conn)
	conn, err = qmp.DialAgentFunc(ctx, h.Agent("vm1")) // the agent in its guest
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	defer conn.Close()
	domains, err := h.Domains(ctx) // name, UUID and state of each
	if err != nil {
		return nil, err
	}
	for e, err := range h.Events(ctx) { // of all domains, in one stream
		fmt.Println(e, err)
	}
	return domains, nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/cmdline"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qmp"
)

// A server is a QEMU, or what plays its part.
type server struct {
	what string       // for people
	conn net.Conn     // its monitor
	wait func() error // until it has ended
	kill func()       // if it has not
}

// start starts QEMU if there is one, else the fake.
func start(ctx context.Context, dir string) (*server, error) {
	program := os.Getenv("QEMU")
	if program == "" {
		found, err := exec.LookPath("qemu-system-x86_64")
		if errors.Is(err, exec.ErrNotFound) {
			return startFake()
		}
		if err != nil {
			return nil, err
		}
		program = found
	}
	return startQEMU(ctx, program, dir)
}

// startQEMU starts a small machine that stands still until it is told to run.
// QEMU connects its monitor to us, so that there is nothing to poll for.
func startQEMU(ctx context.Context, program, dir string) (*server, error) {
	version, err := cmdline.Version(ctx, program)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "qmp.sock")
	args, err := cmdline.Args(version,
		cmdline.Text("-S", "-nodefaults", "-display", "none"),
		cmdline.Machine("pc", nil),
		cmdline.Accel("tcg", nil),
		cmdline.Memory(qapi.MemorySizeConfiguration{Size: new(uint64(64 << 20))}),
		cmdline.Device(device.VirtioSCSIPCI{ID: "scsi0"}),
		cmdline.Device(device.IDECd{ID: "cd0"}),
		cmdline.QMP(qmp.UnixAddr(path)),
	)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	defer l.Close()

	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		l.Close() // a QEMU that fails to start never connects
	}()
	conn, err := l.Accept()
	if err != nil {
		return nil, fmt.Errorf("%s ended: %w", program, <-ended)
	}
	return &server{
		what: "Driving " + program,
		conn: conn,
		wait: func() error { return <-ended },
		kill: func() { _ = cmd.Process.Kill() }, // it may have ended by itself
	}, nil
}

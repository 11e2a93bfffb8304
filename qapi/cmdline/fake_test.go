package cmdline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// fakeQEMU is set in the environment of a process that is to play a QEMU: this test program,
// which runs the fake of package qmptest.
const fakeQEMU = "CMDLINE_TEST_FAKE_QEMU"

func TestMain(m *testing.M) {
	if os.Getenv(fakeQEMU) == "" {
		os.Exit(m.Run())
	}
	if err := beQEMU(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestBoot starts the machine of the example on the fake.
func TestBoot(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Launch needs Unix")
	}
	t.Setenv(fakeQEMU, "1")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	image := filepath.Join(t.TempDir(), "disk")
	_, err := boot(ctx, os.Args[0], image)
	require.ErrorContains(t, err, "no such file or directory")

	require.NoError(t, os.WriteFile(image, nil, 0o600))
	p, err := boot(ctx, os.Args[0], image)
	require.NoError(t, err)
	defer p.Close()
	c := qapi.NewClient(p.Conn)
	require.NoError(t, c.Cont(ctx))
	drive, err := qapi.QOMGetAs[string](ctx, c, "/machine/peripheral/vd0", "drive")
	require.NoError(t, err)
	assert.Equal(t, "disk0", drive)
	require.NoError(t, p.Stop(ctx, qmp.Steps{}))
	require.NoError(t, p.Wait(ctx))
}

// beQEMU does what QEMU does with the options of the example and of Launch.
func beQEMU(args []string) error {
	var monitors []int
	srv := qmptest.New(qmptest.Release("11.1"), qmptest.Plugged(device.PCIERootPort{ID: "rp0", Chassis: new(uint8(1))}))
	conn, err := srv.Dial(context.Background())
	if err != nil {
		return err
	}
	for i, arg := range args {
		value := ""
		if i+1 < len(args) {
			value = args[i+1]
		}
		switch strings.TrimLeft(arg, "-") {
		case "version":
			fmt.Println("QEMU emulator version 11.1.0")
			return nil
		case "blockdev":
			if name := regexp.MustCompile(`"filename":"([^"]*)"`).FindStringSubmatch(value); name != nil {
				if _, err := os.Stat(name[1]); err != nil {
					return err
				}
			}
			err = conn.Execute(context.Background(), "blockdev-add", jsontext.Value(value), nil)
		case "netdev":
			err = conn.Execute(context.Background(), "netdev_add", jsontext.Value(value), nil)
		case "device":
			err = plug(conn, jsontext.Value(value))
		case "chardev":
			fd := regexp.MustCompile(`fd=(\d+)`).FindStringSubmatch(value)
			if fd == nil {
				return fmt.Errorf("-chardev %s: no fd", value)
			}
			n, _ := strconv.Atoi(fd[1])
			monitors = append(monitors, n)
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", arg, value, err)
		}
	}
	if len(monitors) != 2 {
		return fmt.Errorf("%d monitors, not a listening and a connected one: %q", len(monitors), args)
	}
	client, err := net.FileConn(os.NewFile(uintptr(monitors[1]), "monitor"))
	if err != nil {
		return err
	}
	monitor := srv.Pipe()
	go func() { _, _ = io.Copy(monitor, client) }()
	if _, err = io.Copy(client, monitor); errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) {
		err = nil
	}
	return err // quit was executed
}

// plug plugs in a device that the machine does not have from the start.
func plug(conn *qmp.Conn, device jsontext.Value) error {
	var args qapi.DeviceAddArgs
	if err := json.Unmarshal(device, &args); err != nil {
		return err
	}
	if args.Driver == "pcie-root-port" {
		return nil
	}
	return conn.Execute(context.Background(), "device_add", device, nil)
}

package cmdline_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/cmdline"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qmp"
)

// tempDir is a folder whose path is short enough for sockets in it.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cmdline")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// launch starts a QEMU that is paused, with a monitor and with args.
func launch(t *testing.T, q qemutest.QEMU, dir string, args []cmdline.Arg, files ...*os.File) *qapi.Client {
	t.Helper()
	return start(t, q.Path, dir, append([]cmdline.Arg{
		cmdline.Display(qapi.DisplayOptions{Type: qapi.DisplayOptionsNone{}}),
		cmdline.Text("-S", "-nodefaults"),
	}, args...), files...)
}

// start starts a program with a monitor on a character device, a socket that it
// inherits; further files follow it.
func start(t *testing.T, program, dir string, args []cmdline.Arg, files ...*os.File) *qapi.Client {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(dir, "inherited"))
	require.NoError(t, err)
	defer l.Close()
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	socket, err := l.(*net.UnixListener).File()
	require.NoError(t, err)
	defer socket.Close()

	cmd, err := cmdline.Command(t.Context(), program, append([]cmdline.Arg{
		cmdline.Chardev("qmp", qapi.ChardevBackend{Type: qapi.ChardevBackendSocket{
			Addr:   qapi.SocketAddressLegacy{Type: qapi.SocketAddressLegacyFD{Str: "3"}},
			Server: new(true), Wait: new(false),
		}}),
		cmdline.Monitor(qapi.MonitorOptions{Chardev: "qmp", Mode: new(qapi.MonitorModeControl)}),
	}, args...)...)
	require.NoError(t, err)

	var stderr strings.Builder
	cmd.ExtraFiles = append([]*os.File{socket}, files...)
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	ctx, ended := context.WithCancel(t.Context()) // until the process has ended: then nothing answers
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait() // usually: killed
		ended()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		if t.Failed() {
			t.Logf("%s\nended with %v and said %s", strings.Join(cmd.Args, "\n"), cmd.ProcessState, &stderr)
		}
	})
	c, err := qapi.Dial(ctx, qmp.UnixAddr(l.Addr().String()))
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })

	version, err := cmdline.Version(t.Context(), program)
	require.NoError(t, err)
	got, err := c.QueryVersion(t.Context())
	require.NoError(t, err)
	is := qmp.Version{Major: int(got.QEMU.Major), Minor: int(got.QEMU.Minor), Micro: int(got.QEMU.Micro), Package: got.Package}
	assert.Equal(t, is, version)
	return c
}

// get reads a property of a device by its name.
func get[T any](t *testing.T, c *qapi.Client, id, property string) T {
	t.Helper()
	text, err := c.QOMGet(t.Context(), qapi.QOMGetArgs{Path: "/machine/peripheral/" + id, Property: property})
	require.NoError(t, err)
	var value T
	require.NoError(t, json.Unmarshal(text, &value), "%s.%s: %s", id, property, text)
	return value
}

func image(t *testing.T, q qemutest.QEMU, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "a, b=c\n.qcow2")
	out, err := exec.Command(q.Tool(t, "qemu-img"), "create", "-q", "-f", "qcow2", path, "16M").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// machine returns the arguments for the same machine on all releases.
func machine(path, dir string) []cmdline.Arg {
	memoryOf := func(id string, size uint64) cmdline.Arg {
		return cmdline.Object(qapi.ObjectOptions{ID: id, QOMType: qapi.ObjectOptionsMemoryBackendRAM{Size: size << 20, Prealloc: new(false)}})
	}
	node := func(n uint16, memory string, cpus ...uint16) cmdline.Arg {
		return cmdline.NUMA(qapi.NUMAOptions{Type: qapi.NUMAOptionsNode{Nodeid: new(n), CPUs: cpus, Memdev: new(memory)}})
	}
	return []cmdline.Arg{
		cmdline.Machine("q35", map[string]any{"hpet": false}),
		cmdline.Accel("tcg", map[string]any{"thread": "single", "tb-size": 64}),
		cmdline.CPU("qemu64", map[string]any{"model-id": "a=b c", "level": 13, "avx": false}),
		cmdline.SMP(qapi.SMPConfiguration{CPUs: new(int64(2)), Sockets: new(int64(4)), Cores: new(int64(1)), Threads: new(int64(1)), Maxcpus: new(int64(4))}),
		cmdline.Memory(qapi.MemorySizeConfiguration{Size: new(uint64(256 << 20)), Slots: new(uint64(2)), MaxSize: gib(1)}),
		memoryOf("m0", 96), memoryOf("m1", 160), memoryOf("m2", 128),
		node(0, "m0", 0, 3), node(1, "m1", 1, 2),
		cmdline.NUMA(qapi.NUMAOptions{Type: qapi.NUMAOptionsDist{Src: 0, Dst: 1, Val: 21}}),

		cmdline.Object(qapi.ObjectOptions{ID: "io0", QOMType: qapi.ObjectOptionsIothread{}}),
		cmdline.Object(qapi.ObjectOptions{ID: "rng0", QOMType: qapi.ObjectOptionsRngBuiltin{}}),
		cmdline.Blockdev(qapi.BlockdevOptions{
			NodeName: new("disk0"),
			Driver: qapi.BlockdevOptionsQcow2{
				File: qapi.BlockdevOptions{NodeName: new("file0"), Driver: qapi.BlockdevOptionsFile{Filename: path}},
			},
		}),
		cmdline.Blockdev(qapi.BlockdevOptions{NodeName: new("disk1"), Driver: qapi.BlockdevOptionsNullCo{Size: new(int64(1 << 20))}}),
		cmdline.Blockdev(qapi.BlockdevOptions{NodeName: new("disk2"), Driver: qapi.BlockdevOptionsNullCo{Size: new(int64(1 << 20))}}),
		cmdline.Netdev(qapi.Netdev{ID: "net0", Type: qapi.NetdevUser{
			Hostname:  new("a,b"),
			Restrict:  new(true),
			Dnssearch: []qapi.String{{Str: "x.example"}, {Str: "y.example"}},
			Hostfwd:   []qapi.String{{Str: "tcp:127.0.0.1:0-:22"}, {Str: "tcp:127.0.0.1:0-:80"}},
		}}),
		cmdline.Chardev("ring0", qapi.ChardevBackend{Type: qapi.ChardevBackendRingbuf{Size: new(int64(4096))}}),
		cmdline.Chardev("sock0", qapi.ChardevBackend{Type: qapi.ChardevBackendSocket{
			Addr:   qapi.SocketAddressLegacy{Type: qapi.SocketAddressLegacyUnix{Path: dir + "/a,b"}},
			Server: new(true), Wait: new(false),
		}}),
		cmdline.Audiodev(qapi.Audiodev{ID: "snd0", Driver: qapi.AudiodevNone{Out: &qapi.AudiodevPerDirectionOptions{Frequency: new(uint32(48000))}}}),
		cmdline.QMP(qmp.UnixAddr(dir+"/q,mp") + ",server=on,wait=off"),
	}
}

// A fitted device is in the machine from the start, and can be compared with what is read
// back.
type fitted struct {
	id    string
	arg   cmdline.Arg
	check func(t *testing.T, c *qapi.Client)
}

func fit[D qapi.Device](id string, dev D) fitted {
	return fitted{id, cmdline.Device(dev), func(t *testing.T, c *qapi.Client) {
		got, err := device.Read[D](t.Context(), c, id)
		require.NoError(t, err, id)
		want, is := reflect.ValueOf(dev), reflect.ValueOf(got)
		for i := range want.NumField() {
			if f := want.Field(i); !f.IsZero() && want.Type().Field(i).Name != "Features" {
				assert.Equal(t, f.Interface(), is.Field(i).Interface(), "%s.%s", id, want.Type().Field(i).Name)
			}
		}
	}}
}

// devices are those of the machine; each comes after what it is plugged into.
var devices = []fitted{
	fit("rp0", device.PCIERootPort{ID: "rp0", Bus: "pcie.0", Chassis: new(uint8(1)), Addr: device.SlotFunction(29, 1)}),
	fit("vd0", device.VirtioBlkPCI{
		ID: "vd0", Bus: "rp0", Drive: "disk0", Iothread: "io0", Serial: "a,b=c", Bootindex: new(int32(0)),
		LogicalBlockSize: new(uint64(4096)), PhysicalBlockSize: new(uint64(4096)), WriteCache: qapi.OnOffAutoOff, ConfigWCE: new(false),
	}),
	fit("nic0", device.VirtioNetPCI{ID: "nic0", Netdev: "net0", MAC: "52:54:00:12:34:56", Addr: device.Slot(28), Romfile: new(""), HostMTU: new(uint16(1400))}),
	fit("nic1", device.E1000{ID: "nic1", MAC: "52:54:00:12:34:57", Rombar: new(int32(0))}),
	fit("scsi0", device.VirtioSCSIPCI{ID: "scsi0"}),
	fit("hd0", device.SCSIHD{ID: "hd0", Bus: "scsi0.0", Drive: "disk1", WWN: new(uint64(0x8000_0000_0000_0001)), LUN: new(uint32(3))}),
	fit("ports0", device.VirtioSerialPCI{ID: "ports0"}),
	fit("port0", device.Virtserialport{ID: "port0", Bus: "ports0.0", Chardev: "sock0", Name: "org.x,y"}),
	fit("usb0", device.QEMUXHCI{ID: "usb0"}),
	fit("tablet0", device.USBTablet{ID: "tablet0", Bus: "usb0.0", Port: "2"}),
	fit("nvme0", device.Nvme{ID: "nvme0", Drive: "disk2", Serial: "nvme, 1"}),
	fit("rngdev0", device.VirtioRngPCI{ID: "rngdev0", Rng: "rng0", MaxBytes: new(uint64(1024)), Period: new(uint32(1000))}),
	fit("dimm0", device.PcDimm{ID: "dimm0", Memdev: "m2", Node: new(uint32(1))}),
	fit("cpu2", device.X86CPU{ID: "cpu2", Model: "qemu64", SocketID: new(int32(2)), CoreID: new(int32(0)), ThreadID: new(int32(0)), Features: map[string]bool{"avx": false}}),
}

// The same machine is started on all releases, and has what its arguments say.
func TestQEMUMachine(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		dir := tempDir(t)
		path := image(t, q, dir)
		args := machine(path, dir)
		for _, dev := range devices {
			args = append(args, dev.arg)
		}
		c := launch(t, q, dir, args)
		ctx := t.Context()

		status, err := c.QueryStatus(ctx)
		require.NoError(t, err)
		assert.False(t, status.Running)
		checkBackends(t, c, path, dir)
		checkProcessors(t, c)
		for _, dev := range devices {
			dev.check(t, c)
		}
		checkUnplug(t, c)

		second, err := qapi.Dial(ctx, qmp.UnixAddr(dir+"/q,mp"))
		require.NoError(t, err)
		second.Close()
	})
}

func checkBackends(t *testing.T, c *qapi.Client, path, dir string) {
	t.Helper()
	ctx := t.Context()
	nodes, err := c.QueryNamedBlockNodes(ctx)
	require.NoError(t, err)
	files := map[string]string{}
	for _, n := range nodes {
		files[n.NodeName] = n.Drv + " " + n.Image.Filename
	}
	const null = `null-co json:{"driver": "null-co", "size": 1048576}`
	assert.Equal(t, map[string]string{"disk0": "qcow2 " + path, "file0": "file " + path, "disk1": null, "disk2": null}, files)

	chardevs, err := c.QueryChardev(ctx)
	require.NoError(t, err)
	names := map[string]string{}
	for _, dev := range chardevs {
		names[dev.Label] = dev.Filename
	}
	assert.Equal(t, "ringbuf", names["ring0"])
	assert.Contains(t, names["sock0"], "unix:"+dir+"/a,b,server")

	network, err := c.HumanMonitorCommand(ctx, qapi.HumanMonitorCommandArgs{CommandLine: "info network"})
	require.NoError(t, err)
	assert.Contains(t, network, "net0: index=0,type=user,net=10.0.2.0,restrict=on")
	ports, err := c.HumanMonitorCommand(ctx, qapi.HumanMonitorCommandArgs{CommandLine: "info usernet"})
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(ports, "HOST_FORWARD"))

	display, err := c.QueryDisplayOptions(ctx)
	require.NoError(t, err)
	assert.Equal(t, qapi.DisplayOptionsNone{}, display.Type)
	if caps, err := qapi.Introspect(ctx, c); assert.NoError(t, err) && caps.Supports("query-audiodevs") {
		audio, err := c.QueryAudiodevs(ctx)
		require.NoError(t, err)
		require.Len(t, audio, 1)
		assert.Equal(t, uint32(48000), *audio[0].Driver.(qapi.AudiodevNone).Out.Frequency)
	}
}

func checkProcessors(t *testing.T, c *qapi.Client) {
	t.Helper()
	ctx := t.Context()
	memory, err := c.QueryMemorySizeSummary(ctx)
	require.NoError(t, err)
	assert.Equal(t, uint64(256<<20), memory.BaseMemory)
	assert.Equal(t, uint64(128<<20), *memory.PluggedMemory)
	backends, err := c.QueryMemdev(ctx)
	require.NoError(t, err)
	assert.Len(t, backends, 3)

	cpus, err := c.QueryHotpluggableCPUs(ctx)
	require.NoError(t, err)
	nodes := map[int64]int64{}
	present := map[int64]bool{}
	for _, cpu := range cpus {
		nodes[*cpu.Props.SocketID] = *cpu.Props.NodeID
		present[*cpu.Props.SocketID] = cpu.QOMPath != nil
	}
	assert.Equal(t, map[int64]int64{0: 0, 3: 0, 1: 1, 2: 1}, nodes)
	assert.Equal(t, map[int64]bool{0: true, 1: true, 2: true, 3: false}, present)

	assert.Equal(t, "a=b c", get[string](t, c, "cpu2", "model-id"))
	assert.Equal(t, 13, get[int](t, c, "cpu2", "level"))
	assert.False(t, get[bool](t, c, "cpu2", "avx"))
	hpet, err := c.QOMGet(ctx, qapi.QOMGetArgs{Path: "/machine", Property: "hpet"})
	require.NoError(t, err)
	assert.Equal(t, "false", string(hpet))
}

// checkUnplug unplugs a disk, and checks that nothing is left of it.
func checkUnplug(t *testing.T, c *qapi.Client) {
	t.Helper()
	deleted := qapi.Subscribe[qapi.DeviceDeletedEvent](c)
	defer deleted.Close()
	require.NoError(t, c.DeviceDel(t.Context(), qapi.DeviceDelArgs{ID: "hd0"}))
	_, err := deleted.Find(t.Context(), func(e qapi.DeviceDeletedEvent) bool { return e.Device != nil && *e.Device == "hd0" })
	require.NoError(t, err)
	require.NoError(t, c.BlockdevDel(t.Context(), qapi.BlockdevDelArgs{NodeName: "disk1"}))
}

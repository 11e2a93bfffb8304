package hotplug_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qapi/hotplug"
	"github.com/goqapi/goqapi/qmp"
)

// A real machine that can be killed, and whose monitor can be dialled again.
type real struct {
	q    qemutest.QEMU
	cmd  *exec.Cmd
	addr string
	kill func()
}

// launch starts a machine, and passes it files, as file descriptors 4 and following.
func launch(t *testing.T, q qemutest.QEMU, files []*os.File, args ...string) *real {
	t.Helper()
	dir, err := os.MkdirTemp("", "hotplug")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "qmp"))
	require.NoError(t, err)
	defer l.Close()
	socket, err := l.(*net.UnixListener).File()
	require.NoError(t, err)
	defer socket.Close()
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	cmd := exec.Command(q.Path, append([]string{
		"-nodefaults", "-display", "none", "-accel", "tcg",
		"-chardev", "socket,id=q,fd=3,server=on,wait=off", "-mon", "chardev=q,mode=control",
	}, args...)...)
	var stderr strings.Builder
	cmd.ExtraFiles, cmd.Stderr = append([]*os.File{socket}, files...), &stderr
	require.NoError(t, cmd.Start())
	var ended sync.WaitGroup
	ended.Go(func() { _ = cmd.Wait() }) // usually: killed
	r := &real{q: q, cmd: cmd, addr: filepath.Join(dir, "qmp")}
	r.kill = func() {
		_ = cmd.Process.Kill() // it may have ended
		ended.Wait()
	}
	t.Cleanup(func() {
		r.kill()
		if t.Failed() {
			t.Logf("QEMU %s says: %s", q.Release, &stderr)
		}
	})
	return r
}

// pc has a SCSI controller, whose disks no guest has to release, and room for more.
func pc(t *testing.T, q qemutest.QEMU) *real {
	t.Helper()
	return launch(t, q, nil, "-S", "-machine", "pc", "-m", "64,slots=2,maxmem=2G", "-smp", "1,maxcpus=3",
		"-device", "virtio-scsi-pci,id=scsi0")
}

// q35 has two root ports.
func q35(t *testing.T, q qemutest.QEMU) *real {
	t.Helper()
	return launch(t, q, nil, "-S", "-machine", "q35", "-m", "64,slots=2,maxmem=2G", "-smp", "1,maxcpus=3",
		"-device", "pcie-root-port,id=rp0,chassis=1", "-device", "pcie-root-port,id=rp1,chassis=2")
}

// client returns a client that reconnects; wrap may be nil.
func (r *real) client(t *testing.T, wrap func(net.Conn) io.ReadWriteCloser) *qapi.Client {
	t.Helper()
	conn, err := qmp.DialFunc(t.Context(), func(context.Context) (io.ReadWriteCloser, error) {
		c, err := net.Dial("unix", r.addr)
		if err != nil || wrap == nil {
			return c, err
		}
		return wrap(c), nil
	}, qmp.WithReconnect(qmp.Reconnect{MinDelay: time.Millisecond, RetryFirst: true}),
		qmp.WithHandshakeTimeout(2*time.Second)) // see RetryFirst about QEMU 5.2
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return qapi.NewClient(conn)
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func realSCSI(id, node string) device.SCSIHD { return device.SCSIHD{ID: id, Drive: node} }

// TestQEMUUnplug unplugs disks and immediately removes their nodes: none is in use.
func TestQEMUUnplug(t *testing.T) {
	times := 20
	if os.Getenv("QAPI_LONG") != "" {
		times = 300
	}
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		c := pc(t, q).client(t, nil)
		for i := range times {
			require.NoError(t, hotplug.AddDisk(t.Context(), c, realSCSI("sd", "n"), nullDisk("n")))
			require.NoError(t, hotplug.Unplug(t.Context(), c, "sd"))
			require.NoError(t, c.BlockdevDel(t.Context(), qapi.BlockdevDelArgs{NodeName: "n"}), "pair %d", i)
		}
		require.NoError(t, hotplug.Unplug(t.Context(), c, "sd"), "once more")
	})
}

func TestQEMURollsBack(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		c := q35(t, q).client(t, nil)
		err := hotplug.AddDisk(t.Context(), c, device.VirtioBlkPCI{ID: "vd", Drive: "none"}, nullDisk("n"), rawOverN("top"))
		assert.ErrorContains(t, err, "can't find value 'none'")
		err = hotplug.AddDisk(t.Context(), c, device.VirtioBlkPCI{ID: "vd", Drive: "n", Bus: "pcie.0"}, nullDisk("n"))
		assert.ErrorContains(t, err, "does not support hotplugging")
		assert.Empty(t, nodes(t, c))
		err = hotplug.AddNIC(t.Context(), c, device.VirtioNetPCI{ID: "nic", Netdev: "none"}, hub("hub"))
		assert.ErrorContains(t, err, "can't find value 'none'")
		require.NoError(t, c.NetdevAdd(t.Context(), hub("hub")), "there is none")
		err = hotplug.AddNIC(t.Context(), c, device.VirtioNetPCI{ID: "nic", Netdev: "hub"}, hub("hub"))
		assert.ErrorContains(t, err, `netdev "hub": it exists already`)
		err = hotplug.AddMemory(t.Context(), c, device.PcDimm{ID: "dimm", Memdev: "none"}, ram("m", 128<<20))
		assert.ErrorContains(t, err, "not found")
		assert.Empty(t, objects(t, c))
		assert.Empty(t, devices(t, c))
	})
}

// TestQEMUNoGuest unplugs without a guest that could release anything: there is a limit, and
// the error says what was left. A reset helps, except on QEMU 5.2.
func TestQEMUNoGuest(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		c := q35(t, q).client(t, nil)
		require.NoError(t, hotplug.AddDisk(t.Context(), c, device.VirtioBlkPCI{ID: "vd", Drive: "n"}, nullDisk("n")))
		start := time.Now()
		err := hotplug.RemoveDisk(within(t, time.Second), c, "vd", "n")
		assert.Less(t, time.Since(start), hotplug.DefaultLimit)
		require.ErrorIs(t, err, hotplug.ErrNotReleased)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, `hotplug: unplugging "vd": the guest has not released it within `)
		assert.ErrorContains(t, err, `block node "n" stays, too`)
		assert.Equal(t, []string{"n"}, nodes(t, c))
		err = hotplug.Unplug(within(t, time.Second/2), c, "vd")
		require.ErrorIs(t, err, hotplug.ErrNotReleased, "the server refuses to ask again, which is no failure")
		if q.Release == "5.2" {
			return
		}
		time.AfterFunc(time.Second, func() { _ = c.SystemReset(t.Context()); _ = c.Cont(t.Context()) })
		require.NoError(t, hotplug.RemoveDisk(within(t, 20*time.Second), c, "vd", "n"))
		assert.Empty(t, nodes(t, c))
	})
}

func TestQEMUPorts(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		c := q35(t, q).client(t, nil)
		bus, err := hotplug.FreePort(t.Context(), c)
		require.NoError(t, err)
		assert.Equal(t, "rp0", bus)
		done := make(chan error)
		for _, id := range []string{"a", "b"} {
			go func() { done <- hotplug.Plug(t.Context(), c, device.VirtioRngPCI{ID: id}) }()
		}
		require.NoError(t, <-done)
		require.NoError(t, <-done)
		var used []string
		for _, id := range []string{"a", "b"} {
			text, err := c.QOMGet(t.Context(), qapi.QOMGetArgs{Path: peripheral + id, Property: "parent_bus"})
			require.NoError(t, err)
			used = append(used, string(text))
		}
		assert.ElementsMatch(t, []string{`"/machine/peripheral/rp0/rp0"`, `"/machine/peripheral/rp1/rp1"`}, used)
		require.ErrorIs(t, hotplug.Plug(t.Context(), c, device.VirtioRngPCI{ID: "c"}), hotplug.ErrNoPort)
		_, err = hotplug.FreePort(t.Context(), c)
		require.ErrorIs(t, err, hotplug.ErrNoPort)

		c = pc(t, q).client(t, nil)
		for i := range 29 {
			bus, err = hotplug.FreePort(t.Context(), c)
			require.NoError(t, err)
			assert.Equal(t, "pci.0", bus)
			require.NoError(t, hotplug.Plug(t.Context(), c, device.VirtioRngPCI{ID: fmt.Sprint("r", i), Bus: bus}))
		}
		_, err = hotplug.FreePort(t.Context(), c)
		require.ErrorIs(t, err, hotplug.ErrNoPort)
	})
}

const peripheral = "/machine/peripheral/"

// TestQEMUSetCPUs plugs processors in. Without a guest they cannot be unplugged; QEMU 7.2 is not asked to.
func TestQEMUSetCPUs(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		c := q35(t, q).client(t, nil)
		require.NoError(t, hotplug.SetCPUs(t.Context(), c, 3))
		assert.Equal(t, 3, cpus(t, c))
		require.NoError(t, hotplug.SetCPUs(t.Context(), c, 3))
		assert.ErrorContains(t, hotplug.SetCPUs(t.Context(), c, 4), "there is no place for 1 of them")
		err := hotplug.SetCPUs(within(t, time.Second), c, 1)
		require.ErrorContains(t, err, "; 0 of 2 are gone")
		_, refused := errors.AsType[*qmp.Error](err)
		switch q.Release {
		case "5.2":
			assert.True(t, refused, "%v", err)
		case "7.2":
			assert.ErrorIs(t, err, hotplug.ErrUnsafe)
		default: // the firmware has not said that it can
			assert.True(t, refused || errors.Is(err, hotplug.ErrNotReleased), "%v", err)
		}
		assert.Equal(t, 3, cpus(t, c))
		require.NoError(t, hotplug.Plug(t.Context(), c, device.VirtioRngPCI{ID: "rng"}), "QEMU is there")
	})
}

func TestQEMUMemory(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		c := q35(t, q).client(t, nil)
		require.NoError(t, hotplug.AddMemory(t.Context(), c, device.PcDimm{ID: "dimm", Memdev: "m"}, ram("m", 128<<20)))
		err := hotplug.RemoveMemory(within(t, time.Second), c, "dimm", "m")
		require.ErrorIs(t, err, hotplug.ErrNotReleased)
		assert.ErrorContains(t, err, `memory backend "m" stays, too`)

		dev := device.VirtioMemPCI{ID: "vm", Memdev: "m2", RequestedSize: new(uint64(0))}
		require.NoError(t, hotplug.AddMemory(t.Context(), c, dev, ram("m2", 256<<20)))
		err = hotplug.ResizeMemory(within(t, time.Second), c, "vm", 64<<20)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.NotContains(t, err.Error(), "left behind")
		all, err := c.QueryMemoryDevices(t.Context())
		require.NoError(t, err)
		assert.Zero(t, all[1].Type.(qapi.MemoryDeviceInfoVirtioMem).RequestedSize, "no more is asked for")
		err = hotplug.RemoveMemory(within(t, time.Second), c, "vm", "m2")
		if q.Release == "5.2" || q.Release == "7.2" {
			assert.ErrorContains(t, err, "cannot be unplugged")
		} else {
			assert.ErrorIs(t, err, hotplug.ErrNotReleased)
		}
	})
}

func TestQEMUBalloon(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		c := pc(t, q).client(t, nil)
		_, err := hotplug.Balloon(t.Context(), c, 32<<20)
		assert.True(t, qapi.IsNotFound(err), "%v", err)
		require.NoError(t, hotplug.Plug(t.Context(), c, device.VirtioBalloonPCI{ID: "b"}))
		got, err := hotplug.Balloon(within(t, time.Second), c, 32<<20)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.EqualValues(t, 64<<20, got)
		got, err = hotplug.Balloon(t.Context(), c, 1<<40)
		require.NoError(t, err)
		assert.EqualValues(t, 64<<20, got)
	})
}

// A cutter cuts a connection at one of the requests: before the request is sent, or when its reply
// comes.
type cutter struct {
	mu       sync.Mutex
	requests int
	at       int
	after    bool
	cut      func() // called at the same time, unless nil
}

type cutConn struct {
	net.Conn
	cutter *cutter
	armed  bool // what is read next is lost
}

func (s *cutter) wrap(c net.Conn) io.ReadWriteCloser { return &cutConn{Conn: c, cutter: s} }

// stop stops cutting, and returns how many requests there were.
func (s *cutter) stop() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = 0
	return s.requests
}

func (s *cutConn) Write(p []byte) (int, error) {
	s.cutter.mu.Lock()
	defer s.cutter.mu.Unlock()
	if strings.Contains(string(p), "qmp_capabilities") {
		return s.Conn.Write(p)
	}
	s.cutter.requests++
	if s.cutter.requests == s.cutter.at {
		if s.cutter.cut != nil {
			s.cutter.cut()
		}
		if !s.cutter.after {
			s.Conn.Close()
			return 0, net.ErrClosed
		}
		s.armed = true
	}
	return s.Conn.Write(p)
}

func (s *cutConn) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	s.cutter.mu.Lock()
	defer s.cutter.mu.Unlock()
	if s.armed {
		s.Conn.Close()
		return 0, io.EOF
	}
	return n, err
}

// guestlessOperations are the operations that need no guest.
var guestlessOperations = []struct {
	name          string
	prepare, do   func(ctx context.Context, c *qapi.Client) error
	nodes, device string // of which there is one then
}{
	{"AddDisk", nil, addSCSI, "n", "sd"},
	{"RemoveDisk", addSCSI, func(ctx context.Context, c *qapi.Client) error {
		return hotplug.RemoveDisk(ctx, c, "sd", "n")
	}, "", ""},
	{"AddNIC", nil, func(ctx context.Context, c *qapi.Client) error {
		return hotplug.AddNIC(ctx, c, device.E1000{ID: "nic", Netdev: "hub"}, hub("hub"))
	}, "", "nic"},
	{"AddMemory", nil, addDIMM, "", "dimm"},
	{"SetCPUs", nil, setCPUs(2), "", "cpu"},
}

func addSCSI(ctx context.Context, c *qapi.Client) error {
	return hotplug.AddDisk(ctx, c, realSCSI("sd", "n"), nullDisk("n"))
}

// TestQEMUCutInEachStep cuts a connection that is made again: everything is done, and only once.
func TestQEMUCutInEachStep(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		for _, op := range guestlessOperations {
			for _, after := range []bool{false, true} {
				for at, done := 1, false; !done; at++ {
					r := pc(t, q)
					if op.prepare != nil {
						c := r.client(t, nil)
						require.NoError(t, op.prepare(t.Context(), c))
						c.Close()
					}
					s := &cutter{at: at, after: after}
					c := r.client(t, s.wrap)
					require.NoError(t, op.do(within(t, 10*time.Second), c), "%s, request %d, after: %v", op.name, at, after)
					done = s.stop() < at
					assert.Equal(t, op.nodes, strings.Join(nodes(t, c), " "))
					assert.True(t, strings.HasPrefix(strings.Join(devices(t, c), " "), op.device), "%v", devices(t, c))
					c.Close()
					r.kill()
				}
			}
		}
	})
}

// TestQEMUKilledInEachStep kills QEMU: the operation ends at its limit at the latest; if
// the connection is not made again, it ends at once.
func TestQEMUKilledInEachStep(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		for _, op := range guestlessOperations {
			for at, done := 1, false; !done; at++ {
				r := pc(t, q)
				if op.prepare != nil {
					c := r.client(t, nil)
					require.NoError(t, op.prepare(t.Context(), c))
					c.Close()
				}
				s := &cutter{at: at, after: true, cut: r.kill}
				conn, err := net.Dial("unix", r.addr)
				require.NoError(t, err)
				link, err := qmp.NewConn(t.Context(), s.wrap(conn))
				require.NoError(t, err)
				c := qapi.NewClient(link)
				start := time.Now()
				err = op.do(within(t, time.Minute), c)
				done = s.stop() < at
				if !done {
					require.ErrorIs(t, err, qmp.ErrClosed, "%s, request %d", op.name, at)
				}
				assert.Less(t, time.Since(start), 10*time.Second)
				c.Close()
				r.kill()
			}
		}
	})
}

// TestQEMUExample plugs in what the example plugs in; TestQEMUGuest unplugs the same.
func TestQEMUExample(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		r := launch(t, q, nil, "-S", "-machine", "q35", "-m", "64,slots=2,maxmem=2G", "-smp", "1,maxcpus=3",
			"-device", "pcie-root-port,id=rp0,chassis=1", "-device", "pcie-root-port,id=rp1,chassis=2", "-device", "pcie-root-port,id=rp2,chassis=3")
		c := r.client(t, nil)
		require.NoError(t, grow(t.Context(), c, io.Discard))
		assert.ElementsMatch(t, []string{"vd0", "nic0", "dimm0", "balloon0", "rp2"}, slices.DeleteFunc(devices(t, c), func(id string) bool {
			return strings.HasPrefix(id, "cpu-")
		}))
		assert.Equal(t, 3, cpus(t, c))
	})
}

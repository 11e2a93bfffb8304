package cmdline_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/cmdline"
	"github.com/goqapi/goqapi/qapi/device"
)

// A key comes through a pipe that QEMU inherits, and a secret that is encrypted with it
// is on the command line. QEMU ends if it cannot decrypt the secret.
func TestQEMUSecret(t *testing.T) {
	key, iv := bytes.Repeat([]byte("k"), 32), bytes.Repeat([]byte("i"), aes.BlockSize)
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	data := append([]byte("geheim"), bytes.Repeat([]byte{10}, 10)...) // padded to a block
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)

	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		defer r.Close()
		_, err = w.Write(key)
		require.NoError(t, err)
		w.Close()

		c := launch(t, q, tempDir(t), []cmdline.Arg{
			cmdline.Machine("none", nil),
			cmdline.Object(qapi.ObjectOptions{ID: "master", QOMType: qapi.ObjectOptionsSecret{File: new("/dev/fd/4")}}),
			cmdline.Object(qapi.ObjectOptions{ID: "s0", QOMType: qapi.ObjectOptionsSecret{
				Keyid:  new("master"),
				Iv:     new(base64.StdEncoding.EncodeToString(iv)),
				Data:   new(base64.StdEncoding.EncodeToString(data)),
				Format: new(qapi.QCryptoSecretFormatBase64),
			}}),
		}, r)
		objects, err := c.QOMList(t.Context(), qapi.QOMListArgs{Path: "/objects"})
		require.NoError(t, err)
		names := map[string]string{}
		for _, o := range objects {
			names[o.Name] = o.Type
		}
		assert.Equal(t, "child<secret>", names["s0"])
	})
}

// Strings arrive unchanged, even if they look like syntax of QEMU's options.
func TestQEMUHostileStrings(t *testing.T) {
	texts := []string{
		"", ",", ",,", ",,,", "a,,b", "=", "a=b,c=d", "\n", "a\r\nb", " ", "\t", `"`, `{"a":1}`, `'`, `\`, `\n`, `%s%d`, `\u0041`,
		"ü", "😀", "on", "help", "?", "\x1b[2J", "\u202e", "a.b.0=x", ",id=x", "/dev/fd/3",
	}
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		args := []cmdline.Arg{
			cmdline.Machine("q35", nil),
			cmdline.CPU("qemu64", map[string]any{"model-id": `a=b"'{ü`}),
			cmdline.Text("-name", "guest="+cmdline.Escape(strings.Join(texts, "")), "-device", "pcie-root-port,id="+cmdline.Escape("rp0")),
			cmdline.Device(device.VirtioSerialPCI{ID: "ports"}),
		}
		for i, text := range texts {
			dev := device.Virtserialport{ID: "p" + strconv.Itoa(i), Nr: new(uint32(i + 1)), Props: map[string]any{"name": text}}
			args = append(args, cmdline.Device(dev))
		}
		c := launch(t, q, tempDir(t), args)
		for i, text := range texts {
			assert.Equal(t, text, get[string](t, c, "p"+strconv.Itoa(i), "name"))
		}
		name, err := c.QueryName(t.Context())
		require.NoError(t, err)
		assert.Equal(t, strings.Join(texts, ""), *name.Name)
	})
}

// The facts about nodes of memory.
func TestQEMUNUMA(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		numa := func(fact qapi.NUMAOptionsVariant) cmdline.Arg { return cmdline.NUMA(qapi.NUMAOptions{Type: fact}) }
		c := launch(t, q, tempDir(t), []cmdline.Arg{
			cmdline.Machine("q35", map[string]any{"hmat": true}),
			cmdline.Memory(qapi.MemorySizeConfiguration{Size: new(uint64(64 << 20))}),
			cmdline.SMP(qapi.SMPConfiguration{CPUs: new(int64(2)), Sockets: new(int64(2)), Cores: new(int64(1)), Threads: new(int64(1))}),
			cmdline.Object(qapi.ObjectOptions{ID: "m0", QOMType: qapi.ObjectOptionsMemoryBackendRAM{Size: 64 << 20, HostNodes: []uint16{0}, Policy: new(qapi.HostMemPolicyPreferred)}}),
			numa(qapi.NUMAOptionsNode{Nodeid: new(uint16(0)), Memdev: new("m0")}),
			numa(qapi.NUMAOptionsNode{Nodeid: new(uint16(1)), Initiator: new(uint16(0))}),
			numa(qapi.NUMAOptionsCPU{NodeID: new(int64(0)), SocketID: new(int64(0))}),
			numa(qapi.NUMAOptionsCPU{NodeID: new(int64(0)), SocketID: new(int64(1))}),
			numa(qapi.NUMAOptionsDist{Src: 0, Dst: 1, Val: 30}),
			numa(qapi.NUMAOptionsHmatLb{Initiator: 0, Target: 0, Hierarchy: qapi.HmatLBMemoryHierarchyMemory, DataType: qapi.HmatLBDataTypeAccessLatency, Latency: new(uint64(5))}),
			numa(qapi.NUMAOptionsHmatLb{Initiator: 0, Target: 0, Hierarchy: qapi.HmatLBMemoryHierarchyMemory, DataType: qapi.HmatLBDataTypeAccessBandwidth, Bandwidth: new(uint64(200 << 20))}),
			numa(qapi.NUMAOptionsHmatCache{NodeID: 0, Size: 10240, Level: 1, Associativity: qapi.HmatCacheAssociativityDirect, Policy: qapi.HmatCacheWritePolicyWriteBack, Line: 8}),
		})
		memory, err := c.QueryMemdev(t.Context())
		require.NoError(t, err)
		require.Len(t, memory, 1)
		assert.Equal(t, []uint16{0}, memory[0].HostNodes)
		cpus, err := c.QueryHotpluggableCPUs(t.Context())
		require.NoError(t, err)
		for _, cpu := range cpus {
			assert.Equal(t, int64(0), *cpu.Props.NodeID)
		}
	})
}

// query-chardev shows what -chardev was given.
func TestQEMUChardevs(t *testing.T) {
	inet := func(host string, port int) qapi.SocketAddressLegacy {
		return qapi.SocketAddressLegacy{Type: qapi.SocketAddressLegacyInet{Host: host, Port: strconv.Itoa(port), IPv4: new(true)}}
	}
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		dir := tempDir(t)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		port := l.Addr().(*net.TCPAddr).Port
		backends := map[string]struct {
			backend qapi.ChardevBackendVariant
			want    string
		}{
			"null":  {qapi.ChardevBackendNull{Logfile: new(dir + "/log,1"), Logappend: new(true)}, "null"},
			"file":  {qapi.ChardevBackendFile{Out: dir + "/out,1", Append: new(true)}, "file"},
			"mux":   {qapi.ChardevBackendMux{Chardev: "null"}, "mux"},
			"vc":    {qapi.ChardevBackendVc{Cols: new(int64(80)), Rows: new(int64(25))}, "vc"},
			"tty":   {qapi.ChardevBackendSerial{Device: "/dev/null"}, "serial"},
			"mouse": {qapi.ChardevBackendMsmouse{}, "msmouse"},
			"udp":   {qapi.ChardevBackendUDP{Remote: inet("127.0.0.1", 9), Local: &qapi.SocketAddressLegacy{Type: qapi.SocketAddressLegacyInet{Host: "127.0.0.1", Port: "0"}}}, "udp"},
			"abstract": {qapi.ChardevBackendSocket{
				Addr:   qapi.SocketAddressLegacy{Type: qapi.SocketAddressLegacyUnix{Path: dir, Abstract: new(true), Tight: new(true)}},
				Server: new(true), Wait: new(false),
			}, "disconnected:unix:" + dir},
			"client": {qapi.ChardevBackendSocket{Addr: inet("127.0.0.1", port), Server: new(false), Nodelay: new(true)}, "<-> 127.0.0.1:" + strconv.Itoa(port)},
		}
		args := []cmdline.Arg{cmdline.Machine("none", nil)}
		for _, id := range []string{"null", "file", "mux", "vc", "tty", "mouse", "udp", "abstract", "client"} {
			args = append(args, cmdline.Chardev(id, qapi.ChardevBackend{Type: backends[id].backend}))
		}
		c := launch(t, q, dir, args)
		list, err := c.QueryChardev(t.Context())
		require.NoError(t, err)
		got := map[string]string{}
		for _, dev := range list {
			got[dev.Label] = dev.Filename
		}
		for id, b := range backends {
			assert.Contains(t, got[id], b.want, id)
		}
		assert.FileExists(t, dir+"/log,1")
		assert.FileExists(t, dir+"/out,1")
	})
}

// Options that only some releases have work on those releases.
func TestQEMUSomeReleases(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		dir := tempDir(t)
		v, err := cmdline.Version(t.Context(), q.Path)
		require.NoError(t, err)
		null := qapi.ChardevBackend{Type: qapi.ChardevBackendNull{}}
		args := []cmdline.Arg{
			cmdline.Chardev("people", null),
			cmdline.Monitor(qapi.MonitorOptions{Chardev: "people", ID: new("mon0")}),
			cmdline.Text("-name", "guest="+cmdline.Escape("a,b")),
		}
		if v.AtLeast(7, 2) { // of these releases there is a QEMU here
			args = append(args, cmdline.Netdev(qapi.Netdev{ID: "stream0", Type: qapi.NetdevStream{
				Server: new(true), Addr: qapi.SocketAddress{Type: qapi.SocketAddressUnix{Path: dir + "/a,b"}},
			}}), cmdline.Compat(qapi.CompatPolicy{DeprecatedInput: new(qapi.CompatPolicyInputReject)}),
				cmdline.Machine("q35", map[string]any{"smp": qapi.SMPConfiguration{CPUs: new(int64(2))}, "cxl": true, "cxl-fmw": []any{
					map[string]any{"targets": []string{"cxl.1"}, "size": 1 << 30},
				}}),
				cmdline.Device(qapi.DeviceAddArgs{Driver: "pxb-cxl", ID: new("cxl.1"), Bus: new("pcie.0"), Props: map[string]any{"bus_nr": 12}}))
		}
		if v.AtLeast(10, 0) {
			link := filepath.Join(dir, "pty")
			args = append(args,
				cmdline.Chardev("pty", qapi.ChardevBackend{Type: qapi.ChardevBackendPty{Path: new(link)}}),
				cmdline.Chardev("out", null), cmdline.Chardev("hub", qapi.ChardevBackend{Type: qapi.ChardevBackendHub{Chardevs: []string{"out"}}}),
				cmdline.Chardev("file", qapi.ChardevBackend{Type: qapi.ChardevBackendFile{In: new(os.DevNull), Out: dir + "/out"}}))
			defer func() { _, err := os.Readlink(link); assert.NoError(t, err) }()
		}
		c := launch(t, q, dir, args)
		name, err := c.QueryName(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "a,b", *name.Name)
		if v.AtLeast(7, 2) {
			cpus, err := c.QueryCPUsFast(t.Context())
			require.NoError(t, err)
			assert.Len(t, cpus, 2)
		}
	})
}

func TestQEMUVersion(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		v, err := cmdline.Version(t.Context(), q.Path)
		require.NoError(t, err)
		for _, program := range []string{"qemu-storage-daemon", "qemu-img"} {
			other, err := cmdline.Version(t.Context(), q.Tool(t, program))
			require.NoError(t, err)
			assert.Equal(t, v, other)
		}
	})
}

func TestQEMUStorageDaemon(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		dir := tempDir(t)
		c := start(t, q.Tool(t, "qemu-storage-daemon"), dir, []cmdline.Arg{
			cmdline.Object(qapi.ObjectOptions{ID: "io0", QOMType: qapi.ObjectOptionsIothread{}}),
			cmdline.Blockdev(qapi.BlockdevOptions{NodeName: new("n0"), Driver: qapi.BlockdevOptionsNullCo{Size: new(int64(4096))}}),
			cmdline.NBDServer(qapi.NBDServerOptions{Addr: qapi.SocketAddress{Type: qapi.SocketAddressUnix{Path: dir + "/n,bd"}}}),
			cmdline.Export(qapi.BlockExportOptions{ID: "e0", NodeName: "n0", Type: qapi.BlockExportOptionsNBD{Name: new("x,y")}}),
		})
		exports, err := c.QueryBlockExports(t.Context())
		require.NoError(t, err)
		require.Len(t, exports, 1)
		assert.Equal(t, "n0", exports[0].NodeName)
		nbd, err := net.Dial("unix", dir+"/n,bd")
		require.NoError(t, err)
		nbd.Close()
	})
}

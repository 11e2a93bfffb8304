package cmdline_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/cmdline"
	"github.com/goqapi/goqapi/qmp"
)

var (
	v52  = qmp.Version{Major: 5, Minor: 2}
	v72  = qmp.Version{Major: 7, Minor: 2, Micro: 22}
	v111 = qmp.Version{Major: 11, Minor: 1, Micro: 3}
)

// gib is a size in GiB.
func gib(n uint64) *uint64 { return new(n << 30) }

type text struct {
	name string
	arg  cmdline.Arg
	want map[qmp.Version][]string
}

// all returns the same text for all releases.
func all(words ...string) map[qmp.Version][]string {
	return map[qmp.Version][]string{v52: words, v72: words, v111: words}
}

// since52 returns one text for QEMU 5.2 and another for newer releases.
func since52(option, old, newer string) map[qmp.Version][]string {
	return map[qmp.Version][]string{v52: {option, old}, v72: {option, newer}, v111: {option, newer}}
}

func TestArgs(t *testing.T) {
	for _, tt := range slices.Concat(objects, backends, machines) {
		t.Run(tt.name, func(t *testing.T) {
			for v, want := range tt.want {
				got, err := cmdline.Args(v, tt.arg)
				require.NoError(t, err, "%v", v)
				assert.Equal(t, want, got, "%v", v)
			}
		})
	}
}

var objects = []text{
	{
		"blockdev", cmdline.Blockdev(qapi.BlockdevOptions{
			NodeName: new("disk0"),
			Driver: qapi.BlockdevOptionsQcow2{
				File: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: "a,b\n.qcow2"}},
			},
		}),
		all("-blockdev", `{"driver":"qcow2","node-name":"disk0","file":{"driver":"file","filename":"a,b\n.qcow2"}}`),
	},
	{
		"memory backend", cmdline.Object(qapi.ObjectOptions{ID: "m0", QOMType: qapi.ObjectOptionsMemoryBackendRAM{
			Size: 1 << 30, HostNodes: []uint16{0, 3}, Share: new(true), Prealloc: new(false),
		}}),
		since52("-object", "memory-backend-ram,id=m0,host-nodes=0,host-nodes=3,prealloc=off,share=on,size=1073741824",
			`{"qom-type":"memory-backend-ram","id":"m0","host-nodes":[0,3],"prealloc":false,"share":true,"size":1073741824}`),
	},
	{
		"secret in a file", cmdline.Object(qapi.ObjectOptions{ID: "s0", QOMType: qapi.ObjectOptionsSecret{File: new("/a,b")}}),
		since52("-object", "secret,id=s0,file=/a,,b", `{"qom-type":"secret","id":"s0","file":"/a,b"}`),
	},
	{
		"encrypted secret", cmdline.Object(qapi.ObjectOptions{ID: "s0", QOMType: qapi.ObjectOptionsSecret{Data: new("AAAA"), Keyid: new("master"), Iv: new("BBBB")}}),
		since52("-object", "secret,id=s0,keyid=master,iv=BBBB,data=AAAA", `{"qom-type":"secret","id":"s0","keyid":"master","iv":"BBBB","data":"AAAA"}`),
	},
	{
		"netdev", cmdline.Netdev(qapi.Netdev{ID: "n0", Type: qapi.NetdevUser{
			Hostname:  new("a,b"),
			Restrict:  new(true),
			Hostfwd:   []qapi.String{{Str: "tcp::2222-:22"}, {Str: "tcp::8080-:80"}},
			Guestfwd:  []qapi.String{{Str: "tcp:10.0.2.100:1234-cmd:cat"}},
			Dnssearch: []qapi.String{},
		}}),
		since52("-netdev", "user,id=n0,hostname=a,,b,restrict=on,hostfwd=tcp::2222-:22,hostfwd=tcp::8080-:80,guestfwd=tcp:10.0.2.100:1234-cmd:cat",
			`{"id":"n0","type":"user","hostname":"a,b","restrict":true,"dnssearch":[],"hostfwd":[{"str":"tcp::2222-:22"},{"str":"tcp::8080-:80"}],"guestfwd":[{"str":"tcp:10.0.2.100:1234-cmd:cat"}]}`),
	},
	{
		"device", cmdline.Device(qapi.DeviceAddArgs{Driver: "virtio-blk-pci", ID: new("vd0"), Props: map[string]any{
			"drive": "disk0", "serial": "a,b=c", "bootindex": 1, "write-cache": "on", "ioeventfd": false, "logical_block_size": uint32(4096), "wwn": uint64(1<<64 - 1),
		}}),
		since52("-device", "virtio-blk-pci,id=vd0,bootindex=1,drive=disk0,ioeventfd=off,logical_block_size=4096,serial=a,,b=c,write-cache=on,wwn=18446744073709551615",
			`{"driver":"virtio-blk-pci","id":"vd0","bootindex":1,"drive":"disk0","ioeventfd":false,"logical_block_size":4096,"serial":"a,b=c","write-cache":"on","wwn":18446744073709551615}`),
	},
	{
		"arrays of QEMU 5.2", cmdline.Device(qapi.DeviceAddArgs{Driver: "rocker", Props: map[string]any{"len-ports": 1, "ports[0]": "n0"}}),
		map[qmp.Version][]string{v52: {"-device", "rocker,len-ports=1,ports[0]=n0"}},
	},
	{
		"device with a list", cmdline.Device(qapi.DeviceAddArgs{Driver: "rocker", Props: map[string]any{"ports": []string{"n0"}}}),
		map[qmp.Version][]string{v111: {"-device", `{"driver":"rocker","ports":["n0"]}`}},
	},
	{
		"audiodev", cmdline.Audiodev(qapi.Audiodev{ID: "a0", Driver: qapi.AudiodevNone{In: &qapi.AudiodevPerDirectionOptions{Frequency: new(uint32(44100))}}}),
		all("-audiodev", `{"id":"a0","driver":"none","in":{"frequency":44100}}`),
	},
	{
		"display", cmdline.Display(qapi.DisplayOptions{Type: qapi.DisplayOptionsNone{}}),
		all("-display", `{"type":"none"}`),
	},
	{
		"compat", cmdline.Compat(qapi.CompatPolicy{DeprecatedInput: new(qapi.CompatPolicyInputReject)}),
		map[qmp.Version][]string{v72: {"-compat", `{"deprecated-input":"reject"}`}},
	},
}

// chardev returns the text of a character device c0 for all releases.
func chardev(name string, backend qapi.ChardevBackendVariant, want string) text {
	return text{"chardev " + name, cmdline.Chardev("c0", qapi.ChardevBackend{Type: backend}), all("-chardev", want)}
}

var backends = []text{
	chardev("null", qapi.ChardevBackendNull{Logfile: new("/a,b"), Logappend: new(true)}, "null,id=c0,logfile=/a,,b,logappend=on"),
	chardev("file", qapi.ChardevBackendFile{In: new("/in"), Out: "/out", Append: new(true)}, "file,id=c0,input-path=/in,path=/out,append=on"),
	chardev("pipe", qapi.ChardevBackendPipe{Device: "/p"}, "pipe,id=c0,path=/p"),
	chardev("serial", qapi.ChardevBackendSerial{Device: "/dev/ttyS0"}, "serial,id=c0,path=/dev/ttyS0"),
	chardev("parallel", qapi.ChardevBackendParallel{Device: "/dev/parport0"}, "parallel,id=c0,path=/dev/parport0"),
	chardev("stdio", qapi.ChardevBackendStdio{Signal: new(false)}, "stdio,id=c0,signal=off"),
	chardev("pty", qapi.ChardevBackendPty{}, "pty,id=c0"),
	chardev("ringbuf", qapi.ChardevBackendRingbuf{Size: new(int64(4096))}, "ringbuf,id=c0,size=4096"),
	chardev("mux", qapi.ChardevBackendMux{Chardev: "m0"}, "mux,id=c0,chardev=m0"),
	chardev("hub", qapi.ChardevBackendHub{Chardevs: []string{"m0", "m1"}}, "hub,id=c0,chardevs.0=m0,chardevs.1=m1"),
	chardev("vc", qapi.ChardevBackendVc{Cols: new(int64(80)), Rows: new(int64(25))}, "vc,id=c0,cols=80,rows=25"),
	chardev("spicevmc", qapi.ChardevBackendSpicevmc{Type: "vdagent"}, "spicevmc,id=c0,name=vdagent"),
	chardev("spiceport", qapi.ChardevBackendSpiceport{FQDN: "org.x"}, "spiceport,id=c0,name=org.x"),
	chardev("vdagent", qapi.ChardevBackendQEMUVdagent{Mouse: new(true)}, "qemu-vdagent,id=c0,mouse=on"),
	chardev("dbus", qapi.ChardevBackendDbus{Name: "x"}, "dbus,id=c0,name=x"),
	chardev("unknown", qapi.Unknown{Tag: "new", JSON: []byte(`{"data":{"x":1}}`)}, "new,id=c0,x=1"),
	chardev("unknown without options", qapi.Unknown{Tag: "new"}, "new,id=c0"),
	chardev("unix", qapi.ChardevBackendSocket{
		Addr:   qapi.SocketAddressLegacy{Type: qapi.SocketAddressLegacyUnix{Path: "/a,b", Abstract: new(true), Tight: new(false)}},
		Server: new(true), Wait: new(false),
	}, "socket,id=c0,path=/a,,b,abstract=on,tight=off,server=on,wait=off"),
	chardev("inet", qapi.ChardevBackendSocket{
		Addr:   qapi.SocketAddressLegacy{Type: qapi.SocketAddressLegacyInet{Host: "::1", Port: "4000", To: new(uint16(4010)), IPv4: new(false), IPv6: new(true)}},
		Server: new(false), Nodelay: new(true), TLSCreds: new("tls0"), Telnet: new(true), ReconnectMs: new(int64(5000)),
	}, "socket,id=c0,host=::1,port=4000,to=4010,ipv4=off,ipv6=on,tls-creds=tls0,server=off,delay=off,telnet=on,reconnect-ms=5000"),
	chardev("defaults of chardev-add: it listens, and QEMU does not wait", qapi.ChardevBackendSocket{
		Addr: qapi.SocketAddressLegacy{Type: qapi.SocketAddressLegacyUnix{Path: "/a"}},
	}, "socket,id=c0,path=/a,server=on,wait=off"),
	chardev("a server whose client QEMU does not wait for", qapi.ChardevBackendSocket{
		Addr: qapi.SocketAddressLegacy{Type: qapi.SocketAddressLegacyUnix{Path: "/a"}}, Server: new(true),
	}, "socket,id=c0,path=/a,server=on,wait=off"),
	chardev("fd", qapi.ChardevBackendSocket{
		Addr:   qapi.SocketAddressLegacy{Type: qapi.SocketAddressLegacyFD{Str: "3"}},
		Server: new(true), Wait: new(false), Nodelay: new(false),
	}, "socket,id=c0,fd=3,server=on,wait=off,delay=on"),
	chardev("udp", qapi.ChardevBackendUDP{
		Remote: qapi.SocketAddressLegacy{Type: qapi.SocketAddressLegacyInet{Host: "h", Port: "1", IPv4: new(true)}},
		Local:  &qapi.SocketAddressLegacy{Type: qapi.SocketAddressLegacyInet{Host: "l", Port: "2"}},
	}, "udp,id=c0,host=h,port=1,ipv4=on,localaddr=l,localport=2"),
}

var machines = []text{
	{"machine", cmdline.Machine("q35", map[string]any{"memory-backend": "m,0", "hpet": false}), all("-machine", "q35,hpet=off,memory-backend=m,,0")},
	{"machine without properties", cmdline.Machine("none", nil), all("-machine", "none")},
	{
		"machine with objects", cmdline.Machine("q35", map[string]any{
			"smp":     qapi.SMPConfiguration{CPUs: new(int64(2))},
			"cxl-fmw": []any{map[string]any{"targets": []string{"cxl.1"}, "size": int64(4 << 30)}},
		}),
		map[qmp.Version][]string{v72: {"-machine", "q35,cxl-fmw.0.size=4294967296,cxl-fmw.0.targets.0=cxl.1,smp.cpus=2"}},
	},
	{"accel", cmdline.Accel("tcg", map[string]any{"thread": "multi", "tb-size": 64}), all("-accel", "tcg,tb-size=64,thread=multi")},
	{"cpu", cmdline.CPU("host", map[string]any{"vmx": true, "svm": false, "model-id": "a=b", "level": 13}), all("-cpu", "host,level=13,model-id=a=b,svm=off,vmx=on")},
	{"cpu with a space", cmdline.CPU("TI UltraSparc IIi", nil), all("-cpu", "TI UltraSparc IIi")},
	{"smp", cmdline.SMP(qapi.SMPConfiguration{CPUs: new(int64(2)), Sockets: new(int64(1)), Maxcpus: new(int64(4))}), all("-smp", "cpus=2,sockets=1,maxcpus=4")},
	{"memory", cmdline.Memory(qapi.MemorySizeConfiguration{Size: gib(2), MaxSize: gib(8), Slots: new(uint64(4))}), all("-m", "size=2048M,slots=4,maxmem=8192M")},
	{"odd memory", cmdline.Memory(qapi.MemorySizeConfiguration{Size: new(uint64(1<<30 + 8192))}), all("-m", "size=1073750016B")},
	{"numa", cmdline.NUMA(qapi.NUMAOptions{Type: qapi.NUMAOptionsNode{Nodeid: new(uint16(1)), CPUs: []uint16{0, 2}, Memdev: new("m0")}}), all("-numa", "node,nodeid=1,cpus=0,cpus=2,memdev=m0")},
	{"numa mem", cmdline.NUMA(qapi.NUMAOptions{Type: &qapi.NUMAOptionsNode{Mem: gib(1)}}), all("-numa", "node,mem=1073741824B")},
	{"numa dist", cmdline.NUMA(qapi.NUMAOptions{Type: qapi.NUMAOptionsDist{Src: 0, Dst: 1, Val: 20}}), all("-numa", "dist,src=0,dst=1,val=20")},
	{"qmp", cmdline.QMP(qmp.UnixAddr("/a,b") + ",server=on,wait=off"), all("-qmp", "unix:/a,,b,server=on,wait=off")},
	{
		"monitor", cmdline.Monitor(qapi.MonitorOptions{Chardev: "c0", Mode: new(qapi.MonitorModeControl), Pretty: new(true)}),
		map[qmp.Version][]string{
			v52:  {"-mon", "mode=control,pretty=on,chardev=c0"},
			v72:  {"-mon", "mode=control,pretty=on,chardev=c0"},
			v111: {"-object", `{"qom-type":"monitor-qmp","id":"c0","chardev":"c0","pretty":true}`},
		},
	},
	{
		"monitor for people", cmdline.Monitor(qapi.MonitorOptions{Chardev: "c0", ID: new("mon0")}),
		map[qmp.Version][]string{
			v72:  {"-mon", "id=mon0,chardev=c0"},
			v111: {"-object", `{"qom-type":"monitor-hmp","id":"mon0","chardev":"c0"}`},
		},
	},
	{"text", cmdline.Text("-S", "-name", "guest="+cmdline.Escape("a,b")+",debug-threads=on"), all("-S", "-name", "guest=a,,b,debug-threads=on")},
	{"no text", cmdline.Text(), map[qmp.Version][]string{v72: nil}},
}

func TestArgsKeepTheirOrder(t *testing.T) {
	got, err := cmdline.Args(v72, cmdline.Text("-S"), cmdline.Machine("q35", nil), cmdline.Text("-nodefaults"))
	require.NoError(t, err)
	assert.Equal(t, []string{"-S", "-machine", "q35", "-nodefaults"}, got)
}

func TestReleases(t *testing.T) {
	_, err := cmdline.Args(qmp.Version{}, cmdline.Text("-S"))
	require.EqualError(t, err, "cmdline: the version is zero; cmdline.Version asks a program for its version")
	_, err = cmdline.Args(qmp.Version{Major: 5, Minor: 1, Micro: 92})
	require.EqualError(t, err, "cmdline: QEMU 5.1.92 is older than 5.2, the oldest that is supported")

	_, err = cmdline.Args(v72, cmdline.Text("-S"), cmdline.Arg{})
	require.EqualError(t, err, "cmdline: argument 2 is a zero Arg")

	rng := cmdline.Object(qapi.ObjectOptions{ID: "r", QOMType: qapi.ObjectOptionsRngBuiltin{}})
	user := cmdline.Netdev(qapi.Netdev{ID: "n", Type: qapi.NetdevUser{}})
	dev := cmdline.Device(qapi.DeviceAddArgs{Driver: "e1000"})
	for _, tt := range []struct {
		minor, major int
		want         []string
	}{
		{2, 5, []string{"-object", "rng-builtin,id=r", "-netdev", "user,id=n", "-device", "e1000"}},
		{0, 6, []string{"-object", `{"qom-type":"rng-builtin","id":"r"}`, "-netdev", "user,id=n", "-device", "e1000"}},
		{2, 6, []string{"-object", `{"qom-type":"rng-builtin","id":"r"}`, "-netdev", "user,id=n", "-device", "e1000"}},
		{0, 7, []string{"-object", `{"qom-type":"rng-builtin","id":"r"}`, "-netdev", "user,id=n", "-device", `{"driver":"e1000"}`}},
		{2, 7, []string{"-object", `{"qom-type":"rng-builtin","id":"r"}`, "-netdev", `{"id":"n","type":"user"}`, "-device", `{"driver":"e1000"}`}},
	} {
		got, err := cmdline.Args(qmp.Version{Major: tt.major, Minor: tt.minor}, rng, user, dev)
		require.NoError(t, err)
		assert.Equal(t, tt.want, got)
	}
}

func TestStorageDaemon(t *testing.T) {
	args := []cmdline.Arg{
		cmdline.Object(qapi.ObjectOptions{ID: "io0", QOMType: qapi.ObjectOptionsIothread{}}),
		cmdline.Blockdev(qapi.BlockdevOptions{NodeName: new("n0"), Driver: qapi.BlockdevOptionsNullCo{}}),
		cmdline.Chardev("c0", qapi.ChardevBackend{Type: qapi.ChardevBackendStdio{}}),
		cmdline.Monitor(qapi.MonitorOptions{Chardev: "c0"}),
		cmdline.NBDServer(qapi.NBDServerOptions{Addr: qapi.SocketAddress{Type: qapi.SocketAddressUnix{Path: "/a,b"}}}),
		cmdline.Export(qapi.BlockExportOptions{ID: "e0", NodeName: "n0", Type: qapi.BlockExportOptionsNBD{Name: new("x")}}),
		cmdline.Text("--pidfile", "/x"),
	}
	for v, io0 := range map[qmp.Version]string{v52: "iothread,id=io0", v111: `{"qom-type":"iothread","id":"io0"}`} {
		got, err := cmdline.StorageDaemon(v, args...)
		require.NoError(t, err)
		assert.Equal(t, []string{
			"--object", io0,
			"--blockdev", `{"driver":"null-co","node-name":"n0"}`,
			"--chardev", "stdio,id=c0",
			"--monitor", `{"chardev":"c0"}`,
			"--nbd-server", `{"addr":{"type":"unix","path":"/a,b"}}`,
			"--export", `{"type":"nbd","id":"e0","node-name":"n0","name":"x"}`,
			"--pidfile", "/x",
		}, got)
	}
	_, err := cmdline.StorageDaemon(v72, cmdline.Machine("q35", nil))
	require.EqualError(t, err, "cmdline: argument 1, -machine: qemu-storage-daemon does not have it")
	_, err = cmdline.Args(v72, args[5])
	require.EqualError(t, err, "cmdline: argument 1, -export: only qemu-storage-daemon has it; for QEMU, use a QMP command")
	_, err = cmdline.StorageDaemon(qmp.Version{})
	require.Error(t, err)
}

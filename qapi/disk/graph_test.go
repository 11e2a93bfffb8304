package disk_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/cut"
	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qapi/disk"
	"github.com/goqapi/goqapi/qapi/job"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// A graph with every kind of vertex. Where releases name a node differently, it has one of the
// names.
const graphOfAll = `device cd
device sd
    root: cbw
        file: disk0 (qcow2)
            file: file0 (file, DIR/disk0.qcow2)
            backing: base (null-co)
        target: copy (null-co)
device vd0
    root: cbw, see above
export ex0
    root: cbw, see above
export ex1
    root: cbw, see above
job backup
    target: copy (null-co)
    main node: cbw, see above
other drive
    root: n0 (null-co, null-co://)
spare (null-co)
`

// addAll builds the graph graphOfAll on a machine that has a controller scsi and a drive without a
// device.
func addAll(t *testing.T, c *qapi.Client, dir string) {
	ctx := t.Context()
	null := func(name string) qapi.BlockdevOptions {
		return qapi.BlockdevOptions{NodeName: &name, Driver: qapi.BlockdevOptionsNullCo{Size: new(int64(size))}}
	}
	for _, name := range []string{"base", "copy", "spare"} {
		require.NoError(t, c.BlockdevAdd(ctx, null(name)))
	}
	path := filepath.Join(dir, "disk0.qcow2")
	createDisk(t, c, path)
	require.NoError(t, c.BlockdevAdd(ctx, qapi.BlockdevOptions{NodeName: new("disk0"), Driver: qapi.BlockdevOptionsQcow2{
		Backing: qapi.Str("base"),
		File:    qapi.BlockdevOptions{NodeName: new("file0"), Driver: qapi.BlockdevOptionsFile{Filename: path}},
	}}))
	require.NoError(t, c.DeviceAdd(ctx, device.VirtioBlkPCI{ID: "vd0", Drive: "disk0", ShareRw: new(true)}))
	require.NoError(t, c.DeviceAdd(ctx, device.SCSIHD{ID: "sd", Drive: "disk0", ShareRw: new(true)}))
	require.NoError(t, c.DeviceAdd(ctx, device.SCSICD{ID: "cd"}))
	require.NoError(t, c.NBDServerStart(ctx, qapi.NBDServerOptionsLegacy{
		Addr: qapi.SocketAddressLegacy{Type: qapi.SocketAddressLegacyUnix{Path: filepath.Join(dir, "nbd")}},
	}))
	for _, id := range []string{"ex0", "ex1"} {
		require.NoError(t, c.BlockExportAdd(ctx, qapi.BlockExportOptions{
			ID: id, NodeName: "disk0", Type: qapi.BlockExportOptionsNBD{Name: &id},
		}))
	}
	_, err := job.Start(ctx, c, qapi.BlockdevBackup{
		JobID: new("backup"), Device: "disk0", Target: "copy", Sync: qapi.MirrorSyncModeFull, Speed: new(int64(1)), FilterNodeName: new("cbw"),
	})
	require.NoError(t, err)
}

func TestQEMUGraph(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		dir := t.TempDir()
		cutter := cut.New(q.Run(t, "-machine", "pc", "-device", "virtio-scsi-pci",
			"-drive", "if=none,id=drive,driver=null-co,node-name=n0").Dial)
		c := cutter.Client(t)
		addAll(t, c, dir)
		cutter.Survived(t, c, cut.Try{
			Name: "graph", Prep: func(*testing.T, *qapi.Client, string) {},
			Run: func(ctx context.Context, c *qapi.Client, _ string) error {
				graph, err := disk.ReadGraph(ctx, c)
				if err == nil {
					assert.Equal(t, graphOfAll, simple(graph.String(), dir))
				}
				return err
			},
		}, func(string) {})
	})
}

// simple returns a graph without the differences between releases and runs.
func simple(graph, dir string) string {
	disk0 := "disk0 (qcow2)\n            file: file0 (file, DIR/disk0.qcow2)\n            backing: base (null-co)\n"
	copied := "        target: copy (null-co)\n"
	return strings.NewReplacer(
		"cbw (copy-before-write)", "cbw",
		"cbw (backup-top)", "cbw", // 5.2
		copied+"        backing: "+disk0, "        file: "+disk0+copied,
	).Replace(strings.ReplaceAll(graph, dir, "DIR"))
}

// A storage daemon has block nodes and exports, but no devices.
func TestQEMUGraphOfStorageDaemon(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		daemon, err := qmp.Launch(t.Context(), exec.Command(q.Tool(t, "qemu-storage-daemon"),
			"--blockdev", "null-co,node-name=n0", "--nbd-server", "addr.type=unix,addr.path="+filepath.Join(t.TempDir(), "s"),
			"--export", "nbd,id=ex0,node-name=n0"))
		require.NoError(t, err)
		defer daemon.Close()
		c := qapi.NewClient(daemon.Conn)
		graph, err := disk.ReadGraph(t.Context(), c)
		require.NoError(t, err)
		assert.Equal(t, "export ex0\n    root: n0 (null-co, null-co://)\n", graph.String())
	})
}

// The fake has no filters, and a CD drive cd0 of its own.
const graphOfFake = `device cd
device cd0
device sd
    root: disk0 (qcow2, /vm/disk0.qcow2)
        file: file0 (file, /vm/disk0.qcow2)
        backing: base (null-co, null-co://)
device vd0
    root: disk0 (qcow2, /vm/disk0.qcow2), see above
export ex0
    root: disk0 (qcow2, /vm/disk0.qcow2), see above
export ex1
    root: disk0 (qcow2, /vm/disk0.qcow2), see above
job backup
    target: copy (null-co, null-co://)
    main node: disk0 (qcow2, /vm/disk0.qcow2), see above
spare (null-co, null-co://)
`

func TestGraphOfTheFake(t *testing.T) {
	onFake(t, func(t *testing.T, cutter *cut.Cutter) {
		c := cutter.Client(t)
		require.NoError(t, c.DeviceAdd(t.Context(), device.VirtioSCSIPCI{}))
		addAll(t, c, "/vm")
		graph, err := disk.ReadGraph(t.Context(), c)
		require.NoError(t, err)
		assert.Equal(t, graphOfFake, graph.String())
	})
}

func fakeGraph(t *testing.T, graph qapi.XDbgBlockGraph, nodes []qapi.BlockDeviceInfo) *disk.Graph {
	t.Helper()
	srv := qmptest.Start(t)
	conn, err := qmp.NewConn(t.Context(), srv.Pipe())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	srv.Reply("x-debug-query-block-graph", graph)
	srv.Reply("query-named-block-nodes", nodes)
	srv.Reply("query-block-exports", []qapi.BlockExportInfo{{ID: "gone", NodeName: "no such node", Type: qapi.BlockExportTypeNBD}})
	srv.Reply("query-block", []qapi.BlockInfo{})
	g, err := disk.ReadGraph(t.Context(), qapi.NewClient(conn))
	require.NoError(t, err)
	return g
}

// Anything that a server returns can be printed: names that move a cursor, edges to missing nodes,
// circles.
func TestGraphOfAHostileServer(t *testing.T) {
	driver := qapi.XDbgBlockGraphNodeTypeBlockDriver
	g := fakeGraph(t, qapi.XDbgBlockGraph{
		Nodes: []qapi.XDbgBlockGraphNode{
			{ID: 1, Type: driver, Name: "a\x1b[2J"}, {ID: 2, Type: driver, Name: "b"}, {ID: 3, Type: driver, Name: "c"},
			{ID: 4, Type: qapi.XDbgBlockGraphNodeTypeBlockBackend, Name: ""},
		},
		Edges: []qapi.XDbgBlockGraphEdge{
			{Parent: 1, Child: 2, Name: "x\n"}, {Parent: 2, Child: 3, Name: "y"}, {Parent: 3, Child: 2, Name: "back"},
			{Parent: 1, Child: 99}, {Parent: 99, Child: 1},
		},
	}, []qapi.BlockDeviceInfo{{NodeName: "c", Drv: "file", File: "https://user:word@host/c\r", DetectZeroes: qapi.BlockdevDetectZeroesOptionsOff}})
	const want = `other
a\x1b[2J
    x\n: b
        y: c (file, https://[redacted]@host/c\r)
            back: b, see above
`
	assert.Empty(t, cmp.Diff(want, g.String()))
	assert.Len(t, g.Vertices, 4)
}

// A deep chain of diamonds has too many paths to print them all; each vertex is shown once.
func TestGraphOfManyPaths(t *testing.T) {
	var graph qapi.XDbgBlockGraph
	for i := range uint64(100) {
		graph.Nodes = append(graph.Nodes, qapi.XDbgBlockGraphNode{ID: i, Type: qapi.XDbgBlockGraphNodeTypeBlockDriver, Name: "n"})
		if i > 0 {
			graph.Edges = append(graph.Edges, qapi.XDbgBlockGraphEdge{Parent: i - 1, Child: i}, qapi.XDbgBlockGraphEdge{Parent: i - 1, Child: i})
		}
	}
	assert.Equal(t, 199, strings.Count(fakeGraph(t, graph, nil).String(), "\n"))
}

// A server can send a chain of any length; the text grows in proportion to it, not with its square.
func TestGraphOfALongChain(t *testing.T) {
	g := &disk.Graph{Roots: []*disk.Vertex{{Kind: disk.Node, Name: "n"}}}
	const length = 10_000
	for last, i := g.Roots[0], 0; i < length; i++ {
		next := &disk.Vertex{Kind: disk.Node, Name: "n"}
		last.Uses = []disk.Edge{{Role: "backing", To: next}}
		last = next
	}
	assert.Less(t, len(g.String()), 300*length)
}

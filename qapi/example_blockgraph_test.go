package qapi_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// printGraph prints what lies above what in QEMU's block layer, as trees: devices, jobs and exports
// first, files last.
func printGraph(ctx context.Context, c *qapi.Client, out io.Writer) error {
	graph, err := c.XDebugQueryBlockGraph(ctx) // QEMU does not promise it; all releases have it
	if err != nil {
		return err
	}
	list, err := c.QueryNamedBlockNodes(ctx, qapi.QueryNamedBlockNodesArgs{Flat: new(true)})
	if err != nil {
		return err
	}
	details := map[string]string{}
	for _, n := range list {
		details[n.NodeName] = fmt.Sprintf(" (%s, %s)", n.Drv, n.File)
	}
	nodes := map[uint64]qapi.XDbgBlockGraphNode{}
	children := map[uint64][]qapi.XDbgBlockGraphEdge{}
	below := map[uint64]bool{}
	for _, n := range graph.Nodes {
		nodes[n.ID] = n
	}
	for _, e := range graph.Edges {
		children[e.Parent] = append(children[e.Parent], e)
		below[e.Child] = true
	}
	var show func(id uint64, role string, depth int)
	show = func(id uint64, role string, depth int) {
		n := nodes[id]
		fmt.Fprintf(out, "%s%s%s%s\n", strings.Repeat("    ", depth), role, n.Name, details[n.Name])
		for _, e := range children[id] {
			show(e.Child, e.Name+": ", depth+1)
		}
	}
	for _, n := range graph.Nodes {
		if !below[n.ID] {
			show(n.ID, "", 0)
		}
	}
	return nil
}

// The block graph of a machine, which is a fake one here, as a tree.
func Example_blockGraph() {
	ctx := context.Background()
	vm := qmptest.New()
	defer vm.Close()
	conn, err := vm.Dial(ctx)
	if err != nil {
		log.Fatal(err)
	}
	c := qapi.NewClient(conn)
	defer c.Close()
	if err := c.BlockdevAdd(ctx, qapi.BlockdevOptions{NodeName: new("disk0"), Driver: qapi.BlockdevOptionsQcow2{
		File: qapi.BlockdevOptions{NodeName: new("file0"), Driver: qapi.BlockdevOptionsFile{Filename: "/vm/disk0.qcow2"}},
	}}); err != nil {
		log.Fatal(err)
	}
	if err := printGraph(ctx, c, os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	// disk0 (qcow2, /vm/disk0.qcow2)
	//     file: file0 (file, /vm/disk0.qcow2)
	// cd0
}

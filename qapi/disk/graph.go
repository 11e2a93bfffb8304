package disk

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/internal/redact"
	"github.com/goqapi/goqapi/internal/retry"
	"github.com/goqapi/goqapi/qapi"
)

// A Graph is the block layer of a machine at one moment: devices, exports and jobs use block
// nodes, and these use other block nodes, down to files.
type Graph struct {
	Roots    []*Vertex // those that no other vertex uses
	Vertices []*Vertex // all of them; both lists are sorted by kind and name
}

// A Vertex is a block node, or something that uses one.
type Vertex struct {
	Kind Kind

	// The node name of a block node, or the id of an export, a job or a device. For a device
	// without an id it is the name of its drive, otherwise its QOM path. Empty for a vertex
	// without a name.
	Name string

	// Node describes a block node. It is nil for all other kinds, and for a node that was removed
	// meanwhile.
	Node *qapi.BlockDeviceInfo

	Uses []Edge
}

// An Edge leads from a vertex to a block node that the vertex uses.
type Edge struct {
	Role string // such as root, file or backing
	To   *Vertex
}

// A Kind is what a [Vertex] stands for.
type Kind string

// The kinds of vertices, in the order in which they are sorted. Other is for any other user of
// a block node: a drive without a device, or a server inside QEMU.
const (
	Device Kind = "device"
	Export Kind = "export"
	Job    Kind = "job"
	Other  Kind = "other"
	Node   Kind = "node"
)

var kinds = []Kind{Device, Export, Job, Other, Node}

// ReadGraph returns the block layer of a machine, or of a storage daemon. It executes
// several commands: if something changes between them, the graph may show only a part
// of the change.
//
// One of them, x-debug-query-block-graph, is not one that QEMU promises to keep, but all supported
// releases have it.
func ReadGraph(ctx context.Context, c *qapi.Client) (*Graph, error) {
	var s snapshot
	err := retry.Ask(ctx, c.Conn(), func(ctx context.Context) (err error) {
		s, err = takeSnapshot(ctx, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("disk: graph: %w", err)
	}
	return s.build(), nil
}

// A snapshot holds the replies of the commands from which a [Graph] is made.
type snapshot struct {
	graph   qapi.XDbgBlockGraph
	nodes   []qapi.BlockDeviceInfo
	drives  []qapi.BlockInfo
	exports []qapi.BlockExportInfo
}

func takeSnapshot(ctx context.Context, c *qapi.Client) (s snapshot, err error) {
	if s.nodes, err = c.QueryNamedBlockNodes(ctx, qapi.QueryNamedBlockNodesArgs{Flat: new(true)}); err != nil {
		return s, err
	}
	if s.exports, err = c.QueryBlockExports(ctx); err != nil {
		return s, err
	}
	if s.drives, err = c.QueryBlock(ctx); err != nil && !qapi.IsUnsupported(err) { // storage daemons have no devices
		return s, err
	}
	s.graph, err = c.XDebugQueryBlockGraph(ctx)
	return s, err
}

func (s snapshot) build() *Graph {
	g := &Graph{Vertices: s.vertices()}
	s.nameExports(g.Vertices)
	g.Vertices = withoutJobsOwn(g.Vertices)
	slices.SortStableFunc(g.Vertices, func(a, b *Vertex) int {
		return cmp.Or(cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)), cmp.Compare(a.Name, b.Name))
	})
	used := map[*Vertex]bool{}
	for _, v := range g.Vertices {
		for _, e := range v.Uses {
			used[e.To] = true
		}
	}
	for _, v := range g.Vertices {
		if !used[v] {
			g.Roots = append(g.Roots, v)
		}
	}
	return g
}

// vertices returns the vertices of the graph, with their edges.
func (s snapshot) vertices() []*Vertex {
	var list []*Vertex
	byID, byName := map[uint64]*Vertex{}, map[string]*qapi.BlockDeviceInfo{}
	for i := range s.nodes {
		byName[s.nodes[i].NodeName] = &s.nodes[i]
	}
	for _, n := range s.graph.Nodes {
		v := s.vertex(n, byName)
		byID[n.ID] = v
		list = append(list, v)
	}
	for _, e := range s.graph.Edges {
		if from, to := byID[e.Parent], byID[e.Child]; from != nil && to != nil {
			from.Uses = append(from.Uses, Edge{e.Name, to})
		}
	}
	for _, v := range list {
		slices.SortStableFunc(v.Uses, func(a, b Edge) int { // servers' order differs; children.2 comes before children.10
			return cmp.Or(cmp.Compare(len(a.Role), len(b.Role)), cmp.Compare(a.Role, b.Role))
		})
	}
	return list
}

// vertex returns a vertex without its edges; nodes are all block nodes, by their names. An
// export has no name yet, and its kind is Other.
func (s snapshot) vertex(n qapi.XDbgBlockGraphNode, nodes map[string]*qapi.BlockDeviceInfo) *Vertex {
	switch n.Type {
	case qapi.XDbgBlockGraphNodeTypeBlockJob:
		return &Vertex{Kind: Job, Name: n.Name}
	case qapi.XDbgBlockGraphNodeTypeBlockDriver:
		return &Vertex{Kind: Node, Name: n.Name, Node: nodes[n.Name]}
	}
	for _, d := range s.drives {
		if qdev := qapi.Value(d.Qdev); n.Name != "" && qdev != "" && (n.Name == qdev || n.Name == d.Device) {
			return &Vertex{Kind: Device, Name: deviceName(d.Device, qdev)}
		}
	}
	return &Vertex{Kind: Other, Name: n.Name}
}

// deviceName returns the name of a device for people: its id; without one, the name of its
// drive, otherwise its QOM path.
func deviceName(drive, qdev string) string {
	path := strings.TrimSuffix(qdev, "/virtio-backend")
	id := strings.TrimPrefix(path, "/machine/peripheral/")
	if !strings.Contains(id, "/") {
		return cmp.Or(id, drive)
	}
	return cmp.Or(drive, path)
}

// nameExports finds the vertices of exports, which have no name in the graph: only the node that
// they use is known.
func (s snapshot) nameExports(list []*Vertex) {
	for _, e := range s.exports {
		i := slices.IndexFunc(list, func(v *Vertex) bool {
			return v.nameless() && slices.ContainsFunc(v.Uses, func(u Edge) bool { return u.To.Name == e.NodeName })
		})
		if i >= 0 {
			list[i].Kind, list[i].Name = Export, e.ID
		}
	}
}

// withoutJobsOwn returns list without the nameless vertices through which some jobs use
// their nodes: the vertices of the jobs show the same.
func withoutJobsOwn(list []*Vertex) []*Vertex {
	ofJob := map[*Vertex]bool{}
	for _, v := range list {
		for _, e := range v.Uses {
			ofJob[e.To] = ofJob[e.To] || v.Kind == Job
		}
	}
	return slices.DeleteFunc(list, func(v *Vertex) bool {
		return v.nameless() && slices.ContainsFunc(v.Uses, func(u Edge) bool { return ofJob[u.To] })
	})
}

func (v *Vertex) nameless() bool { return v.Kind == Other && v.Name == "" }

// maxIndent is how many levels of a tree are indented: a server can have a chain of any
// length, and the length of the text should be proportional to it.
const maxIndent = 64

// String returns the graph as text for people: a tree for each root, one line for each vertex. What
// lies below a node is shown only where the node comes first.
func (g *Graph) String() string {
	var text strings.Builder
	shown := map[*Vertex]bool{}
	var show func(v *Vertex, role string, depth int)
	show = func(v *Vertex, role string, depth int) {
		text.WriteString(strings.Repeat("    ", min(depth, maxIndent)) + role + v.String())
		if shown[v] && len(v.Uses) > 0 {
			text.WriteString(", see above\n")
			return
		}
		shown[v] = true
		text.WriteString("\n")
		for _, e := range v.Uses {
			show(e.To, printable.String(e.Role)+": ", depth+1)
		}
	}
	for _, root := range g.Roots {
		show(root, "", 0)
	}
	return text.String()
}

// String returns the kind and the name, such as "device vd0", and for a block node its name, driver and
// file, if it has one. It has no secrets, and nothing that moves the cursor of a terminal.
func (v *Vertex) String() string {
	name := printable.String(v.Name)
	switch {
	case v.Kind != Node:
		return strings.TrimSpace(string(v.Kind) + " " + name)
	case v.Node == nil:
		return name
	case v.Node.File == "", strings.HasPrefix(v.Node.File, "json:"): // it is a long description, not the name of a file
		return fmt.Sprintf("%s (%s)", name, printable.String(v.Node.Drv))
	}
	return fmt.Sprintf("%s (%s, %s)", name, printable.String(v.Node.Drv), printable.String(redact.Text(v.Node.File)))
}

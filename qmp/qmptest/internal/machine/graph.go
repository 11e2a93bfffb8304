package machine

import (
	"slices"

	"github.com/goqapi/goqapi/qapi"
)

// queryGraph shows the nodes, the drives and jobs that use them, and the edges between
// them. The machine does not know permissions.
func (m *Machine) queryGraph() qapi.XDbgBlockGraph {
	graph := qapi.XDbgBlockGraph{Nodes: []qapi.XDbgBlockGraphNode{}, Edges: []qapi.XDbgBlockGraphEdge{}}
	add := func(kind qapi.XDbgBlockGraphNodeType, name string) uint64 {
		id := uint64(len(graph.Nodes) + 1)
		graph.Nodes = append(graph.Nodes, qapi.XDbgBlockGraphNode{ID: id, Type: kind, Name: name})
		return id
	}
	for _, n := range m.nodes {
		add(qapi.XDbgBlockGraphNodeTypeBlockDriver, n.name)
	}
	hold := func(parent uint64, role string, n *node) {
		graph.Edges = append(graph.Edges, qapi.XDbgBlockGraphEdge{
			Parent: parent, Child: uint64(slices.Index(m.nodes, n) + 1), Name: role,
			Perm: []qapi.BlockPermission{}, SharedPerm: []qapi.BlockPermission{},
		})
	}
	for i, n := range m.nodes {
		for _, c := range n.children {
			hold(uint64(i+1), c.role, c.node)
		}
	}
	for _, d := range m.devices {
		if !d.isDrive() {
			continue
		}
		if id := add(qapi.XDbgBlockGraphNodeTypeBlockBackend, d.drive()); d.node != nil {
			hold(id, "root", d.node)
		}
	}
	for _, e := range m.exports {
		hold(add(qapi.XDbgBlockGraphNodeTypeBlockBackend, ""), "root", e.node)
	}
	for _, j := range m.jobs {
		if !j.block || j.status == qapi.JobStatusConcluded {
			continue
		}
		id := add(qapi.XDbgBlockGraphNodeTypeBlockJob, j.id)
		for _, n := range j.nodes {
			if n == j.target {
				hold(id, "target", n)
			} else {
				hold(id, "main node", n)
			}
		}
	}
	return graph
}

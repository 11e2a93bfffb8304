package machine

import (
	"github.com/goqapi/goqapi/qapi"
)

func (m *Machine) yankCommands() map[string]Handler {
	return map[string]Handler{
		"query-yank": query(m, m.connections),
		"yank":       change(m, m.yank),
	}
}

// connections returns the connections that can be cut.
func (m *Machine) connections() []qapi.YankInstance {
	all := []qapi.YankInstance{{Type: qapi.YankInstanceChardev{ID: monitor}}}
	for _, c := range m.chardevs {
		if c.kind == "socket" {
			all = append(all, qapi.YankInstance{Type: qapi.YankInstanceChardev{ID: c.id}})
		}
	}
	for _, n := range m.nodes {
		if n.driver == "nbd" {
			all = append(all, qapi.YankInstance{Type: qapi.YankInstanceBlockNode{NodeName: n.name}})
		}
	}
	return all
}

// yank cuts connections. Clients cannot see the effect.
func (m *Machine) yank(args qapi.YankArgs, _ Request) error {
	known := map[qapi.YankInstance]bool{}
	for _, c := range m.connections() {
		known[c] = true
	}
	for _, c := range args.Instances {
		if !known[c] {
			return notFoundf("Instance not found")
		}
	}
	return nil
}

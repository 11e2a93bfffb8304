package machine

import (
	"slices"

	"github.com/goqapi/goqapi/qapi"
)

func (m *Machine) chainCommands() map[string]Handler {
	return map[string]Handler{
		"block-commit":      change(m, m.commit),
		"block-stream":      change(m, m.stream),
		"blockdev-snapshot": change(m, command(m, m.snapshot)),

		"x-debug-query-block-graph": query(m, m.queryGraph),
	}
}

type commitArgs struct {
	jobArgs

	TopNode  *string `json:"top-node"`
	Top      *string `json:"top"`
	BaseNode *string `json:"base-node"`
	Base     *string `json:"base"`
}

func (m *Machine) commit(args commitArgs, req Request) error {
	device := m.node(args.Device)
	if device == nil {
		return notFound(args.Device)
	}
	if err := oneOf("top-node", args.TopNode, "top", args.Top); err != nil {
		return err
	}
	if err := oneOf("base-node", args.BaseNode, "base", args.Base); err != nil {
		return err
	}
	top, err := m.inChain(device, args.TopNode, args.Top)
	if err != nil {
		return err
	}
	if top == nil {
		top = device
	}
	base, err := m.inChain(device, args.BaseNode, args.Base)
	if err != nil {
		return err
	}
	if base == nil {
		for base = top; base.backing() != nil; base = base.backing() {
		}
	}
	nodes := chain(device, base)
	i := slices.Index(nodes, top)
	switch {
	case base == top:
		return generic("cannot commit an image into itself")
	case i < 0:
		return generic("'%s' is not in the backing chain of '%s'", base.name, top.name)
	}
	j := &job{kind: qapi.JobTypeCommit, total: top.size, nodes: nodes, waitsForComplete: i == 0}
	j.finish = func() {
		if i > 0 {
			m.setBacking(nodes[i-1], base)
		} else if j.completing {
			base.readOnly = top.readOnly
			m.replace(top, base)
		}
	}
	return m.startBlockJob(j, args.jobArgs, req)
}

// oneOf refuses two arguments that mean the same.
func oneOf(aName string, a *string, bName string, b *string) error {
	if a != nil && b != nil {
		return generic("'%s' and '%s' cannot be specified at the same time", aName, bName)
	}
	return nil
}

// inChain finds a node among another and its backing nodes, by its name or its
// file's. It returns nil if no node was asked for.
func (m *Machine) inChain(n *node, name, file *string) (*node, error) {
	for below := n; below != nil; below = below.backing() {
		if name != nil && below.name == *name || file != nil && below.filename == *file {
			return below, nil
		}
	}
	if name != nil {
		if _, err := m.lookup(*name); err != nil {
			return nil, err
		}
		return nil, generic("'%s' is not in the backing chain of '%s'", *name, n.name)
	}
	if file != nil {
		return nil, generic("Can't find '%s' in the backing chain", *file)
	}
	return nil, nil
}

// chain returns a node and its backing nodes down to one of them.
func chain(n, last *node) (all []*node) {
	for ; n != nil; n = n.backing() {
		if all = append(all, n); n == last {
			break
		}
	}
	return all
}

// setBacking gives a node another backing node, or none.
func (m *Machine) setBacking(n, backing *node) {
	old := n.backing()
	n.children = slices.DeleteFunc(n.children, func(c child) bool { return c.role == "backing" })
	if backing != nil {
		n.children = slices.Insert(n.children, 0, child{"backing", backing})
	}
	if old != nil {
		m.dropNode(old)
	}
}

type streamArgs struct {
	jobArgs

	BaseNode *string `json:"base-node"`
	Base     *string `json:"base"`
	Bottom   *string `json:"bottom"`
}

func (m *Machine) stream(args streamArgs, req Request) error {
	n, err := m.lookup(args.Device)
	if err != nil {
		return err
	}
	for _, err := range []error{
		oneOf("base-node", args.BaseNode, "base", args.Base),
		oneOf("bottom", args.Bottom, "base", args.Base),
		oneOf("bottom", args.Bottom, "base-node", args.BaseNode),
	} {
		if err != nil {
			return err
		}
	}
	base, err := m.inChain(n, args.BaseNode, args.Base)
	if err == nil && args.Bottom != nil {
		if base, err = m.inChain(n, args.Bottom, nil); err == nil {
			base = base.backing()
		}
	}
	if err != nil {
		return err
	}
	j := &job{kind: qapi.JobTypeStream, nodes: chain(n, base)}
	if n.backing() != nil {
		j.total = n.size
		j.finish = func() { m.setBacking(n, base) }
	}
	return m.startBlockJob(j, args.jobArgs, req)
}

// overlays are the drivers of images that can have a backing image.
var overlays = []string{"parallels", "qcow", "qcow2", "qed", "vmdk"}

// snapshot puts a node above another one; further writes go to the new node.
func (m *Machine) snapshot(args qapi.BlockdevSnapshot, _ Request) (step, error) {
	n, err := m.lookup(args.Node)
	if err != nil {
		return step{}, err
	}
	overlay, err := m.lookup(args.Overlay)
	if err != nil {
		return step{}, err
	}
	return m.putAbove(n, overlay)
}

func (m *Machine) putAbove(n, overlay *node) (step, error) {
	if err := m.busy(n); err != nil {
		return step{}, err
	}
	parent, role := m.parent(n)
	above, _ := m.parent(overlay)
	switch {
	case role == "backing":
		return step{}, generic("Node '%s' is busy: node is used as backing hd of '%s'", n.name, parent.name)
	case n == overlay, above != nil, m.deviceOf(overlay) != nil:
		return step{}, generic("The overlay is already in use")
	case overlay.backing() != nil:
		return step{}, generic("The overlay already has a backing image")
	case !slices.Contains(overlays, overlay.driver):
		return step{}, generic("The overlay does not support backing images")
	}
	children := slices.Clone(overlay.children)
	writable := n.protect()
	m.setBacking(overlay, n)
	m.replace(n, overlay)
	return step{undo: func() {
		m.replace(overlay, n)
		overlay.children = children
		for _, n := range writable {
			n.readOnly = false
		}
	}}, nil
}

// protect makes a node read-only, and those below it that it has brought along. It
// returns which of them were writable.
func (n *node) protect() (writable []*node) {
	if !n.readOnly {
		n.readOnly = true
		writable = append(writable, n)
	}
	for _, c := range n.children {
		if c.role != "backing" && !c.owned {
			writable = append(writable, c.protect()...)
		}
	}
	return writable
}

package machine

import (
	"fmt"
	"math"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
)

// A node is a node of the block graph.
type node struct {
	name, driver string
	filename     string
	disk         *disk // where its data are stored, also through other nodes
	size         int64
	readOnly     bool
	children     []child
	owned        bool   // by the monitor: made by blockdev-add itself
	group        string // of throttling
	errno        int64  // the error of reading, if it is a faulty disk; otherwise 0
	full         int64  // the error of writing, if it is a faulty disk; otherwise 0
	bitmaps      []bitmap
	threshold    int64 // of writing; 0: none
	opened       options
	votes        int   // how many children a quorum has had
	inactive     bool  // it does not use its file; see setActive
	highest      int64 // the highest offset that was written
}

// A child is a node below another.
type child struct {
	role string
	*node
}

// A disk is a file, or something else that holds the data of nodes.
type disk struct {
	size    int64
	format  string // the format that blockdev-create has given it
	virtual int64  // size of the disk in that format
	foreign bool   // blockdev-create has not made it: it can be opened with any format
	bitmaps []bitmap

	snapshots []qapi.SnapshotInfo // inside it
	made      int                 // how many snapshots were made in all
}

// foreignSize is the size of files of which only the name is known.
const foreignSize = 1 << 30

// fileAt returns the disk with a name.
func (m *Machine) fileAt(name string) *disk {
	d := m.disks[name]
	if d == nil {
		d = &disk{size: foreignSize, virtual: foreignSize, foreign: true}
		m.disks[name] = d
	}
	return d
}

// options are those of a node, by name: of the members of BlockdevOptions few
// matter here.
type options map[string]jsontext.Value

// member returns a member of a checked object; the zero value if it is absent.
func member[T any](o options, name string) (v T) {
	if text, ok := o[name]; ok {
		_ = json.Unmarshal(text, &v) // its type is known to fit
	}
	return v
}

func (m *Machine) node(name string) *node {
	if i := slices.IndexFunc(m.nodes, func(n *node) bool { return n.name == name }); i >= 0 {
		return m.nodes[i]
	}
	return nil
}

// lookup finds a node by its name. QEMU also accepts the name of a drive there; drives have no names here.
// A node that is being opened, and has no disk yet, is not found.
func (m *Machine) lookup(name string) (*node, error) {
	if n := m.node(name); n != nil && n.disk != nil {
		return n, nil
	}
	return nil, generic("Cannot find device='%s' nor node-name='%s'", name, name)
}

func (m *Machine) blockdevAdd(o options, _ Request) error {
	if member[string](o, "node-name") == "" && o["node-name"] == nil {
		return generic("'node-name' must be specified for the root node")
	}
	n, err := m.open(o)
	if err == nil {
		n.owned = true
	}
	return err
}

// open adds a node and those that are described inside it. If one of them is wrong, it
// adds none.
func (m *Machine) open(o options) (*node, error) {
	before := m.nodes
	n, err := m.openAll(o)
	if err != nil {
		m.backTo(before)
	}
	return n, err
}

// backTo drops the nodes that are not in before.
func (m *Machine) backTo(before []*node) {
	for _, n := range m.nodes {
		if !slices.Contains(before, n) {
			m.shutFile(n)
		}
	}
	m.nodes = before
}

func (m *Machine) openAll(o options) (*node, error) {
	name, err := m.newName(o)
	if err != nil {
		return nil, err
	}
	n := &node{
		name:     name,
		driver:   member[string](o, "driver"),
		filename: member[string](o, "filename"),
		readOnly: member[bool](o, "read-only"),
		group:    member[string](o, "throttle-group"),
		opened:   o,
	}
	if string(o["cache"]) == "{}" { // QEMU takes no option of an empty cache
		return nil, generic("Block driver '%s' doesn't support the option 'cache'", n.driver)
	}
	if member[string](o, "detect-zeroes") == "unmap" && member[string](o, "discard") != "unmap" {
		return nil, generic("setting detect-zeroes to unmap is not allowed without setting discard operation to unmap")
	}
	if member[bool](o, "force-share") && !n.readOnly {
		return nil, generic("force-share=on can only be used with read-only images")
	}
	// Nodes are listed by their age, but before those that they have added.
	m.nodes = slices.Insert(slices.Clone(m.nodes), 0, n)
	if n.children, err = m.openChildren(o); err != nil {
		return nil, err
	}
	n.votes = len(n.children)
	if err := checkQuorum(n, o); err != nil {
		return nil, err
	}
	m.nodes = slices.DeleteFunc(m.nodes, func(other *node) bool { return other == n })
	m.nodes = slices.Insert(m.nodes, 0, n)
	if n.driver == "throttle" && m.object(n.group) == nil {
		return nil, generic("Throttle group '%s' does not exist", n.group)
	}
	for _, fault := range member[[]qapi.BlkdebugInjectErrorOptions](o, "inject-error") {
		if fault.Iotype == nil || *fault.Iotype == qapi.BlkdebugIOTypeRead {
			n.errno = valueOr(fault.Errno, 5)
		}
		if fault.Iotype == nil || *fault.Iotype == qapi.BlkdebugIOTypeWrite {
			n.full = valueOr(fault.Errno, 5)
		}
	}
	return n, m.measure(n, o)
}

// checkQuorum returns what is wrong with a quorum; nil if nothing is, or the node is not a quorum.
func checkQuorum(n *node, o options) error {
	threshold := member[int64](o, "vote-threshold")
	switch {
	case n.driver != "quorum":
		return nil
	case len(n.children) == 0:
		return generic("Number of provided children must be 1 or more")
	case threshold < 1:
		return generic("Parameter 'vote-threshold' expects a value >= 1")
	case threshold > int64(len(n.children)):
		return generic("threshold may not exceed children count")
	}
	return nil
}

// newName checks the name for a new node, or generates one.
func (m *Machine) newName(o options) (string, error) {
	if o["node-name"] == nil {
		m.made.nodes++
		return fmt.Sprintf("#block%03d", 100+m.made.nodes), nil
	}
	name := member[string](o, "node-name")
	switch {
	case !wellFormed(name):
		return "", generic("Invalid node-name: '%s'", name)
	case len(name) > 31:
		return "", generic("Node name too long")
	case m.node(name) != nil:
		return "", generic("Duplicate nodes with node-name='%s'", name)
	}
	return name, nil
}

// roles are the members of BlockdevOptions that stand for nodes, in QEMU's order.
var roles = []string{"backing", "children", "data-file", "file", "image", "log", "raw", "target", "test"}

func (m *Machine) openChildren(o options) ([]child, error) {
	var all []child
	for _, role := range roles {
		refs := []jsontext.Value{o[role]}
		if role == "children" {
			refs = member[[]jsontext.Value](o, role)
		}
		if role == "target" && o["file"] == nil { // iSCSI has another
			continue
		}
		for i, ref := range refs {
			n, err := m.openRef(ref)
			if err != nil {
				return nil, err
			}
			if n != nil {
				name := role
				if role == "children" {
					name = voter(i)
				}
				all = append(all, child{name, n})
			}
		}
	}
	return all, nil
}

// voter returns the role of a child of a quorum.
func voter(i int) string { return fmt.Sprintf("children.%d", i) }

// openRef finds the node that is named, or opens the one that is described. It
// returns nil for none.
func (m *Machine) openRef(ref jsontext.Value) (*node, error) {
	switch ref.Kind() {
	case '"':
		var name string
		if err := json.Unmarshal(ref, &name); err != nil {
			return nil, err
		}
		return m.lookup(name)
	case '{':
		var o options
		if err := json.Unmarshal(ref, &o); err != nil {
			return nil, err
		}
		return m.openAll(o)
	}
	return nil, nil
}

// formats are the drivers that find the size of a disk in a file.
var formats = []string{
	"bochs", "cloop", "dmg", "luks", "parallels", "qcow", "qcow2", "qed", "vdi", "vhdx", "vmdk", "vpc",
}

// measure finds out where a node's data are stored and how large the node is.
func (m *Machine) measure(n *node, o options) error {
	below := n.below()
	switch {
	case n.driver == "null-co" || n.driver == "null-aio":
		n.size = foreignSize
		if o["size"] != nil {
			n.size = member[int64](o, "size")
		}
		if n.size < 0 || n.size > math.MaxInt64-1<<30 || member[uint64](o, "latency-ns") > math.MaxInt64 {
			return generic("a size or a latency that cannot be")
		}
		n.filename = n.driver + "://"
		n.disk = &disk{size: n.size}
	case below == nil:
		if n.filename == "" {
			n.filename = fmt.Sprintf(`json:{"driver": "%s"}`, n.driver)
		}
		if err := m.openFile(n); err != nil {
			return err
		}
		n.disk = m.fileAt(n.filename)
		n.size = n.disk.size
	case slices.Contains(formats, n.driver):
		n.filename, n.disk = below.filename, below.disk
		if !n.disk.foreign && n.disk.format != n.driver {
			return generic("Image is not in %s format", n.driver)
		}
		if other := m.sharer(n); other != nil {
			return generic("Permission conflict on node '%s': it holds the image of node '%s'", below.name, other.name)
		}
		n.size, n.bitmaps = n.disk.virtual, n.disk.bitmaps
	default:
		n.filename, n.disk = below.filename, below.disk
		n.size = max(below.size-member[int64](o, "offset"), 0)
		if o["size"] != nil {
			n.size = member[int64](o, "size")
		}
	}
	return nil
}

// sharer returns another node that takes its image from the same node below. It returns nil
// if there is none, or if nothing is written through the two nodes.
func (m *Machine) sharer(n *node) *node {
	i := slices.IndexFunc(m.nodes, func(other *node) bool {
		return other != n && slices.Contains(formats, other.driver) && other.below() == n.below() &&
			(!other.readOnly || !n.readOnly)
	})
	if i < 0 {
		return nil
	}
	return m.nodes[i]
}

// below returns the node that holds the data of this one; nil if it holds them itself.
func (n *node) below() *node {
	for _, c := range n.children {
		if c.role != "backing" {
			return c.node
		}
	}
	return nil
}

func (n *node) backing() *node {
	for _, c := range n.children {
		if c.role == "backing" {
			return c.node
		}
	}
	return nil
}

// holds reports whether another node is this one, or written through it.
func (n *node) holds(other *node) bool {
	return n == other || slices.ContainsFunc(n.children, func(c child) bool {
		return c.role != "backing" && c.holds(other)
	})
}

// bad returns the errno with which reading from the node fails; 0 if it does not fail.
func (n *node) bad() int64 { return n.fault(func(n *node) int64 { return n.errno }) }

// badToWrite returns the errno with which writing to the node fails; 0 if it does not fail.
func (n *node) badToWrite() int64 { return n.fault(func(n *node) int64 { return n.full }) }

func (n *node) fault(of func(*node) int64) int64 {
	for below := n; below != nil; below = below.below() {
		if errno := of(below); errno != 0 {
			return errno
		}
	}
	return 0
}

// parent returns a node that this one is a child of, and its role; nil if there is
// none.
func (m *Machine) parent(n *node) (*node, string) {
	for _, p := range m.nodes {
		for _, c := range p.children {
			if c.node == n {
				return p, c.role
			}
		}
	}
	return nil, ""
}

func (m *Machine) blockdevDel(args qapi.BlockdevDelArgs, _ Request) error {
	n := m.node(args.NodeName)
	if n == nil {
		return generic("Failed to find node with node-name='%s'", args.NodeName)
	}
	if m.deviceOf(n) != nil || m.exported(n) {
		return generic("Node %s is in use", n.name)
	}
	if err := m.busy(n); err != nil {
		return err
	}
	switch parent, role := m.parent(n); {
	case role == "backing":
		return generic("Node '%s' is busy: node is used as backing hd of '%s'", n.name, parent.name)
	case !n.owned:
		return generic("Node %s is not owned by the monitor", n.name)
	case parent != nil:
		return generic("Block device %s is in use", n.name)
	}
	n.owned = false
	m.dropNode(n)
	return nil
}

// dropNode removes a node, unless something still needs it, and then its children in the same way.
func (m *Machine) dropNode(n *node) {
	if parent, _ := m.parent(n); n.owned || parent != nil || m.deviceOf(n) != nil || m.exported(n) {
		return
	}
	n.keepBitmaps()
	m.shutFile(n)
	m.nodes = slices.DeleteFunc(m.nodes, func(other *node) bool { return other == n })
	for _, c := range n.children {
		m.dropNode(c.node)
	}
}

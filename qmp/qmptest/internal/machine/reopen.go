package machine

import (
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/jsondiff"
	"github.com/goqapi/goqapi/qapi"
)

// reopenCommands returns the commands that change existing nodes.
func (m *Machine) reopenCommands() map[string]Handler {
	return map[string]Handler{
		"blockdev-reopen":         change(m, m.reopen),
		"x-blockdev-reopen":       change(m, func(o options, _ Request) error { return m.reopenAll([]options{o}) }),
		"x-blockdev-change":       change(m, m.changeChildren),
		"x-blockdev-set-iothread": change(m, m.setIOThread),
		"block-job-change":        change(m, m.changeJob),
		"blockdev-set-active":     change(m, m.setActive),
		"drive-mirror":            change(m, m.driveMirror),
	}
}

type reopenArgs struct {
	Options []options `json:"options"`
}

func (m *Machine) reopen(args reopenArgs, _ Request) error {
	if len(args.Options) == 0 {
		return generic("QEMU aborts at this")
	}
	return m.reopenAll(args.Options)
}

// reopenAll changes all of the nodes or none.
func (m *Machine) reopenAll(all []options) error {
	before := map[*node]node{}
	for _, n := range m.nodes {
		before[n] = *n
	}
	for _, o := range all {
		if err := m.reopenNode(o); err != nil {
			for n, old := range before {
				*n = old
			}
			return err
		}
	}
	return nil
}

func (m *Machine) reopenNode(o options) error {
	if o["node-name"] == nil {
		return generic("node-name not specified")
	}
	n := m.node(member[string](o, "node-name"))
	if n == nil {
		return generic("Failed to find node with node-name='%s'", member[string](o, "node-name"))
	}
	if err := n.fixedOptions(o); err != nil {
		return err
	}
	for _, role := range []string{"file", "backing"} {
		if err := m.reopenChild(n, role, o[role]); err != nil {
			return err
		}
	}
	readOnly := member[bool](o, "read-only")
	if user := m.writes(n); readOnly && !n.readOnly && user != "" {
		return generic("Block node '%s' is written by '%s'", n.name, user)
	}
	n.readOnly, n.opened = readOnly, o
	if n.driver == "throttle" {
		n.group = member[string](o, "throttle-group")
	}
	return nil
}

// changeable are the options of nodes that can be changed while they are there.
var changeable = []string{
	"auto-read-only", "backing", "cache", "detect-zeroes", "discard", "file", "force-share", "node-name", "offset", "read-only",
	"throttle-group", "lazy-refcounts", "overlap-check", "cache-clean-interval",
}

// fixedOptions returns why a node cannot be opened again with other options.
func (n *node) fixedOptions(o options) error {
	all := maps.Clone(n.opened)
	maps.Copy(all, o)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		free := slices.Contains(changeable, name) || strings.HasPrefix(name, "pass-discard-") || strings.HasSuffix(name, "cache-size") ||
			name == "size" && n.driver == "raw"
		switch {
		case free || jsondiff.Same(o[name], n.opened[name]):
		case o[name] == nil:
			return generic("Option '%s' cannot be reset to its default value", name)
		default:
			return generic("Cannot change the option '%s'", name)
		}
	}
	return nil
}

// reopenChild puts another node below one, as file or as backing image.
func (m *Machine) reopenChild(n *node, role string, ref jsontext.Value) error {
	i := slices.IndexFunc(n.children, func(c child) bool { return c.role == role })
	switch {
	case ref == nil && i >= 0:
		return generic("%s is missing for '%s'", role, n.name)
	case ref == nil || jsondiff.Same(ref, n.opened[role]):
		return nil
	case ref.Kind() == '{':
		return generic("Cannot change the option '%s.driver'", role)
	}
	below, err := m.openRef(ref)
	switch {
	case err != nil:
		return err
	case below != nil && below.reaches(n):
		return generic("Making '%s' a %s child of '%s' would create a cycle", below.name, role, n.name)
	case role == "file" && (below == nil || !m.since("7.0") && n.children[i].node != below):
		return generic("Cannot change the option 'file'")
	case role == "file" && below.readOnly && !n.readOnly:
		return generic("Block node is read-only")
	}
	children := slices.DeleteFunc(slices.Clone(n.children), func(c child) bool { return c.role == role })
	if below != nil {
		children = append(children, child{role, below})
	}
	n.children = children
	return nil
}

// reaches reports whether another node is this one, or below it in any way.
func (n *node) reaches(other *node) bool {
	return n == other || slices.ContainsFunc(n.children, func(c child) bool { return c.reaches(other) })
}

// writes returns the name of what writes to a node; "" if nothing does.
func (m *Machine) writes(n *node) string {
	if d := m.deviceOf(n); d != nil && !d.isCD() {
		return d.name()
	}
	if parent, role := m.parent(n); parent != nil && role == "file" && !parent.readOnly && slices.Contains(formats, parent.driver) {
		return parent.name
	}
	return ""
}

// changeChildren adds a child to a quorum, or takes one from it.
func (m *Machine) changeChildren(args qapi.XBlockdevChangeArgs, _ Request) error {
	parent, err := m.lookup(args.Parent)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(parent.children, func(c child) bool { return c.role == value(args.Child) })
	switch {
	case (args.Child == nil) == (args.Node == nil):
		return generic("Either child or node must be specified")
	case args.Child != nil && i < 0:
		return generic("Node '%s' does not have child '%s'", parent.name, *args.Child)
	case args.Child != nil && (parent.driver != "quorum" || len(parent.children) <= parent.quorum()):
		return generic("The number of children cannot be lower than the vote threshold %d", parent.quorum())
	case args.Child != nil:
		gone := parent.children[i].node
		parent.children = slices.Delete(slices.Clone(parent.children), i, i+1)
		m.dropNode(gone)
		return nil
	}
	n := m.node(*args.Node)
	if n == nil {
		return generic("Node '%s' not found", *args.Node)
	}
	switch above, _ := m.parent(n); {
	case parent.driver != "quorum":
		return generic("The node %s does not support adding a child", parent.name)
	case above != nil:
		return generic("The node %s already has a parent", n.name)
	}
	parent.votes++
	parent.children = append([]child{{voter(parent.votes - 1), n}}, parent.children...)
	return nil
}

// quorum returns how many children of a quorum have to agree.
func (n *node) quorum() int { return member[int](n.opened, "vote-threshold") }

// setIOThread accepts a thread for a node. Clients cannot see which thread a node has.
func (m *Machine) setIOThread(args qapi.XBlockdevSetIothreadArgs, _ Request) error {
	if m.node(args.NodeName) == nil {
		return generic("Failed to find node with node-name='%s'", args.NodeName)
	}
	if id, ok := args.Iothread.(qapi.Str); ok {
		if o := m.object(string(id)); o == nil || o.iothread == nil {
			return generic("Cannot find iothread %s", id)
		}
	}
	return nil
}

// changeJob makes a mirror copy immediately what is written. It cannot be changed back.
func (m *Machine) changeJob(args qapi.BlockJobChangeOptions, _ Request) error {
	j, err := m.blockJob(args.ID)
	if err != nil {
		return err
	}
	mirror, ok := args.Type.(qapi.BlockJobChangeOptionsMirror)
	switch {
	case j.kind != qapi.JobTypeMirror || !ok:
		return generic("Job type does not support change")
	case mirror.CopyMode == qapi.MirrorCopyModeWriteBlocking:
		m.blocking[j] = true
	case m.blocking[j]:
		return generic("Change to copy mode '%s' is not implemented", mirror.CopyMode)
	}
	return nil
}

// setActive makes a node, or all nodes, release their files or use them again.
func (m *Machine) setActive(args qapi.BlockdevSetActiveArgs, _ Request) error {
	if args.NodeName == nil {
		for _, n := range m.nodes {
			n.inactive = !args.Active
		}
		return nil
	}
	n := m.node(*args.NodeName)
	if n == nil {
		return generic("Failed to find node with node-name='%s'", *args.NodeName)
	}
	if user := m.deviceOf(n); user != nil && !args.Active {
		return generic("Device '%s' uses node '%s'", user.name(), n.name)
	}
	if parent, _ := m.parent(n); parent != nil && !parent.inactive && !args.Active {
		return generic("Node '%s' has active parent node", n.name)
	}
	n.inactive = !args.Active
	return nil
}

// driveMirrorArgs are those of blockdev-mirror, except that the target is a file.
type driveMirrorArgs struct {
	mirrorArgs

	NodeName *string            `json:"node-name"`
	Format   string             `json:"format"`
	Mode     *qapi.NewImageMode `json:"mode"`
}

func (m *Machine) driveMirror(args driveMirrorArgs, req Request) error {
	n, err := m.lookup(args.Device)
	if err != nil {
		return err
	}
	if args.Format == "" {
		args.Format = n.driver
	}
	target, err := m.openImage(imageFile{args.Target, args.Format, args.Mode, n.size, args.NodeName})
	if err != nil {
		return err
	}
	args.Target = target.name
	if err := m.mirror(args.mirrorArgs, req); err != nil {
		m.dropNode(target)
		return err
	}
	m.job(args.JobID).release = func() { m.dropNode(target) }
	return nil
}

package machine

import (
	"slices"
	"strconv"
	"time"

	"github.com/goqapi/goqapi/qapi"
)

// snapshotJobCommands returns the commands for snapshots of the machine and its disks,
// which are stored in the disks' images.
func (m *Machine) snapshotJobCommands() map[string]Handler {
	return map[string]Handler{
		"snapshot-save":   change(m, m.snapshotJob(qapi.JobTypeSnapshotSave, m.saveSnapshot)),
		"snapshot-load":   change(m, m.snapshotJob(qapi.JobTypeSnapshotLoad, m.loadSnapshot)),
		"snapshot-delete": change(m, m.snapshotJob(qapi.JobTypeSnapshotDelete, deleteSnapshots)),
	}
}

// snapshotArgs are the arguments of all three; snapshot-delete has no vmstate.
type snapshotArgs struct {
	JobID   string   `json:"job-id"`
	Tag     string   `json:"tag"`
	VMState string   `json:"vmstate"`
	Devices []string `json:"devices"`
}

func (m *Machine) snapshotJob(kind qapi.JobType, do func(snapshotArgs, []*node) error) func(snapshotArgs, Request) error {
	return func(args snapshotArgs, req Request) error {
		return m.start(&job{id: args.JobID, kind: kind, autoFinalize: true, total: 1, do: func() error {
			nodes, err := m.snapshotNodes(args.Devices)
			if err != nil {
				return err
			}
			return do(args, nodes)
		}}, req)
	}
}

// snapshotNodes returns the nodes with those names that a snapshot can be taken of; read-only ones
// are left out.
func (m *Machine) snapshotNodes(names []string) (nodes []*node, err error) {
	if len(names) == 0 {
		return nil, generic("At least one device is required for snapshot")
	}
	for _, name := range names {
		n := m.node(name)
		switch {
		case n == nil:
			return nil, generic("No block device node '%s'", name)
		case n.readOnly:
		case n.driver != "qcow2":
			return nil, generic("Device '%s' is writable but does not support snapshots", name)
		default:
			nodes = append(nodes, n)
		}
	}
	return nodes, nil
}

// tagged returns the snapshot of that name in the node's image; nil: there is none.
func (n *node) tagged(tag string) *qapi.SnapshotInfo {
	i := slices.IndexFunc(n.disk.snapshots, func(s qapi.SnapshotInfo) bool { return s.Name == tag })
	if i < 0 {
		return nil
	}
	return &n.disk.snapshots[i]
}

// withState finds the node that holds the machine's state.
func withState(args snapshotArgs, nodes []*node) (*node, error) {
	i := slices.IndexFunc(nodes, func(n *node) bool { return n.name == args.VMState })
	if i < 0 {
		return nil, generic("vmstate block device '%s' does not exist", args.VMState)
	}
	return nodes[i], nil
}

func (m *Machine) saveSnapshot(args snapshotArgs, nodes []*node) error {
	if slices.ContainsFunc(nodes, func(n *node) bool { return n.tagged(args.Tag) != nil }) {
		return generic("Snapshot '%s' already exists in one or more devices", args.Tag)
	}
	state, err := withState(args, nodes)
	if err != nil {
		return err
	}
	m.whileStopped(qapi.RunStateSaveVM, func() {
		now := time.Now()
		for _, n := range nodes {
			s := qapi.SnapshotInfo{Name: args.Tag, DateSec: now.Unix(), DateNsec: int64(now.Nanosecond())}
			if n == state {
				s.VMStateSize = memory
			}
			n.disk.made++
			s.ID = strconv.Itoa(n.disk.made)
			n.disk.snapshots = append(slices.Clone(n.disk.snapshots), s)
		}
	})
	return nil
}

func (m *Machine) loadSnapshot(args snapshotArgs, nodes []*node) error {
	if slices.ContainsFunc(nodes, func(n *node) bool { return n.tagged(args.Tag) == nil }) {
		return generic("Snapshot '%s' does not exist in one or more devices", args.Tag)
	}
	state, err := withState(args, nodes)
	if err != nil {
		return err
	}
	if state.tagged(args.Tag).VMStateSize == 0 {
		return generic("This is a disk-only snapshot. Revert to it  offline using qemu-img")
	}
	m.whileStopped(qapi.RunStateRestoreVM, func() {})
	return nil
}

func deleteSnapshots(args snapshotArgs, nodes []*node) error {
	for _, n := range nodes {
		n.disk.snapshots = slices.DeleteFunc(slices.Clone(n.disk.snapshots), func(s qapi.SnapshotInfo) bool { return s.Name == args.Tag })
	}
	return nil
}

// whileStopped calls f while the guest is stopped.
func (m *Machine) whileStopped(status qapi.RunState, f func()) {
	before := m.status
	if m.running() {
		m.halt(status)
	}
	f()
	if m.status != before {
		m.status = before
		m.host.Emit(qapi.ResumeEvent{})
	}
}

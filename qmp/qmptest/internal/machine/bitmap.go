package machine

import (
	"crypto/sha256"
	"encoding/hex"
	"math/bits"
	"slices"

	"github.com/goqapi/goqapi/qapi"
)

// A bitmap is a dirty bitmap of a node.
type bitmap struct {
	name                           string
	granularity                    uint32
	disabled, persistent, removing bool // removing: it is about to be removed

	dirty extents // what it marks
	later extents // what was written while a job used it
}

// all returns what the bitmap marks after a job that uses it has ended.
func (b bitmap) all() extents { return b.dirty.and(b.later, int64(b.granularity)) }

func (m *Machine) bitmapCommands() map[string]Handler {
	return map[string]Handler{
		"block-dirty-bitmap-add":     change(m, command(m, m.addBitmap)),
		"block-dirty-bitmap-remove":  change(m, command(m, m.removeBitmap)),
		"block-dirty-bitmap-clear":   change(m, command(m, m.clearBitmap)),
		"block-dirty-bitmap-enable":  change(m, command(m, m.enableBitmap)),
		"block-dirty-bitmap-disable": change(m, command(m, m.disableBitmap)),
		"block-dirty-bitmap-merge":   change(m, command(m, m.mergeBitmaps)),

		"x-debug-block-dirty-bitmap-sha256": handle(m, m.bitmapSum),
	}
}

// defaultGranularity is what a bit stands for, in bytes.
const defaultGranularity = 64 << 10

func (m *Machine) addBitmap(args qapi.BlockDirtyBitmapAdd, _ Request) (step, error) {
	n, err := m.lookup(args.Node)
	if err != nil {
		return step{}, err
	}
	b := bitmap{
		name: args.Name, granularity: valueOr(args.Granularity, defaultGranularity),
		disabled: value(args.Disabled), persistent: value(args.Persistent),
	}
	switch {
	case b.name == "":
		return step{}, generic("Bitmap name cannot be empty")
	case len(b.name) > 1023:
		return step{}, generic("Bitmap name too long: %s", b.name)
	case b.granularity < 512 || bits.OnesCount32(b.granularity) != 1:
		return step{}, generic("Granularity must be power of 2 and at least 512")
	case slices.ContainsFunc(n.bitmaps, func(other bitmap) bool { return other.name == b.name }):
		return step{}, generic("Bitmap already exists: %s", b.name)
	case b.persistent && n.driver != "qcow2":
		return step{}, generic("Can't store persistent bitmaps to %s: Operation not supported", n.name)
	case b.persistent && n.readOnly && m.since("11.1"):
		return step{}, generic("Cannot add a persistent bitmap to read-only or inactive node '%s'", n.name)
	}
	return n.withBitmaps(slices.Insert(slices.Clone(n.bitmaps), 0, b)), nil
}

// withBitmaps gives the node other bitmaps. Lists that were there are not changed.
func (n *node) withBitmaps(list []bitmap) step {
	before := n.bitmaps
	n.bitmaps = list
	return step{undo: func() { n.bitmaps = before }}
}

// findBitmap finds a bitmap: its node, and where it is in the node's list.
func (m *Machine) findBitmap(nodeName, name string) (*node, int, error) {
	n := m.node(nodeName)
	if n == nil {
		return nil, 0, generic("Node '%s' not found", nodeName)
	}
	i := slices.IndexFunc(n.bitmaps, func(b bitmap) bool { return b.name == name })
	if i < 0 {
		return nil, 0, generic("Dirty bitmap '%s' not found", name)
	}
	return n, i, nil
}

// bitmap finds a bitmap that nothing uses.
func (m *Machine) bitmap(nodeName, name string) (*node, int, error) {
	n, i, err := m.findBitmap(nodeName, name)
	if err == nil && (n.bitmaps[i].removing || m.recording(n, name) || m.exporting(n, name)) {
		err = bitmapInUse(name)
	}
	return n, i, err
}

func bitmapInUse(name string) error {
	return generic("Bitmap '%s' is currently in use by another operation and cannot be used", name)
}

// recording reports whether a job uses a bitmap.
func (m *Machine) recording(n *node, name string) bool {
	return slices.ContainsFunc(m.jobs, func(j *job) bool {
		return j.bitmap == name && name != "" && j.nodes[0] == n && j.status != qapi.JobStatusConcluded
	})
}

// changeBitmap changes a bitmap that nothing uses.
func (m *Machine) changeBitmap(args qapi.BlockDirtyBitmap, f func(*bitmap)) (step, error) {
	n, i, err := m.bitmap(args.Node, args.Name)
	if err != nil {
		return step{}, err
	}
	list := slices.Clone(n.bitmaps)
	f(&list[i])
	return n.withBitmaps(list), nil
}

func (m *Machine) removeBitmap(args qapi.BlockDirtyBitmap, _ Request) (step, error) {
	s, err := m.changeBitmap(args, func(b *bitmap) { b.removing = true })
	s.commit = func() {
		n := m.node(args.Node)
		n.bitmaps = slices.DeleteFunc(slices.Clone(n.bitmaps), func(b bitmap) bool { return b.name == args.Name })
	}
	return s, err
}

func (m *Machine) clearBitmap(args qapi.BlockDirtyBitmap, _ Request) (step, error) {
	return m.changeBitmap(args, func(b *bitmap) { b.dirty, b.later = nil, nil })
}

func (m *Machine) enableBitmap(args qapi.BlockDirtyBitmap, _ Request) (step, error) {
	return m.changeBitmap(args, func(b *bitmap) { b.disabled = false })
}

func (m *Machine) disableBitmap(args qapi.BlockDirtyBitmap, _ Request) (step, error) {
	return m.changeBitmap(args, func(b *bitmap) { b.disabled = true })
}

func (m *Machine) mergeBitmaps(args qapi.BlockDirtyBitmapMerge, _ Request) (step, error) {
	target, at, err := m.bitmap(args.Node, args.Target)
	if err != nil {
		return step{}, err
	}
	list := slices.Clone(target.bitmaps)
	merged := &list[at]
	for _, source := range args.Bitmaps {
		from := qapi.BlockDirtyBitmap{Node: args.Node}
		switch source := source.(type) {
		case qapi.Str:
			from.Name = string(source)
		case qapi.BlockDirtyBitmap:
			from = source
		}
		n, i, err := m.bitmap(from.Node, from.Name)
		if err != nil {
			return step{}, err
		}
		if n.size != target.size {
			return step{}, generic("Bitmaps are of different sizes (destination size is %d, source size is %d) and can't be merged",
				target.size, n.size)
		}
		merged.dirty = merged.all().and(n.bitmaps[i].all(), int64(merged.granularity))
	}
	return target.withBitmaps(list), nil
}

// saved removes all marks of a bitmap, except those for what was written after a job began to use it.
func (n *node) saved(name string) {
	list := slices.Clone(n.bitmaps)
	for i := range list {
		if b := &list[i]; b.name == name {
			b.dirty, b.later = b.later, nil
		}
	}
	n.bitmaps = list
}

// marked returns how much a bitmap of a node marks.
func (n *node) marked(name string) int64 {
	for _, b := range n.bitmaps {
		if b.name == name {
			return b.all().size()
		}
	}
	return 0
}

// bitmapInfo returns what a query shows of the bitmaps of a node.
func (m *Machine) bitmapInfo(n *node) (all []qapi.BlockDirtyInfo) {
	for _, b := range n.bitmaps {
		dirty := b.dirty
		if !m.recording(n, b.name) {
			dirty = b.all()
		}
		all = append(all, qapi.BlockDirtyInfo{
			Count: dirty.size(), Name: &b.name, Granularity: b.granularity, Recording: !b.disabled, Persistent: b.persistent,
			Busy: m.recording(n, b.name) || m.exporting(n, b.name),
		})
	}
	return all
}

// bitmapSum returns a checksum of what a bitmap marks.
func (m *Machine) bitmapSum(args qapi.BlockDirtyBitmap, _ Request) (any, error) {
	n, i, err := m.findBitmap(args.Node, args.Name)
	if err != nil {
		return nil, err
	}
	b := n.bitmaps[i]
	if n.size/int64(b.granularity) > 1<<30 {
		return nil, m.host.NotExecuted("x-debug-block-dirty-bitmap-sha256 of a bitmap of 128 MiB or more")
	}
	sum := sha256.Sum256(b.all().bits(n.size, int64(b.granularity)))
	return qapi.BlockDirtyBitmapSHA256{SHA256: hex.EncodeToString(sum[:])}, nil
}

// keepBitmaps leaves those bitmaps of a node that are to stay in its image.
func (n *node) keepBitmaps() {
	if n.disk == nil || n.driver != "qcow2" || n.readOnly {
		return
	}
	n.disk.bitmaps = slices.DeleteFunc(slices.Clone(n.bitmaps), func(b bitmap) bool { return !b.persistent })
}

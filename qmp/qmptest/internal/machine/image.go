package machine

import (
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/goqapi/goqapi/qapi"
)

// imageCommands returns the commands that also make images, and those for what is inside images.
func (m *Machine) imageCommands() map[string]Handler {
	return map[string]Handler{
		"blockdev-snapshot-sync":                 change(m, command(m, m.snapshotSync)),
		"blockdev-snapshot-internal-sync":        change(m, command(m, m.internalSnapshot)),
		"blockdev-snapshot-delete-internal-sync": handle(m, m.deleteSnapshot),
		"change-backing-file":                    change(m, m.changeBackingFile),
		"drive-backup":                           change(m, command(m, m.driveBackup)),
	}
}

// An imageFile says which image to open, and whether to make it first.
type imageFile struct {
	name, format string
	mode         *qapi.NewImageMode
	size         int64
	node         *string // its name; nil: one is generated
}

// openImage opens an image that the monitor does not own.
func (m *Machine) openImage(f imageFile) (*node, error) {
	switch {
	case !qapi.BlockdevDriver(f.format).Known():
		return nil, generic("Unknown file format '%s'", f.format)
	case f.format != "raw" && !slices.Contains(creators, f.format):
		return nil, generic("Format driver '%s' does not support image creation", f.format)
	}
	if valueOr(f.mode, qapi.NewImageModeAbsolutePaths) != qapi.NewImageModeExisting {
		d := &disk{size: f.size}
		if f.format != "raw" {
			d.format, d.virtual = f.format, f.size
		}
		m.disks[f.name] = d
	}
	o := struct {
		Driver   string            `json:"driver"`
		NodeName *string           `json:"node-name,omitzero"`
		File     map[string]string `json:"file"`
	}{f.format, f.node, map[string]string{"driver": "file", "filename": f.name}}
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	var opts options
	if err := json.Unmarshal(text, &opts); err != nil {
		return nil, err
	}
	return m.open(opts)
}

// snapshotSync puts an image that it makes above a node. If no device uses that node, the
// image is gone at once: nobody owns it.
func (m *Machine) snapshotSync(args qapi.BlockdevSnapshotSync, _ Request) (step, error) {
	n, err := m.lookup(value(args.NodeName))
	if err != nil {
		return step{}, err
	}
	format := valueOr(args.Format, "qcow2")
	switch {
	case args.SnapshotNodeName == nil:
		return step{}, generic("New overlay node-name missing")
	case m.node(*args.SnapshotNodeName) != nil:
		return step{}, generic("New overlay node-name already in use")
	case qapi.BlockdevDriver(format).Known() && !slices.Contains(overlays, format):
		return step{}, generic("Backing file not supported for file format '%s'", format)
	}
	overlay, err := m.openImage(imageFile{args.SnapshotFile, format, args.Mode, n.size, args.SnapshotNodeName})
	if err != nil {
		return step{}, err
	}
	s, err := m.putAbove(n, overlay)
	if err != nil {
		m.dropNode(overlay)
		return step{}, err
	}
	undo := s.undo
	s.undo = func() {
		undo()
		m.dropNode(overlay)
	}
	s.commit = func() { m.dropNode(overlay) }
	return s, nil
}

// root finds a node that is not below another.
func (m *Machine) root(name string) (*node, error) {
	n, err := m.lookup(name)
	if err != nil {
		return nil, err
	}
	if parent, _ := m.parent(n); parent != nil {
		return nil, generic("Need a root block node")
	}
	return n, nil
}

func (m *Machine) internalSnapshot(args qapi.BlockdevSnapshotInternal, _ Request) (step, error) {
	n, err := m.root(args.Device)
	if err != nil {
		return step{}, err
	}
	same := func(s qapi.SnapshotInfo) bool { return s.Name == args.Name }
	switch {
	case args.Name == "":
		return step{}, generic("Name is empty")
	case n.driver != "qcow2":
		return step{}, generic("Block format '%s' used by device '%s' does not support internal snapshots", n.driver, n.name)
	case slices.ContainsFunc(n.disk.snapshots, same):
		return step{}, generic("Snapshot with name '%s' already exists on device '%s'", args.Name, n.name)
	}
	if err := m.busy(n); err != nil {
		return step{}, err
	}
	before, now := n.disk.snapshots, time.Now()
	n.disk.made++
	n.disk.snapshots = append(slices.Clone(before), qapi.SnapshotInfo{
		ID: strconv.Itoa(n.disk.made), Name: args.Name, DateSec: now.Unix(), DateNsec: int64(now.Nanosecond()),
	})
	return step{undo: func() { n.disk.snapshots = before }}, nil
}

func (m *Machine) deleteSnapshot(args qapi.BlockdevSnapshotDeleteInternalSyncArgs, _ Request) (any, error) {
	n, err := m.root(args.Device)
	switch {
	case err != nil:
		return nil, err
	case args.ID == nil && args.Name == nil:
		return nil, generic("Name or id must be provided")
	case n.driver != "qcow2":
		return nil, generic("Failed to get a snapshot list: Operation not supported")
	}
	i := slices.IndexFunc(n.disk.snapshots, func(s qapi.SnapshotInfo) bool {
		return valueOr(args.ID, s.ID) == s.ID && valueOr(args.Name, s.Name) == s.Name
	})
	if i < 0 {
		return nil, generic("Snapshot with id '%s' and name '%s' does not exist on device '%s'",
			valueOr(args.ID, "null"), value(args.Name), n.name)
	}
	gone := n.disk.snapshots[i]
	n.disk.snapshots = slices.Delete(slices.Clone(n.disk.snapshots), i, i+1)
	return gone, nil
}

// changeBackingFile changes the name of the backing file in an image. Clients cannot see the
// change.
func (m *Machine) changeBackingFile(args qapi.ChangeBackingFileArgs, _ Request) error {
	n, err := m.root(args.Device)
	if err != nil {
		return err
	}
	image, err := m.inChain(n, &args.ImageNodeName, nil)
	if err != nil {
		return err
	}
	if image.backing() == nil {
		return generic("not allowing backing file change on an image without a backing file")
	}
	return m.busy(n)
}

// driveBackupArgs are those of blockdev-backup, except that the target is a file.
type driveBackupArgs struct {
	backupArgs

	Format string             `json:"format"`
	Mode   *qapi.NewImageMode `json:"mode"`
}

func (m *Machine) driveBackup(args driveBackupArgs, _ Request) (step, error) {
	n, err := m.lookup(args.Device)
	if err != nil {
		return step{}, err
	}
	if args.Format == "" {
		args.Format = n.driver
	}
	target, err := m.openImage(imageFile{args.Target, args.Format, args.Mode, n.size, nil})
	if err != nil {
		return step{}, err
	}
	args.Target = target.name
	j, err := m.admitBackup(args.backupArgs)
	if err != nil {
		m.dropNode(target)
		return step{}, err
	}
	j.release = func() { m.dropNode(target) }
	return m.beginning(j), nil
}

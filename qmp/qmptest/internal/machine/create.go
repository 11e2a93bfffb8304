package machine

import (
	"slices"

	"github.com/goqapi/goqapi/qapi"
)

// creators are the drivers that can make an image.
var creators = []string{
	"file", "gluster", "luks", "nfs", "parallels", "qcow", "qcow2", "qed", "rbd", "ssh", "vdi", "vhdx", "vmdk", "vpc",
}

type createArgs struct {
	JobID   string  `json:"job-id"`
	Options options `json:"options"`
}

// blockdevCreate makes an image: a file, or a format in one.
func (m *Machine) blockdevCreate(args createArgs, req Request) error {
	driver := member[string](args.Options, "driver")
	if !slices.Contains(creators, driver) {
		return generic("Driver does not support blockdev-create")
	}
	return m.start(&job{
		id: args.JobID, kind: qapi.JobTypeCreate, autoFinalize: true, total: 1,
		do: func() error { return m.create(driver, args.Options) },
	}, req)
}

// emptyQcow2 is how large a small image is before anything is written to it.
const emptyQcow2 = 3<<16 + 512

func (m *Machine) create(driver string, o options) error {
	size := member[int64](o, "size")
	if o["file"] == nil {
		name := member[string](o, "filename")
		m.disks[name] = &disk{size: size}
		return nil
	}
	before := m.nodes
	n, err := m.openRef(o["file"])
	if err != nil {
		m.backTo(before)
		return err
	}
	n.disk.format, n.disk.virtual, n.disk.foreign = driver, size, false
	if driver == "qcow2" {
		n.disk.size = max(n.disk.size, emptyQcow2)
	}
	m.dropNode(n)
	return nil
}

type amendArgs struct {
	JobID    string  `json:"job-id"`
	NodeName string  `json:"node-name"`
	Options  options `json:"options"`
}

// amend changes options of an image's format. Clients cannot see the change.
func (m *Machine) amend(args amendArgs, req Request) error {
	n, err := m.lookup(args.NodeName)
	if err != nil {
		return err
	}
	if n.driver != member[string](args.Options, "driver") {
		return generic("x-blockdev-amend doesn't support changing the block driver")
	}
	return m.start(&job{id: args.JobID, kind: qapi.JobTypeAmend, autoFinalize: true, total: 1, do: func() error { return nil }}, req)
}

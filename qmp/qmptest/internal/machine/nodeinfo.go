package machine

import (
	"slices"

	"github.com/goqapi/goqapi/qapi"
)

func (m *Machine) nodeCommands() map[string]Handler {
	return map[string]Handler{
		"blockdev-add":              change(m, m.blockdevAdd),
		"blockdev-del":              change(m, m.blockdevDel),
		"block_resize":              change(m, m.resize),
		"query-named-block-nodes":   handle(m, m.queryNodes),
		"query-block":               query(m, m.queryBlock),
		"block_set_io_throttle":     change(m, m.setThrottle),
		"block-set-write-threshold": change(m, m.setWriteThreshold),
		"query-blockstats":          handle(m, m.queryBlockstats),

		"block-latency-histogram-set": change(m, m.setHistogram),
	}
}

func (m *Machine) queryNodes(args qapi.QueryNamedBlockNodesArgs, _ Request) (any, error) {
	all := []qapi.BlockDeviceInfo{}
	for _, n := range m.nodes {
		all = append(all, m.nodeInfo(n, value(args.Flat)))
	}
	return all, nil
}

// nodeInfo describes a node; flat leaves out the backing images.
func (m *Machine) nodeInfo(n *node, flat bool) qapi.BlockDeviceInfo {
	info := qapi.BlockDeviceInfo{
		File:           n.filename,
		NodeName:       n.name,
		Ro:             n.readOnly,
		Drv:            n.driver,
		Active:         m.since("10.0") && m.status != qapi.RunStatePostmigrate && !n.inactive,
		DetectZeroes:   qapi.BlockdevDetectZeroesOptionsOff,
		Image:          m.imageInfo(n, flat),
		Cache:          qapi.BlockdevCacheInfo{Writeback: true},
		DirtyBitmaps:   m.bitmapInfo(n),
		WriteThreshold: n.threshold,
	}
	if b := n.backing(); b != nil {
		info.BackingFile = &b.filename
	}
	for b := n.backing(); b != nil && !flat; b = b.backing() {
		info.BackingFileDepth++
	}
	if m.since("10.2") {
		for _, c := range n.children {
			info.Children = append(info.Children, qapi.BlockdevChild{Child: c.role, NodeName: c.name})
		}
	}
	return info
}

func (m *Machine) imageInfo(n *node, flat bool) qapi.ImageInfo {
	info := qapi.ImageInfo{
		Filename:    n.filename,
		Format:      n.driver,
		ActualSize:  new(int64(0)),
		VirtualSize: n.size,
	}
	if n.driver == "qcow2" {
		info.ClusterSize = new(int64(65536))
	}
	if m.since("10.2") {
		info.Limits = &qapi.BlockLimitsInfo{
			RequestAlignment: 1, MinMemAlignment: 512, OptMemAlignment: 4096, MaxIov: 1024,
		}
	}
	if slices.Contains(formats, n.driver) {
		info.Snapshots = n.disk.snapshots
	}
	if b := n.backing(); b != nil {
		info.BackingFilename, info.FullBackingFilename = &b.filename, &b.filename
		if !flat {
			info.BackingImage = new(m.imageInfo(b, false))
		}
	}
	return info
}

// queryBlock lists the drives: those of devices, full or empty.
func (m *Machine) queryBlock() []qapi.BlockInfo {
	all := []qapi.BlockInfo{}
	for _, d := range m.devices {
		if !d.isDrive() {
			continue
		}
		info := qapi.BlockInfo{
			Qdev:      new(d.drive()),
			Type:      "unknown",
			Removable: d.isCD(),
			IOStatus:  new(qapi.BlockDeviceIOStatusOk),
		}
		if d.failed {
			info.IOStatus = new(qapi.BlockDeviceIOStatusFailed)
		}
		if d.isCD() {
			info.TrayOpen = new(d.trayOpen)
		}
		if d.node != nil {
			info.Inserted = new(m.nodeInfo(d.node, false))
			d.limits(info.Inserted)
		}
		all = append(all, info)
	}
	return all
}

func (m *Machine) resize(args qapi.BlockResizeArgs, _ Request) error {
	n := m.node(value(args.NodeName))
	if n == nil {
		return generic("Cannot find device='%s' nor node-name='%s'", value(args.Device), value(args.NodeName))
	}
	if args.Size < 0 {
		return generic("Parameter 'size' expects a >0 size")
	}
	if err := m.busy(n); err != nil {
		return err
	}
	if n.driver == "qcow2" && args.Size%512 != 0 {
		return generic("The new size must be a multiple of 512")
	}
	if !n.resize(args.Size) {
		return generic("Image format driver does not support resize")
	}
	return nil
}

// resizable are the drivers that hold data and can change their size.
var resizable = []string{"file", "host_device", "qcow2", "qed", "rbd", "luks", "parallels", "vdi"}

func (n *node) resize(size int64) bool {
	below := n.below()
	switch {
	case slices.Contains(formats, n.driver) && slices.Contains(resizable, n.driver):
		n.disk.virtual = size
	case below != nil && below.resize(size):
	case below == nil && slices.Contains(resizable, n.driver):
		n.disk.size = size
	default:
		return false
	}
	n.size = size
	return true
}

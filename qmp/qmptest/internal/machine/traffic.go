package machine

import (
	"slices"

	"github.com/goqapi/goqapi/qapi"
)

// A traffic is what a drive has read and written.
type traffic struct {
	readBytes, readOps, writeBytes, writeOps, flushOps int64
	reads, writes, zones, flushes                      *histogram
}

// A histogram counts requests by how long they took. Here they take no time.
type histogram struct {
	boundaries []uint64
	count      uint64
}

func (h *histogram) add() {
	if h != nil {
		h.count++
	}
}

func (h *histogram) info() *qapi.BlockLatencyHistogramInfo {
	if h == nil {
		return nil
	}
	bins := make([]uint64, len(h.boundaries)+1)
	bins[0] = h.count
	return &qapi.BlockLatencyHistogramInfo{Boundaries: h.boundaries, Bins: bins}
}

// trafficOf returns the traffic of a drive.
func (m *Machine) trafficOf(d *device) *traffic {
	t := m.traffic[d]
	if t == nil {
		t = &traffic{}
		m.traffic[d] = t
	}
	return t
}

// A diskRequest is what a guest asks of a drive.
type diskRequest struct {
	write        bool
	offset, size int64
}

// Disk has the guest read from a drive, or write to it.
func (m *Machine) Disk(drive string, write bool, offset, size int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, err := m.drive(driveArgs{ID: &drive})
	switch {
	case err != nil:
		return err
	case d.node == nil:
		return generic("Device '%s' has no medium", drive)
	case offset < 0 || size < 0 || offset > d.node.size-size:
		return generic("%d bytes at %d of device '%s' are not in its medium of %d bytes", size, offset, drive, d.node.size)
	case write && d.node.readOnly:
		return generic("Device '%s' is read-only", drive)
	}
	m.transfer(d, diskRequest{write, offset, size})
	return nil
}

// transfer does what a guest asks for, and counts it.
func (m *Machine) transfer(d *device, r diskRequest) {
	t := m.trafficOf(d)
	if r.write {
		t.writeOps++
		t.writeBytes += r.size
		t.writes.add()
		m.write(d.node, r)
		return
	}
	t.readOps++
	t.readBytes += r.size
	t.reads.add()
}

// write records a write to a node, and to the nodes below it that the write passes through.
func (m *Machine) write(n *node, r diskRequest) {
	end := r.offset + r.size
	n.highest = max(n.highest, end)
	list := slices.Clone(n.bitmaps)
	for i := range list {
		b := &list[i]
		switch {
		case b.disabled:
		case m.recording(n, b.name):
			b.later = b.later.with(r.offset, end, int64(b.granularity))
		default:
			b.dirty, b.later = b.all().with(r.offset, end, int64(b.granularity)), nil
		}
	}
	n.bitmaps = list
	if n.threshold > 0 && end > n.threshold {
		m.host.Emit(qapi.BlockWriteThresholdEvent{
			NodeName: n.name, WriteThreshold: uint64(n.threshold), AmountExceeded: uint64(end - n.threshold),
		})
		n.threshold = 0
	}
	if below := n.below(); below != nil && !slices.Contains(formats, n.driver) { // the drivers of formats decide where they write
		r.offset += member[int64](n.opened, "offset")
		m.write(below, r)
	}
}

// setHistogram starts to count the requests of a drive by how long they take, or stops that.
func (m *Machine) setHistogram(args qapi.BlockLatencyHistogramSetArgs, _ Request) error {
	d, err := m.drive(driveArgs{ID: &args.ID})
	if err != nil {
		return err
	}
	t := m.trafficOf(d)
	if args.Boundaries == nil && args.BoundariesRead == nil && args.BoundariesWrite == nil && args.BoundariesFlush == nil &&
		args.BoundariesZap == nil {
		t.reads, t.writes, t.zones, t.flushes = nil, nil, nil, nil
		return nil
	}
	for _, each := range []struct {
		name string
		to   **histogram
		own  []uint64
	}{
		{"read", &t.reads, args.BoundariesRead},
		{"write", &t.writes, args.BoundariesWrite},
		{"zone append", &t.zones, args.BoundariesZap},
		{"flush", &t.flushes, args.BoundariesFlush},
	} {
		boundaries := each.own
		if boundaries == nil {
			boundaries = args.Boundaries
		}
		if boundaries == nil || each.to == &t.zones && !m.since("8.1") {
			continue
		}
		if each.to != &t.zones && (!ascending(boundaries) || len(boundaries) == 0 && m.since("10.0")) { // those go unchecked
			return generic("Device '%s' set %s boundaries fail", args.ID, each.name)
		}
		*each.to = &histogram{boundaries: boundaries}
	}
	return nil
}

// ascending reports whether each boundary is above the one before it, and the first above 0.
func ascending(boundaries []uint64) bool {
	last := uint64(0)
	for _, b := range boundaries {
		if b <= last {
			return false
		}
		last = b
	}
	return true
}

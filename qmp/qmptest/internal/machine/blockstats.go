package machine

import (
	"github.com/goqapi/goqapi/qapi"
)

func (m *Machine) queryBlockstats(args qapi.QueryBlockstatsArgs, _ Request) (any, error) {
	all := []qapi.BlockStats{}
	if value(args.QueryNodes) {
		for _, n := range m.nodes {
			all = append(all, m.nodeStats(n, true))
		}
		return all, nil
	}
	for _, d := range m.devices {
		if !d.isDrive() {
			continue
		}
		stats := qapi.BlockStats{}
		if d.node != nil {
			stats = m.nodeStats(d.node, false)
		}
		stats.Device, stats.Qdev = new(""), new(d.drive())
		m.trafficOf(d).show(&stats.Stats)
		if m.since("7.2") {
			stats.Stats.AccountInvalid, stats.Stats.AccountFailed = true, true
		}
		all = append(all, stats)
	}
	return all, nil
}

// nodeStats returns the statistics of a node and of the nodes below it; those of a node that is
// listed on its own do not include its backing image.
func (m *Machine) nodeStats(n *node, alone bool) qapi.BlockStats {
	stats := qapi.BlockStats{NodeName: &n.name}
	stats.Stats.WrHighestOffset = n.highest
	if n.driver == "file" {
		stats.DriverSpecific = &qapi.BlockStatsSpecific{Driver: qapi.BlockStatsSpecificFile{}}
	}
	if below := n.below(); below != nil {
		stats.Parent = new(m.nodeStats(below, alone))
	}
	if backing := n.backing(); backing != nil && !alone {
		stats.Backing = new(m.nodeStats(backing, alone))
	}
	return stats
}

// show puts what a drive has done into its statistics. All is done in no time.
func (t *traffic) show(stats *qapi.BlockDeviceStats) {
	stats.RdBytes, stats.RdOperations = t.readBytes, t.readOps
	stats.WrBytes, stats.WrOperations = t.writeBytes, t.writeOps
	stats.FlushOperations = t.flushOps
	stats.RdLatencyHistogram, stats.WrLatencyHistogram = t.reads.info(), t.writes.info()
	stats.ZoneAppendLatencyHistogram, stats.FlushLatencyHistogram = t.zones.info(), t.flushes.info()
}

func (m *Machine) setWriteThreshold(args qapi.BlockSetWriteThresholdArgs, _ Request) error {
	n := m.node(args.NodeName)
	if n == nil {
		return generic("Device '%s' not found", args.NodeName)
	}
	n.threshold = int64(args.WriteThreshold)
	return nil
}

package machine

import (
	"fmt"
	"strings"
)

// printed are the lines that always print the same text, in releases that have them.
var printed = map[string]struct{ since, before, text string }{
	"announce_self":            {},
	"nmi":                      {},
	"info accelerators":        {since: "11.1", text: "kvm mshv qtest [tcg]\r\n"},
	"info cryptodev":           {since: "8.0"},
	"info mice":                {text: "* Mouse #2: QEMU PS/2 Mouse\r\n"},
	"info numa":                {text: "0 nodes\r\n"},
	"info replay":              {text: "Record/replay is not active\r\n"},
	"info sev":                 {text: "SEV is not enabled\r\n"},
	"info spice":               {text: "Server: disabled\r\n"},
	"info tpm":                 {},
	"info vm-generation-id":    {text: "Error: VM Generation ID device not found\r\n"},
	"info history":             {},
	"info rdma":                {before: "9.1"},
	"info memory_size_summary": {text: fmt.Sprintf("base memory: %d\r\nplugged memory: 0\r\n", memory)},
}

// onlyElsewhere reports whether a line is in printed, but only for other releases.
func (m *Machine) onlyElsewhere(name string) bool {
	line, ok := printed[name]
	return ok && !m.has(line.since, line.before)
}

// infos returns the lines that show the machine, and those that always print the same text.
func (m *Machine) infos() map[string]func() string {
	all := map[string]func() string{
		"info blockstats": m.hmpBlockStats,
		"info chardev":    m.hmpChardevs,
		"info cpus":       m.hmpCPUs,
		"info iothreads":  m.hmpIOThreads,
		"info memdev":     m.hmpMemdev,
		"info usb":        m.hmpUSB,
		"info capture":    m.hmpCapture,
		"system_wakeup":   func() string { return "Error: " + description(m.wakeup(struct{}{}, nil)) + "\r\n" },
	}
	for name, line := range printed {
		if m.has(line.since, line.before) {
			all[name] = func() string { return line.text }
		}
	}
	return all
}

func (m *Machine) hmpUSB() string {
	if m.since("7.2") {
		return "Error: USB support not enabled\r\n"
	}
	return "USB support not enabled\r\n"
}

func (m *Machine) hmpCapture() string {
	if m.since("10.2") {
		return "warning: 'info capture' is deprecated since v10.2, to be removed\r\n"
	}
	return ""
}

func (m *Machine) hmpCPUs() string {
	model := ""
	if m.since("11.1") {
		model = " model=qemu64"
	}
	return fmt.Sprintf("* CPU #0: thread_id=%d%s\r\n", firstThread, model)
}

func (m *Machine) hmpChardevs() string {
	var b strings.Builder
	for _, c := range m.queryChardev() {
		fmt.Fprintf(&b, "%s: filename=%s\r\n", c.Label, c.Filename)
	}
	return b.String()
}

func (m *Machine) hmpIOThreads() string {
	var b strings.Builder
	for _, t := range m.queryIOThreads() {
		fmt.Fprintf(&b, "%s:\r\n  thread_id=%d\r\n  poll-max-ns=%d\r\n  poll-grow=%d\r\n  poll-shrink=%d\r\n",
			t.ID, t.ThreadID, t.PollMaxNs, t.PollGrow, t.PollShrink)
		if m.since("11.1") {
			fmt.Fprintf(&b, "  poll-weight=%d\r\n", t.PollWeight)
		}
		if m.since("6.1") {
			fmt.Fprintf(&b, "  aio-max-batch=%d\r\n", t.AioMaxBatch)
		}
	}
	return b.String()
}

func (m *Machine) hmpMemdev() string {
	var b strings.Builder
	for _, d := range m.queryMemdev() {
		fmt.Fprintf(&b, "memory backend: %s\r\n  size:  %d\r\n  merge: %t\r\n  dump: %t\r\n  prealloc: %t\r\n",
			value(d.ID), d.Size, d.Merge, d.Dump, d.Prealloc)
		if m.since("6.1") {
			fmt.Fprintf(&b, "  share: %t\r\n  reserve: %t\r\n", d.Share, value(d.Reserve))
		}
		fmt.Fprintf(&b, "  policy: %s\r\n  host nodes: %s\r\n", d.Policy, strings.Trim(fmt.Sprint(d.HostNodes), "[]"))
	}
	return b.String() + "\r\n"
}

// hmpBlockStats shows the drives' statistics, since 11.1 as a table.
func (m *Machine) hmpBlockStats() string {
	var all []string
	for _, d := range m.devices {
		if !d.isDrive() {
			continue
		}
		t := m.trafficOf(d)
		if !m.since("11.1") {
			all = append(all, fmt.Sprintf(": rd_bytes=%d wr_bytes=%d rd_operations=%d wr_operations=%d flush_operations=%d "+
				"wr_total_time_ns=0 rd_total_time_ns=0 flush_total_time_ns=0 rd_merged=0 wr_merged=0 idle_time_ns=0\r\n",
				t.readBytes, t.writeBytes, t.readOps, t.writeOps, t.flushOps))
			continue
		}
		head := fmt.Sprintf(": idle_time_ns=0\r\n%31s%17s%25s%11s\r\n", "bytes", "operations", "total_time_ns", "merged")
		row := "%-14s%17d%17d%25d%11d\r\n"
		all = append(all, head+fmt.Sprintf(row, "Read:", t.readBytes, t.readOps, 0, 0)+
			fmt.Sprintf(row, "Write:", t.writeBytes, t.writeOps, 0, 0)+
			fmt.Sprintf("%-14s%17s%17d%25d\r\n", "Flush:", "", t.flushOps, 0))
	}
	between := ""
	if m.since("11.1") {
		between = "\r\n"
	}
	return strings.Join(all, between)
}

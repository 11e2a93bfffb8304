package top

import (
	"fmt"
	"slices"
	"time"

	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
)

// A column of the table. On narrow terminals, the columns with the highest priority numbers are
// left out.
type column struct {
	title    string
	priority int
	right    bool
	cell     func(r *Reading) string
}

var columns = []column{
	{"VM", 0, false, func(r *Reading) string { return term.Escape(r.VM) }},
	{"STATE", 3, false, func(r *Reading) string { return term.Escape(r.State) }},
	{"CPU", 1, true, cpuCell},
	{"MEMORY", 4, true, memoryCell},
	{"READ", 2, true, func(r *Reading) string { read, _ := r.total(); return rateCell(read.Bytes, len(r.Devices) > 0) }},
	{"WRITE", 2, true, func(r *Reading) string { _, write := r.total(); return rateCell(write.Bytes, len(r.Devices) > 0) }},
	{"NET IN", 5, true, func(r *Reading) string { in, _ := r.network(); return rateCell(in, len(r.Networks) > 0) }},
	{"NET OUT", 5, true, func(r *Reading) string { _, out := r.network(); return rateCell(out, len(r.Networks) > 0) }},
}

func (r *Reading) network() (in, out float64) {
	for _, n := range r.Networks {
		in, out = in+n.Received, out+n.Sent
	}
	return in, out
}

func cpuCell(r *Reading) string {
	if r.CPU == nil {
		return "-"
	}
	if r.VCPUs == 1 {
		return fmt.Sprintf("%.0f%%", *r.CPU)
	}
	return fmt.Sprintf("%.0f%% of %d", *r.CPU, r.VCPUs)
}

func memoryCell(r *Reading) string {
	switch {
	case r.Memory == 0:
		return "-"
	case r.Balloon != nil && *r.Balloon != r.Memory:
		return term.Size(float64(*r.Balloon)) + " of " + term.Size(float64(r.Memory))
	}
	return term.Size(float64(r.Memory))
}

func rateCell(bytes float64, known bool) string {
	if !known {
		return "-"
	}
	return term.Size(bytes) + "/s"
}

// Table returns lines that show readings, a line for each machine, and for a single machine a line for each
// device. Readings that are older than the limit are not shown.
func Table(out *term.Output, readings []Reading, now time.Time, oldest time.Duration) []string {
	width, _ := out.Size()
	if !out.IsTerminal() {
		width = 1000 // there is room for all columns
	}
	var rows [][]string
	for i := range readings {
		rows = append(rows, cells(columns, &readings[i]))
	}
	lines := layOut(out, columns, rows, width)
	for i, r := range readings {
		old := now.Sub(r.Time)
		switch {
		case r.Error != "":
			lines[i+1] = out.In(term.Red, term.Cut(term.Escape(r.VM+"  "+r.Error), width))
		case r.Time.IsZero():
			lines[i+1] = out.In(term.Dim, term.Cut(term.Escape(r.VM)+"  …", width))
		case old > oldest:
			lines[i+1] = out.In(term.Yellow, term.Cut(term.Escape(r.VM)+"  no answer for "+term.Duration(old), width))
		}
	}
	if len(readings) == 1 && len(readings[0].Devices) > 0 && readings[0].Error == "" {
		lines = append(lines, "")
		lines = append(lines, devices(out, readings[0].Devices, width)...)
	}
	return lines
}

func cells(columns []column, r *Reading) []string {
	var row []string
	for _, c := range columns {
		row = append(row, c.cell(r))
	}
	return row
}

// devices returns the lines of a table of what each device does.
func devices(out *term.Output, list []Device, width int) []string {
	heads := []column{
		{"DEVICE", 0, false, nil}, {"READ", 1, true, nil}, {"", 3, true, nil}, {"WRITE", 1, true, nil}, {"", 3, true, nil}, {"FLUSH", 4, true, nil},
	}
	var rows [][]string
	for _, d := range list {
		rows = append(rows, []string{
			term.Escape(d.Name), rateCell(d.Read.Bytes, true), requests(d.Read), rateCell(d.Write.Bytes, true), requests(d.Write), requests(d.Flush),
		})
	}
	return layOut(out, heads, rows, width)
}

func requests(r Rate) string {
	if r.Requests == 0 {
		return "0/s"
	}
	return fmt.Sprintf("%.0f/s %.1fms", r.Requests, r.Latency)
}

// layOut returns a line for the titles and one for each row. Columns that do not fit are left out;
// if that is not enough, the first one, of names, is cut.
func layOut(out *term.Output, columns []column, rows [][]string, width int) []string {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = term.Width(c.title)
		for _, row := range rows {
			widths[i] = max(widths[i], term.Width(row[i]))
		}
	}
	shown := make([]bool, len(columns))
	for i := range shown {
		shown[i] = true
	}
	for total(widths, shown) > width {
		worst := -1
		for i, c := range columns {
			if shown[i] && c.priority > 0 && (worst < 0 || c.priority >= columns[worst].priority) {
				worst = i
			}
		}
		if worst < 0 || columns[worst].priority <= 1 {
			widths[0] = max(widths[0]-(total(widths, shown)-width), 1)
			break
		}
		shown[worst] = false
	}
	titles := make([]string, len(columns))
	for i, c := range columns {
		titles[i] = c.title
	}
	lines := []string{out.In(term.Bold, line(columns, titles, widths, shown))}
	for _, row := range rows {
		lines = append(lines, line(columns, row, widths, shown))
	}
	return lines
}

func total(widths []int, shown []bool) int {
	sum := -2
	for i, w := range widths {
		if shown[i] {
			sum += w + 2
		}
	}
	return sum
}

func line(columns []column, row []string, widths []int, shown []bool) string {
	text := ""
	last := len(shown) - 1 - slices.Index(reversed(shown), true)
	for i, cell := range row {
		if !shown[i] {
			continue
		}
		cell = term.Cut(cell, widths[i])
		switch {
		case columns[i].right:
			cell = term.Pad("", widths[i]-term.Width(cell)) + cell
		case i < last:
			cell = term.Pad(cell, widths[i])
		}
		if text += cell; i < last {
			text += "  "
		}
	}
	return text
}

func reversed(list []bool) []bool {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

package main

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// results are what the benchmarks have printed.
type results struct {
	cpu     string
	keys    []string             // benchmarks with a unit, such as "BenchmarkSize B", as they came
	values  map[string][]float64 // by key, one a round
	skipped map[string]string    // by benchmark: why
}

func newResults() *results {
	return &results{values: map[string][]float64{}, skipped: map[string]string{}}
}

// A name ends in the number of CPUs unless that is one. After it come a count, and values with their units.
var resultLine = regexp.MustCompile(`^(Benchmark\S+?)(?:-\d+)?\s+\d+((?:\s+[\d.e+-]+ \S+)+)$`)

// parse reads what the program of a test printed with -v.
func (r *results) parse(out []byte) {
	before := ""
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if cpu, found := strings.CutPrefix(line, "cpu: "); found {
			r.cpu = cpu
		} else if name, found := strings.CutPrefix(line, "--- SKIP: "); found {
			_, r.skipped[name], _ = strings.Cut(before, ": ") // it follows the place in the source
		} else if m := resultLine.FindStringSubmatch(line); m != nil {
			for pair := range slices.Chunk(strings.Fields(m[2]), 2) {
				key := m[1] + " " + pair[1]
				value, _ := strconv.ParseFloat(pair[0], 64)
				if r.values[key] == nil {
					r.keys = append(r.keys, key)
				}
				r.values[key] = append(r.values[key], value)
			}
		}
		before = line
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// printTable prints a row for each figure.
func printTable(w io.Writer, figures []figure, measured *results) {
	printRow := func(cells ...any) {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%-49s  %-10s  %-11s  %-3s  %s", cells...), " "))
	}
	printRow("what", "measured", "figure", "ok?", "of which")
	for _, f := range figures {
		if f.bench == "" {
			fmt.Fprintln(w, "\n"+f.what)
			continue
		}
		limit := ""
		switch {
		case f.most != 0:
			limit = "≤ " + f.scale.format(f.most)
		case f.least != 0:
			limit = "≥ " + f.scale.format(f.least)
		}
		value, ok, of := f.judge(measured)
		printRow("  "+f.what, value, limit, ok, of)
	}
}

// judge returns the measured value, whether it is within the limit, and the values for each release.
// Of several releases the worst value counts.
func (f figure) judge(measured *results) (value, ok, of string) {
	var all []float64
	var each []string
	for _, key := range measured.keys {
		if match, _ := path.Match(f.bench+" "+f.unit, key); match {
			x := median(measured.values[key]) / f.scale.size
			all = append(all, x)
			each = append(each, strings.Split(key+"/", "/")[1]+" "+f.scale.format(x))
		}
	}
	if all == nil {
		name, _, _ := strings.Cut(f.bench, "/")
		return "-", "-", cmp.Or(measured.skipped[name], "not measured")
	}
	worst := slices.Max(all)
	if f.least != 0 {
		worst = slices.Min(all)
	}
	value = f.scale.format(worst)
	shown, _ := strconv.ParseFloat(strings.Fields(value)[0], 64) // so that what looks equal is equal
	if f.most != 0 || f.least != 0 {
		ok = "yes"
	}
	if f.most != 0 && shown > f.most || shown < f.least {
		ok = "no"
	}
	if strings.Contains(f.bench, "*") {
		of = strings.Join(each, ", ")
	}
	return value, ok, of
}

// A scale says how a value is shown.
type scale struct {
	size   float64 // of the unit that is shown, in the unit that is measured
	digits int     // after the decimal point
	unit   string
}

func (s scale) format(x float64) string {
	return strings.TrimSpace(strconv.FormatFloat(x, 'f', s.digits, 64) + " " + s.unit)
}

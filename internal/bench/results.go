package main

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// results are what the benchmarks have printed.
type results struct {
	cpu     string
	names   []string                        // of the benchmarks, as they came
	values  map[string]map[string][]float64 // by benchmark and unit, one a round
	skipped map[string]string               // by benchmark: why
}

func newResults() *results {
	return &results{values: map[string]map[string][]float64{}, skipped: map[string]string{}}
}

// A benchmark's name ends in the number of CPUs unless that is one.
var procs = regexp.MustCompile(`-\d+$`)

// parse reads what the program of a test printed with -test.v.
func (r *results) parse(out []byte) {
	var before string
	for line := range bytes.Lines(out) {
		text := strings.TrimSpace(string(line))
		if cpu, found := strings.CutPrefix(text, "cpu: "); found {
			r.cpu = cpu
		}
		if name, found := strings.CutPrefix(text, "--- SKIP: "); found {
			_, reason, _ := strings.Cut(before, ": ") // it follows the place in the source
			r.skipped[procs.ReplaceAllString(name, "")] = reason
		}
		r.parseValues(strings.Fields(text))
		before = text
	}
}

// parseValues takes a line of the form name, count, and pairs of a value and its unit.
func (r *results) parseValues(fields []string) {
	if len(fields) < 4 || len(fields)%2 != 0 || !strings.HasPrefix(fields[0], "Benchmark") {
		return
	}
	values := map[string]float64{}
	for pair := range slices.Chunk(fields[2:], 2) {
		value, err := strconv.ParseFloat(pair[0], 64)
		if err != nil {
			return
		}
		values[pair[1]] = value
	}
	name := procs.ReplaceAllString(fields[0], "")
	if r.values[name] == nil {
		r.names = append(r.names, name)
		r.values[name] = map[string][]float64{}
	}
	for unit, value := range values {
		r.values[name][unit] = append(r.values[name][unit], value)
	}
}

// A finding is the median that a benchmark has measured.
type finding struct {
	which string // what stands for the * in the benchmark's name: a release
	value float64
}

// find returns what was measured by the benchmarks that pattern stands for, in the
// order of their runs; if there is nothing, the reason, if one was given.
func (r *results) find(pattern, unit string) (found []finding, missing string) {
	before, after, _ := strings.Cut(pattern, "*")
	for _, name := range r.names {
		values := r.values[name][unit]
		if match, _ := path.Match(pattern, name); !match || len(values) == 0 {
			continue
		}
		which := strings.TrimSuffix(strings.TrimPrefix(name, before), after)
		found = append(found, finding{which, median(values)})
	}
	if len(found) > 0 {
		return found, ""
	}
	for name, reason := range r.skipped {
		if name == pattern || strings.HasPrefix(pattern, name+"/") {
			return nil, reason
		}
	}
	return nil, "not measured"
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[n/2]
}

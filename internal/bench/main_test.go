package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var spaces = regexp.MustCompile(`(\S) +`)

const printed = `goos: linux
cpu: A CPU
BenchmarkQEMU/5.2
BenchmarkQEMU/5.2/callers=1
BenchmarkQEMU/5.2/callers=1-2         	      21	    100 bare-ns	    110 typed-ns	         1.104 typed/bare
BenchmarkQEMU/11.1/callers=1-2        	      21	    1e+02 bare-ns	    111 typed-ns	         1.11 typed/bare
BenchmarkC
    calls_test.go:94: no C compiler: not here
--- SKIP: BenchmarkC
BenchmarkEvents/handlers=1   	  300000	      1995 ns/op	  1234567.4 handled/s	     248 B/op	       2 allocs/op
BenchmarkBroken-2 300000
PASS
`

func TestTable(t *testing.T) {
	r := newResults()
	r.parse([]byte(printed))
	r.parse([]byte("BenchmarkQEMU/5.2/callers=1-2 21 1.2 typed/bare\n")) // the median of three is 1.104
	r.parse([]byte("BenchmarkQEMU/5.2/callers=1-2 21 1.0 typed/bare\n"))
	assert.Equal(t, "A CPU", r.cpu)
	var out strings.Builder
	printTable(&out, []figure{
		{what: "Ratios"},
		{"of releases", "BenchmarkQEMU/*/callers=1", "typed/bare", ratio, 1.1, 0},
		{"equal as it is shown", "BenchmarkQEMU/5.2/callers=1", "typed/bare", ratio, 1.1, 0},
		{"without a limit", "BenchmarkQEMU/5.2/callers=1", "typed/bare", ratio, 0, 0},
		{"of a skipped one", "BenchmarkC/*/callers=1", "typed/C-rate", ratio, 0, 0.84},
		{what: "Others"},
		{"events", "BenchmarkEvents/handlers=1", "handled/s", rate, 0, 0.3},
		{"time", "BenchmarkEvents/handlers=1", "ns/op", micros, 1, 0},
		{"nothing", "BenchmarkBroken", "ns/op", micros, 1, 0},
	}, r)
	assert.Equal(t, `what measured figure ok? of which

Ratios
  of releases 1.11 ≤ 1.10 no 5.2 1.10, 11.1 1.11
  equal as it is shown 1.10 ≤ 1.10 yes
  without a limit 1.10
  of a skipped one - ≥ 0.84 - no C compiler: not here

Others
  events 1.23 M/s ≥ 0.30 M/s yes
  time 2.0 µs ≤ 1.0 µs no
  nothing - ≤ 1.0 µs - not measured
`, spaces.ReplaceAllString(out.String(), "$1 "))
	assert.InDelta(t, 2.5, median([]float64{4, 1, 3, 2}), 0)
}

// The benchmark of every row exists, and a job runs it.
func TestFiguresAreMeasured(t *testing.T) {
	for _, f := range figures {
		name, _, _ := strings.Cut(f.bench, "/")
		if name == "" {
			continue
		}
		assert.LessOrEqual(t, len(f.what), 47, "%s: the column is not as wide", f.what)
		at := slices.IndexFunc(jobs, func(j job) bool { return regexp.MustCompile(strings.Split(j.bench, "/")[0]).MatchString(name) })
		require.GreaterOrEqual(t, at, 0, "no job runs %s", name)
		files, err := filepath.Glob(filepath.Join("..", "..", jobs[at].pkg, "*_test.go"))
		require.NoError(t, err)
		declared := slices.ContainsFunc(files, func(path string) bool {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			return strings.Contains(string(text), "func "+name+"(")
		})
		assert.True(t, declared, "%s has no %s", jobs[at].pkg, name)
	}
}

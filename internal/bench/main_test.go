package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const printed = `goos: linux
cpu: A CPU
BenchmarkQEMU
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

func TestResults(t *testing.T) {
	r := newResults()
	r.parse([]byte(printed))
	r.parse([]byte("BenchmarkQEMU/5.2/callers=1-2 21 1.2 typed/bare\n"))
	r.parse([]byte("BenchmarkQEMU/5.2/callers=1-2 21 1.0 typed/bare\n"))
	assert.Equal(t, "A CPU", r.cpu)

	found, _ := r.find("BenchmarkQEMU/*/callers=1", "typed/bare")
	assert.Equal(t, []finding{{"5.2", 1.104}, {"11.1", 1.11}}, found, "the median of three, and the only one")
	_, missing := r.find("BenchmarkC/*/callers=1", "typed/C-rate")
	assert.Equal(t, "no C compiler: not here", missing)
	for _, name := range []string{"BenchmarkBroken", "BenchmarkQEMU/*/callers=8"} {
		found, missing = r.find(name, "ns/op")
		assert.Empty(t, found)
		assert.Equal(t, "not measured", missing)
	}
	assert.InDelta(t, 2.5, median([]float64{4, 1, 3, 2}), 0)
}

func TestTable(t *testing.T) {
	r := newResults()
	r.parse([]byte(printed))
	var out bytes.Buffer
	printTable(&out, []figure{
		{what: "Ratios"},
		{"of releases", "BenchmarkQEMU/*/callers=1", "typed/bare", ratio, 1.1, 0},
		{"just so", "BenchmarkQEMU/5.2/callers=1", "typed/bare", ratio, 1.1, 0},
		{"without a limit", "BenchmarkQEMU/5.2/callers=1", "typed/bare", ratio, 0, 0},
		{"in C", "BenchmarkC/*/callers=1", "typed/C-rate", ratio, 0, 0.84},
		{what: "Others"},
		{"events", "BenchmarkEvents/handlers=1", "handled/s", rate, 0, 300_000},
		{"time", "BenchmarkEvents/handlers=1", "ns/op", micros, 1, 0},
	}, r)
	assert.Equal(t, `what             measured     figure       ok?  of which

Ratios
of releases      1.11         ≤ 1.10       no   5.2 1.10, 11.1 1.11
just so          1.10         ≤ 1.10       yes
without a limit  1.10
in C             -            ≥ 0.84       -    no C compiler: not here

Others
events           1,234,567/s  ≥ 300,000/s  yes
time             2.0 µs       ≤ 1.0 µs     no
`, out.String())
}

// Every row is of a benchmark that there is and that some job runs.
func TestFiguresAreMeasured(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	for _, f := range figures {
		if f.bench == "" {
			continue
		}
		assert.Positive(t, f.scale.size, f.what)
		assert.False(t, f.most != 0 && f.least != 0, f.what)
		key := f.bench + " " + f.unit
		assert.False(t, seen[key], "%s is there twice", key)
		seen[key] = true

		name, _, _ := strings.Cut(f.bench, "/")
		at := slices.IndexFunc(jobs, func(j job) bool {
			pattern, _, _ := strings.Cut(j.bench, "/")
			return regexp.MustCompile(pattern).MatchString(name)
		})
		require.GreaterOrEqual(t, at, 0, "no job runs %s", name)
		files, err := filepath.Glob(filepath.Join(root, jobs[at].pkg, "*_test.go"))
		require.NoError(t, err)
		declared := slices.ContainsFunc(files, func(path string) bool {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			return bytes.Contains(text, []byte("func "+name+"("))
		})
		assert.True(t, declared, "%s has no %s", jobs[at].pkg, name)
	}
}

func TestArguments(t *testing.T) {
	var stderr bytes.Buffer
	require.ErrorContains(t, run([]string{"x"}, &stderr, &stderr), `argument "x"`)
	require.Error(t, run([]string{"-x"}, &stderr, &stderr))
}

// Bench runs the benchmarks of the module and prints one table of their results with their
// limits, ratios first. make bench runs it. Figures that miss their limits are marked, but are
// not a failure: a machine may be slow or busy. Things that are compared take turns in a
// benchmark, so that ratios can be trusted where times cannot.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"time"
)

func main() {
	rawPath := flag.String("raw", os.DevNull, "write what the benchmarks print to this `file`")
	flag.Parse()
	raw, err := os.Create(*rawPath)
	if err == nil {
		measured := newResults()
		err = errors.Join(measure(measured, raw), raw.Close())
		fmt.Printf("%s, %s/%s, %d CPUs, %s\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), measured.cpu)
		printTable(os.Stdout, figures, measured)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// measure runs the jobs in rounds, so that a disturbance in one round does not change a
// benchmark's median.
func measure(measured *results, raw io.Writer) error {
	var failures []error
	begin := time.Now()
	for round := range 3 {
		for _, j := range jobs {
			if round >= j.rounds {
				continue
			}
			fmt.Fprintf(os.Stderr, "%3.0f s  round %d  %s %s\n", time.Since(begin).Seconds(), round+1, j.pkg, j.bench)
			cmd := []string{"go", "test", "-run=^$", "-v", "-benchmem", "-bench=" + j.bench, "-benchtime=" + j.time, "-timeout=5m", j.pkg}
			if j.pinned { // with all processes that it starts
				cmd = slices.Concat([]string{"taskset", "-c", firstCPU()}, cmd)
			}
			out, err := exec.Command(cmd[0], cmd[1:]...).CombinedOutput()
			fmt.Fprintf(raw, "# round %d: %s\n%s\n", round+1, j.pkg, out)
			measured.parse(out)
			if err != nil {
				failures = append(failures, fmt.Errorf("%s %s: %w\n%s", j.pkg, j.bench, err, out))
			}
		}
	}
	return errors.Join(failures...)
}

// firstCPU is one that this process may use.
func firstCPU() string {
	status, _ := os.ReadFile("/proc/self/status")
	return string(regexp.MustCompile(`(?s).*Cpus_allowed_list:\s*(\d+).*`).ReplaceAll(status, []byte("$1")))
}

// Bench runs the benchmarks of the module and prints one table of their results
// together with the figures of the design, ratios first. make bench runs it. Figures that
// are missed are marked, but are not a failure: a machine may be slow or busy. Things that
// are compared take turns in a benchmark, so that ratios can be trusted where times cannot.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	rawPath := flags.String("raw", "", "write what the benchmarks print to this `file`")
	goTool := flags.String("go", "go", "the go `command`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("argument %q: only flags are allowed", flags.Arg(0))
	}
	var raw bytes.Buffer
	measured, err := measure(*goTool, &raw, stderr)
	if *rawPath != "" {
		err = errors.Join(err, os.WriteFile(*rawPath, raw.Bytes(), 0o666))
	}
	fmt.Fprintf(stdout, "%s, %s/%s, %d CPUs, %s\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), measured.cpu)
	printTable(stdout, figures, measured)
	return err
}

// measure runs the jobs in rounds, so that a disturbance in one round of a benchmark does
// not change the median.
func measure(goTool string, raw, progress io.Writer) (*results, error) {
	measured := newResults()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return measured, err
	}
	defer os.RemoveAll(dir)
	programs := map[string]string{} // by package
	for _, j := range jobs {
		if programs[j.pkg] != "" {
			continue
		}
		program := filepath.Join(dir, fmt.Sprintf("%d.test", len(programs)))
		programs[j.pkg] = program
		fmt.Fprintf(progress, "building %s\n", j.pkg)
		if out, err := exec.Command(goTool, "test", "-c", "-o", program, j.pkg).CombinedOutput(); err != nil {
			return measured, fmt.Errorf("building the benchmarks of %s: %w\n%s", j.pkg, err, out)
		}
	}
	rounds := 0
	for _, j := range jobs {
		rounds = max(rounds, j.rounds)
	}
	var failures []error
	begin := time.Now()
	for round := 1; round <= rounds; round++ {
		for _, j := range jobs {
			if round > j.rounds {
				continue
			}
			fmt.Fprintf(progress, "%3.0f s  round %d  %s %s\n", time.Since(begin).Seconds(), round, j.pkg, j.bench)
			cmd := exec.Command(programs[j.pkg], "-test.run=^$", "-test.v", "-test.benchmem",
				"-test.bench="+j.bench, "-test.benchtime="+j.time, "-test.timeout=5m")
			cmd.Dir = j.pkg
			out, err := cmd.CombinedOutput()
			fmt.Fprintf(raw, "# round %d: %s\n%s\n", round, j.pkg, out)
			measured.parse(out)
			if err != nil {
				failures = append(failures, fmt.Errorf("%s %s: %w\n%s", j.pkg, j.bench, err, out))
			}
		}
	}
	return measured, errors.Join(failures...)
}

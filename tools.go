//go:build ignore

// Tools runs a development tool at the version that this module is checked with:
//
//	go run tools.go staticcheck ./...
//
// The versions stand here and not in go.mod, so that the tools' own dependencies
// are not in the module graph of those who use the module.
package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

var tools = map[string]string{
	"benchstat":     "golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da",
	"golangci-lint": "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0",
	"staticcheck":   "honnef.co/go/tools/cmd/staticcheck@v0.8.2",
}

func main() {
	names := strings.Join(slices.Sorted(maps.Keys(tools)), ", ")
	if len(os.Args) < 2 {
		fail("which tool? There are %s.", names)
	}
	name := os.Args[1]
	source, ok := tools[name]
	if !ok {
		fail("there is no tool %q, but %s.", name, names)
	}
	cmd := exec.Command("go", append([]string{"run", source}, os.Args[2:]...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fail("%s: %v", name, err)
	}
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "tools: "+format+"\n", args...)
	os.Exit(2)
}

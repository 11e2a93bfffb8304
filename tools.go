//go:build ignore

// Tools runs a development tool at the version that this module is checked with:
//
//	go run tools.go staticcheck ./...
//
// tools/go.mod lists the tools and their versions. It is a module of its own, so that the
// dependencies of the tools are not in the module graph of this module's users.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "tools: which tool? tools/go.mod lists them")
		os.Exit(2)
	}
	// The tool itself sees all modules of go.work, but cannot be compiled with them: with
	// go.work there is no -modfile.
	find := exec.Command("go", "tool", "-modfile=tools/go.mod", "-n", os.Args[1])
	find.Env, find.Stderr = append(os.Environ(), "GOWORK=off"), os.Stderr
	path, err := find.Output()
	if err != nil {
		fmt.Fprintf(os.Stderr, "tools: compile %s: %v\n", os.Args[1], err)
		os.Exit(2)
	}
	cmd := exec.Command(strings.TrimSpace(string(path)), os.Args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tools:", err)
		os.Exit(2)
	}
}

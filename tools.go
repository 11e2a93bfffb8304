//go:build ignore

// Tools runs a development tool at the version that this module is checked with:
//
//	go run tools.go staticcheck ./...
//
// tools/go.mod lists the tools and their versions. It is a module of its own, so that what
// the tools depend on is not in the module graph of those who use this one.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "tools: which tool? tools/go.mod lists them")
		os.Exit(2)
	}
	cmd := exec.Command("go", append([]string{"tool", "-modfile=tools/go.mod"}, os.Args[1:]...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tools:", err)
		os.Exit(2)
	}
}

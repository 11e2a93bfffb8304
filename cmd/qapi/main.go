// Command qapi works with QAPI schemas: it checks them, shows them as JSON,
// compares them, and adds those of a QEMU release to this module, with the devices of its
// binaries. It also records sessions with a QEMU, for tests.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/goqapi/goqapi/internal/printable"
)

// Exit codes.
const (
	exitOK    = 0
	exitBad   = 1 // the schema is wrong, or something failed
	exitUsage = 2
)

const usage = `qapi works with QAPI schemas.

Usage:

	qapi check [flags] WHAT...   report what is wrong with schemas
	qapi dump [flags] WHAT       write a schema's model as JSON
	qapi diff [flags] OLD NEW    report what has changed between two schemas
	qapi import [flags] WHAT     add the schemas of a QEMU release to this module
	qapi devices [flags] WHAT... ask QEMU binaries for their devices, and write the facts
	qapi record LISTEN TARGET FILE
	                             record what a program and a QEMU say to each other

For check, dump and diff WHAT is a schema's root file, a folder that holds
qapi/qapi-schema.json or qga/qapi-schema.json (such as a QEMU source tree), or
a release that this module knows, such as 11.1. "qapi COMMAND -h" shows the
flags.

qapi exits with 0 if all went well, with 1 if a schema is wrong or something
failed, and with 2 if it was called in a wrong way.
`

// A tool is the program with its context, input and output.
type tool struct {
	stdout, stderr io.Writer
	client         *http.Client
}

// errUsage is a usage error that has been reported to the user already.
var errUsage = errors.New("wrong usage")

func main() {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // by nohup
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop) // the second one ends the program at once
	t := &tool{stdout: os.Stdout, stderr: os.Stderr, client: httpClient()}
	os.Exit(t.run(ctx, os.Args[1:]))
}

// run runs the program, and returns its exit code.
func (t *tool) run(ctx context.Context, args []string) int {
	commands := map[string]func(context.Context, []string) error{
		"check":   t.check,
		"dump":    t.dump,
		"diff":    t.diff,
		"import":  t.importRelease,
		"devices": t.devices,
		"record":  t.record,
	}
	if len(args) == 0 {
		fmt.Fprint(t.stderr, usage)
		return exitUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		fmt.Fprint(t.stdout, usage)
		return exitOK
	}
	command := commands[args[0]]
	if command == nil {
		fmt.Fprintf(t.stderr, "qapi: unknown command %q\n\n%s", args[0], usage)
		return exitUsage
	}
	err := command(ctx, args[1:])
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errUsage):
		return exitUsage
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(t.stderr, printable.String(strings.TrimSuffix(line, "\n")))
	}
	return exitBad
}

// flags makes the flags of a command.
func (t *tool) flags(command, arguments, about string) *flag.FlagSet {
	f := flag.NewFlagSet("qapi "+command, flag.ContinueOnError)
	f.SetOutput(t.stderr)
	f.Usage = func() {
		fmt.Fprintf(t.stderr, "Usage: qapi %s [flags] %s\n\n%s\n", command, arguments, about)
		any := false
		f.VisitAll(func(*flag.Flag) { any = true })
		if any {
			fmt.Fprint(t.stderr, "\nFlags:\n")
			f.PrintDefaults()
		}
	}
	return f
}

// parse parses a command's arguments, of which there must be at least min and,
// unless max is negative, at most max.
func (t *tool) parse(f *flag.FlagSet, args []string, min, max int) error {
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return errUsage
	}
	if n := f.NArg(); n < min || max >= 0 && n > max {
		fmt.Fprintf(t.stderr, "%s: wrong number of arguments: %d\n\n", f.Name(), n)
		f.Usage()
		return errUsage
	}
	return nil
}

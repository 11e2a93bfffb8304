// Package cli has the commands of qapi, one file for each.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/facts"
	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/internal/edits"
	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/schema"
)

// app is what every command works with; tests replace its parts.
type app struct {
	in          io.Reader
	out, errOut io.Writer
	outMu       sync.Mutex // for the lines of several machines
	env         func(string) string
	finder      target.Finder
	schema      func(ctx context.Context, release string) (*schema.Schema, error) // "" is the newest release
	library     string                                                            // the version of the library in this program; "" if it is not a release

	onInterrupt atomic.Pointer[func()] // what an interrupt does, if not nil; otherwise it ends the command
}

// interrupted does what an interrupt should do, and reports whether something was set for that.
func (a *app) interrupted() bool {
	f := a.onInterrupt.Load()
	if f != nil {
		(*f)()
	}
	return f != nil
}

// Main runs qapi with the arguments of its process, and returns its exit code.
func Main(args []string) int {
	debug.SetGCPercent(400) // most commands are over before there is garbage: a quarter of their time
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // by nohup
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a := &app{
		in: os.Stdin, out: os.Stdout, errOut: os.Stderr,
		env: os.Getenv, finder: target.Local(), schema: embedded,
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		a.library = libraryVersion(info)
	}
	received := make(chan os.Signal, 1)
	signal.Notify(received, signals...)
	go func() {
		for s := range received {
			if s == os.Interrupt && a.interrupted() {
				continue
			}
			signal.Stop(received) // the next interrupt ends the program at once
			cancel()
		}
	}()
	return a.run(ctx, args)
}

// embedded loads the schema of a release that this program contains.
func embedded(_ context.Context, release string) (*schema.Schema, error) {
	if release == "" {
		release = facts.Newest()
	}
	return facts.Load(release, facts.QMP)
}

// run runs a command, and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := newRoot(a)
	started := false // an error before that is wrong usage, also one that cobra finds
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	root.SetArgs(longFlags(root, verbFirst(args)))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exit.OK
	}
	if chosen, ok := errors.AsType[*exit.Error](err); !ok || chosen.Err != nil {
		a.printError("qapi: ", errors.New(exit.Explain(err)))
	}
	if !started {
		return exit.Usage
	}
	return exit.Code(err)
}

// printError prints an error that may contain text of a server or a guest, safely for a terminal.
func (a *app) printError(prefix string, err error) {
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(a.errOut, "%s%s\n", prefix, printable.String(strings.TrimSuffix(line, "\n")))
	}
}

const rootHelp = `qapi finds running QEMUs, queries, changes and watches them, and waits for events and jobs.
It also works with QAPI schemas.

It exits with
  0    if all went well
  1    if QEMU refused, does not support it, or the job failed
  2    if the arguments are wrong; nothing was sent
  3    if there is no connection, or the command was not sent
  4    if the connection was lost, and the command may have run
  124  if the time limit has passed
  130  if it was interrupted`

// newRoot returns the program's root command.
func newRoot(a *app) *cobra.Command {
	root := parent("qapi", "A tool for people who have a running QEMU", rootHelp)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.errOut)
	root.CompletionOptions.HiddenDefaultCmd = false
	root.AddCommand(
		a.psCommand(),
		a.callCommand(),
		a.eventsCommand(),
		a.supportsCommand(),
		a.jobCommand(),
		a.migrateCommand(),
		a.agentCommand(),
		a.hmpCommand(),
		a.describeCommand(),
		a.graphCommand(),
		a.topCommand(),
		a.devicesCommand(),
		a.recordCommand(),
		a.schemaCommand(),
		a.generateCommand(),
		a.shellCommand(),
	)
	// The names of the schema commands from the time when the program had no others.
	for _, cmd := range a.schemaCommands() {
		cmd.Hidden = true
		root.AddCommand(cmd)
	}
	a.addCompletion(root)
	return root
}

// parent returns a command that only has subcommands.
func parent(use, short, long string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				cmd.SetOut(cmd.ErrOrStderr())
				_ = cmd.Help()
				return exit.Silent(exit.Usage)
			}
			return exit.With(exit.Usage, unknown(cmd, args[0]))
		},
		Args: cobra.ArbitraryArgs,
	}
}

// unknown returns the error for a word that is not a command of cmd.
func unknown(cmd *cobra.Command, word string) error {
	err := fmt.Errorf("unknown command %q of %s", word, cmd.CommandPath())
	if near := similar(cmd, word); near != "" {
		return fmt.Errorf("%w; did you mean %s?", err, near)
	}
	if cmd.HasParent() {
		return fmt.Errorf("%w; it has %s", err, strings.Join(subcommands(cmd), ", "))
	}
	return err
}

// similar returns the subcommand whose beginning a word is, or to which it is similar; otherwise
// "".
func similar(cmd *cobra.Command, word string) string {
	names := subcommands(cmd)
	i := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, word) })
	if i >= 0 {
		return names[i]
	}
	return edits.Nearest(word, names)
}

// subcommands returns the names of a parent's commands that its help shows.
func subcommands(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

// count returns a check of the number of arguments: at least low and, unless high is
// negative, at most high.
func count(low, high int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		n := len(args)
		if n >= low && (high < 0 || n <= high) {
			return nil
		}
		return exit.Usagef("%s: wrong number of arguments: %d\nusage: %s", strings.TrimPrefix(cmd.CommandPath(), "qapi "), n, cmd.UseLine())
	}
}

// longFlags returns the arguments with a second dash before the flags of the schema
// commands, which took one dash when the program had no other commands.
func longFlags(root *cobra.Command, args []string) []string {
	cmd, _, err := root.Find(args)
	if err != nil || !cmd.Hidden && cmd.Name() != "devices" {
		return args
	}
	known := map[string]bool{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
	args = slices.Clone(args)
	for i, arg := range args {
		name, ok := strings.CutPrefix(arg, "-")
		name, _, _ = strings.Cut(name, "=")
		if arg == "--" {
			break
		}
		if ok && len(name) > 1 && known[name] {
			args[i] = "-" + arg
		}
	}
	return args
}

package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/arguments"
	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/facts"
	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/schema"
)

// agentVerbs are the commands of qapi agent.
var agentVerbs = []string{"run", "cat", "put", "info", "freeze", "call"}

// verbFirst returns the arguments of "agent ADDR VERB …" as "agent VERB ADDR …", which is how
// the commands are found. Both orders work.
func verbFirst(args []string) []string {
	if len(args) < 3 || args[0] != "agent" || slices.Contains(agentVerbs, args[1]) || !slices.Contains(agentVerbs, args[2]) {
		return args
	}
	args = slices.Clone(args)
	args[1], args[2] = args[2], args[1]
	return args
}

// agentCommand returns the parent of the commands for the guest agent.
func (a *app) agentCommand() *cobra.Command {
	cmd := parent("agent", "Run programs in a guest, copy files, freeze its file systems",
		`Works with the guest agent of a machine. ADDR names the machine, or is the socket of the agent.
"qapi agent ADDR run …" is the same as "qapi agent run ADDR …".

`+target.Help)
	help := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) < 2 || similar(cmd, args[0]) != "" {
			return help(cmd, args)
		}
		err := unknown(cmd, args[1]) // as in "agent ADDR frob"
		if similar(cmd, args[1]) == "" {
			if _, unresolved := target.Resolve(cmd.Context(), a.finder, args[0]); unresolved != nil { // as in "agent frob ADDR"
				err = unknown(cmd, args[0])
			}
		}
		return exit.With(exit.Usage, err)
	}
	cmd.AddCommand(a.agentRunCommand(), a.agentCatCommand(), a.agentPutCommand(), a.agentInfoCommand(), a.agentFreezeCommand(), a.agentCallCommand())
	return cmd
}

// afterFlags parses flags between the address and a program, and returns the program
// with its arguments, which may look like flags.
func afterFlags(cmd *cobra.Command, args []string) ([]string, error) {
	if err := cmd.Flags().Parse(args); err != nil {
		return nil, exit.With(exit.Usage, err)
	}
	return cmd.Flags().Args(), nil
}

// withAgent calls f with a client of the guest agent of the one machine that an address names.
func (a *app) withAgent(ctx context.Context, addr string, timeout time.Duration, f func(context.Context, *qga.Client) error) error {
	ctx, cancel := withTimeout(ctx, timeout)
	defer cancel()
	m, err := a.one(ctx, addr)
	if err != nil {
		return err
	}
	g, err := m.DialAgent(ctx)
	if err != nil {
		return err
	}
	defer g.Close()
	return f(ctx, g)
}

func (a *app) agentRunCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run ADDR PROGRAM [ARG...]",
		Short: "Run a program in the guest, and print its output",
		Long: `Runs a program in the guest, without a shell, and prints its output when it has ended. The
exit code is 1 if the program fails. Other users of this host, and users of the
guest, can see its arguments: give secrets on standard input, with --stdin.`,
		Example: `  qapi agent web01 run df -h /
  qapi agent web01 run sh -c 'uptime; free'`,
		Args: count(2, -1),
	}
	cmd.Flags().SetInterspersed(false) // what follows the program are its own arguments
	stdin := cmd.Flags().Bool("stdin", false, "pass standard input to the program")
	timeout := timeoutFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		program, err := afterFlags(cmd, args[1:])
		if err != nil {
			return err
		}
		if len(program) == 0 {
			return count(2, -1)(cmd, args[:1])
		}
		command := qga.Command{Path: program[0], Args: program[1:]}
		if *stdin {
			text, err := io.ReadAll(&endingReader{cmd.Context(), a.in})
			if err != nil {
				return err
			}
			command.Stdin = text
		}
		return a.withAgent(cmd.Context(), args[0], *timeout, func(ctx context.Context, g *qga.Client) error {
			return a.agentRun(ctx, g, command)
		})
	}
	return cmd
}

func (a *app) agentRun(ctx context.Context, g *qga.Client, command qga.Command) error {
	result, err := qga.Run(ctx, g, command)
	if err != nil {
		return err
	}
	_, _ = term.New(a.out, a.env).Foreign().Write(result.Stdout)
	_, _ = term.New(a.errOut, a.env).Foreign().Write(result.Stderr)
	if result.StdoutTruncated || result.StderrTruncated {
		fmt.Fprintln(a.errOut, "qapi: the agent has lost a part of the output")
	}
	switch {
	case result.Success():
		return nil
	case result.Exited:
		return exit.With(exit.Failed, fmt.Errorf("%s ended with %d", command.Path, result.ExitCode))
	}
	return exit.With(exit.Failed, fmt.Errorf("%s was ended by signal %d", command.Path, result.Signal))
}

func (a *app) agentCatCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cat ADDR PATH",
		Short: "Print a file of the guest",
		Args:  count(2, 2),
	}
	timeout := timeoutFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.withAgent(cmd.Context(), args[0], *timeout, func(ctx context.Context, g *qga.Client) error {
			out := a.copied(args[1], 0, !a.onTerminal())
			defer out.bar.End()
			_, err := qga.Download(ctx, g, args[1], io.MultiWriter(term.New(a.out, a.env).Foreign(), out))
			return err
		})
	}
	return cmd
}

func (a *app) agentPutCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "put ADDR FILE PATH",
		Short: "Copy a file into the guest",
		Long:  "Copies a file of this host, or standard input if FILE is -, to a path in the guest. An existing file is replaced.",
		Args:  count(3, 3),
	}
	timeout := timeoutFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var in io.Reader = &endingReader{cmd.Context(), a.in}
		size := int64(0)
		if args[1] != "-" {
			file, err := os.Open(args[1])
			if err != nil {
				return exit.With(exit.Usage, err)
			}
			defer file.Close()
			if info, err := file.Stat(); err == nil {
				size = info.Size()
			}
			in = file
		}
		return a.withAgent(cmd.Context(), args[0], *timeout, func(ctx context.Context, g *qga.Client) error {
			read := a.copied(args[2], size, true)
			defer read.bar.End()
			_, err := qga.Upload(ctx, g, args[2], io.TeeReader(in, read))
			return err
		})
	}
	return cmd
}

// A copied counts the bytes of a copy, and shows how far it is.
type copied struct {
	bar     *term.Bar
	show    bool
	name    string
	total   int64
	done    int64
	started time.Time
}

func (a *app) copied(name string, total int64, show bool) *copied {
	return &copied{bar: term.NewBar(term.New(a.errOut, a.env)), show: show, name: name, total: total, started: time.Now()}
}

func (c *copied) Write(p []byte) (int, error) {
	c.done += int64(len(p))
	if !c.show {
		return len(p), nil
	}
	progress := term.Progress{Name: c.name, Done: c.done, Total: c.total}
	if since := time.Since(c.started).Seconds(); since > 0 {
		progress.Rate = float64(c.done) / since
	}
	if c.total > 0 {
		progress.Percent = min(100, 100*float64(c.done)/float64(c.total))
		progress.Left = time.Duration(float64(c.total-c.done) / progress.Rate * float64(time.Second))
	}
	c.bar.Show(progress)
	return len(p), nil
}

func (a *app) agentInfoCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "info ADDR", Short: "Print what the agent is, and what the guest runs", Args: count(1, 1)}
	timeout := timeoutFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.withAgent(cmd.Context(), args[0], *timeout, a.agentInfo)
	}
	return cmd
}

func (a *app) agentInfo(ctx context.Context, g *qga.Client) error {
	info, err := g.GuestInfo(ctx)
	if err != nil {
		return err
	}
	a.printText("agent     " + info.Version)
	if host, err := g.GuestGetHostName(ctx); err == nil {
		a.printText("host      " + host.HostName)
	}
	if system, err := g.GuestGetOsinfo(ctx); err == nil {
		a.printText("system    " + qapi.Value(system.PrettyName))
		a.printText("kernel    " + qapi.Value(system.KernelRelease) + " " + qapi.Value(system.Machine))
	}
	var blocked []string
	for _, c := range info.SupportedCommands {
		if !c.Enabled {
			blocked = append(blocked, c.Name)
		}
	}
	if len(blocked) > 0 {
		a.printText("blocked   " + strings.Join(blocked, " "))
	}
	return nil
}

func (a *app) agentFreezeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "freeze ADDR [COMMAND [ARG...]]",
		Short: "Freeze the guest's file systems while a command runs on this host",
		Long: `Freezes the guest's file systems, runs a command on this host, such as one that takes a
snapshot, and thaws them, whatever happens. Without a command, it thaws them when you press Enter or
Ctrl-C, or at the end of standard input.`,
		Example: `  qapi agent web01 freeze lvcreate --snapshot --name web01-snap --size 1G vg/web01`,
		Args:    count(1, -1),
	}
	cmd.Flags().SetInterspersed(false)
	timeout := timeoutFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		command, err := afterFlags(cmd, args[1:])
		if err != nil {
			return err
		}
		return a.withAgent(cmd.Context(), args[0], *timeout, func(ctx context.Context, g *qga.Client) error {
			return qga.WithFrozen(ctx, g, nil, func(ctx context.Context, frozen int) error {
				fmt.Fprintf(a.errOut, "qapi: %d file systems are frozen\n", frozen)
				return a.whileFrozen(ctx, command)
			})
		})
	}
	return cmd
}

// whileFrozen runs a command, or waits for the user if there is none.
func (a *app) whileFrozen(ctx context.Context, command []string) error {
	if len(command) == 0 {
		_, _ = bufio.NewReader(&endingReader{ctx, a.in}).ReadString('\n')
		return ctx.Err()
	}
	run := exec.CommandContext(ctx, command[0], command[1:]...)
	run.Stdin, run.Stdout, run.Stderr = a.in, a.out, a.errOut
	if err := run.Run(); err != nil {
		return exit.With(exit.Failed, fmt.Errorf("%s: %w", command[0], err))
	}
	return nil
}

func (a *app) agentCallCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "call ADDR COMMAND [ARG...]",
		Short:   "Execute one command with the agent",
		Long:    "Executes one command with the guest agent, and prints its result as JSON.\n\n" + arguments.Help,
		Example: `  qapi agent web01 call guest-get-fsinfo --jq '.[].mountpoint'`,
		Args:    count(2, -1),
	}
	jq := cmd.Flags().String("jq", "", "a jq `expression` that selects the part of the result to print")
	timeout := timeoutFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, r, s, err := a.agentRequest(cmd.Context(), args[1], args[2:], *jq)
		if err != nil {
			return err
		}
		return a.withAgent(cmd.Context(), args[0], *timeout, func(ctx context.Context, g *qga.Client) error {
			return guessCommand(redacted(a.execute(ctx, g.Conn(), args[0], c, r), r), s)
		})
	}
	return cmd
}

// agentRequest makes the request for the agent's command.
func (a *app) agentRequest(ctx context.Context, command string, words []string, jq string) (*call, request, *schema.Schema, error) {
	c := &call{command: command}
	r := request{command: command}
	var err error
	if c.words, err = arguments.Read(command, words, a.sources(ctx)); err != nil {
		return nil, r, nil, badWords(err)
	}
	if c.filter, err = parseFilter(jq); err != nil {
		return nil, r, nil, err
	}
	s, err := facts.Load(facts.Newest(), facts.QGA)
	if err != nil {
		return nil, r, nil, err
	}
	known, _ := s.Lookup(command).(*schema.Command)
	text, err := c.words.Encode(known, nil)
	if err != nil {
		return nil, r, nil, exit.With(exit.Usage, err)
	}
	if string(text) != "{}" {
		r.arguments = text
	}
	return c, r, s, nil
}

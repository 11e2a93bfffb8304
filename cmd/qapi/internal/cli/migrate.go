package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/arguments"
	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/migration"
)

// The flags of qapi migrate.
type migrateFlags struct {
	incoming  bool
	bandwidth string
	downtime  time.Duration
	multifd   int
	timeout   *time.Duration
}

// migrateCommand moves a machine to another QEMU, or into a file.
func (a *app) migrateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate ADDR URI",
		Short: "Move a machine to where another QEMU waits for it, or into a file",
		Long: `Moves a machine to where another QEMU waits for it, or into a file, and waits until it is
there. At the destination, "qapi migrate --incoming ADDR URI" makes a QEMU wait that was
started with -incoming defer.

URI is as QEMU writes it: tcp:HOST:PORT, unix:PATH, file:PATH, exec:COMMAND …

After an interrupt, qapi asks whether to cancel the migration; without a terminal it cancels
it at once. If the migration ends early, for whatever reason, the machine keeps running
where it was.

` + target.Help,
		Example: `  qapi migrate web01 tcp:host2:4444
  qapi migrate web01 file:/backup/web01.state`,
		Args: count(2, 2),
	}
	var flags migrateFlags
	f := cmd.Flags()
	f.BoolVar(&flags.incoming, "incoming", false, "wait at URI for a machine")
	f.StringVar(&flags.bandwidth, "bandwidth", "", "send at most this many `bytes` a second, such as 100M")
	f.DurationVar(&flags.downtime, "downtime", 0, "the longest `time` for which the guest may be paused, such as 300ms")
	f.IntVar(&flags.multifd, "multifd", 0, "use `N` additional connections; needed on both sides")
	flags.timeout = timeoutFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		at, err := migration.ParseURI(args[1])
		if err != nil {
			return exit.With(exit.Usage, err)
		}
		opts, err := flags.options()
		if err != nil {
			return err
		}
		return a.with(cmd.Context(), args[0], *flags.timeout, func(ctx context.Context, c *qapi.Client) error {
			if flags.incoming {
				return a.incoming(ctx, c, at, opts)
			}
			return a.migrate(ctx, c, at, opts)
		})
	}
	return cmd
}

func (f migrateFlags) options() ([]migration.Option, error) {
	var opts []migration.Option
	if f.multifd > 0 {
		opts = append(opts, migration.Multifd(f.multifd))
	}
	var p qapi.MigrationParameters
	if f.bandwidth != "" {
		n, err := arguments.Size(f.bandwidth)
		if err != nil {
			return nil, exit.Usagef("--bandwidth: %w", err)
		}
		p.MaxBandwidth = &n
	}
	if f.downtime > 0 {
		p.DowntimeLimit = new(uint64(f.downtime.Milliseconds()))
	}
	return append(opts, migration.Parameters(p)), nil
}

func (a *app) migrate(ctx context.Context, c *qapi.Client, to migration.Address, opts []migration.Option) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	q := &question{app: a, bar: term.NewBar(term.New(a.errOut, a.env)), cancel: cancel}
	defer q.onInterrupt()()
	stats, err := migration.Run(ctx, c, to, append(opts, migration.OnProgress(q.show))...)
	q.bar.End()
	if err != nil {
		return err
	}
	fmt.Fprintf(a.errOut, "qapi: the machine is there: %s in %v; the guest was paused for %v\n",
		term.Size(float64(stats.Transferred)), stats.Time, stats.Downtime)
	return nil
}

// A question asks the user whether an interrupt should cancel a migration. While it is
// open, no progress is shown.
type question struct {
	app     *app
	bar     *term.Bar
	cancel  func()
	answers *bufio.Scanner

	mu   sync.Mutex
	open bool
}

func (q *question) show(p migration.Progress) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.open {
		q.bar.Show(term.Progress{
			Name: "migration", State: string(p.Status), Done: p.Done, Total: p.Total, Percent: p.Percent, Rate: p.Rate, Left: p.Left,
		})
	}
}

// onInterrupt makes an interrupt ask the question, until restore is called. Without a terminal,
// an interrupt cancels.
func (q *question) onInterrupt() (restore func()) {
	file, ok := q.app.in.(*os.File)
	if !ok || !term.New(file, q.app.env).IsTerminal() {
		return func() {}
	}
	q.answers = bufio.NewScanner(file)
	ask := q.ask
	q.app.onInterrupt.Store(&ask)
	return func() { q.app.onInterrupt.Store(nil) }
}

// ask asks the question. A second interrupt, while it is open, is an answer.
func (q *question) ask() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open {
		q.cancel()
		return
	}
	q.open = true
	q.bar.End()
	fmt.Fprint(q.app.errOut, "\nqapi: the migration goes on. Cancel it? [y/N] ")
	go q.answer()
}

func (q *question) answer() {
	if q.answers.Scan() && strings.HasPrefix(strings.ToLower(q.answers.Text()), "y") {
		q.cancel()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open = false
}

func (a *app) incoming(ctx context.Context, c *qapi.Client, at migration.Address, opts []migration.Option) error {
	arrival, err := migration.Incoming(ctx, c, at, opts...)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.errOut, "qapi: QEMU waits for the machine, even after an interrupt")
	state, err := arrival.Wait(ctx)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			fmt.Fprintln(a.errOut, "qapi: QEMU still waits for the machine")
		}
		return err
	}
	fmt.Fprintf(a.errOut, "qapi: the machine has arrived, and is %s\n", state)
	return nil
}

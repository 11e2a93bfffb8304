package cli

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
	"github.com/goqapi/goqapi/cmd/qapi/internal/top"
)

// topCommand shows what machines do.
func (a *app) topCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "top ADDR...",
		Short: "Show what machines do: processors, disks, network, memory",
		Long: `Shows what machines do: how busy their virtual processors are, what they read and write,
what goes through their network interfaces on this host (taps), and their memory. It runs
until it is interrupted; after a lost connection it tries again.

How busy processors are is known for machines of this host, by their threads, and of others
if they have KVM and QEMU 7.1 or later. With --once it ends after one interval; the exit code is
then 3 if there is no connection to a machine.

` + target.Help,
		Example: `  qapi top web01
  qapi top @web* --once --json`,
		Args: count(1, -1),
	}
	f := cmd.Flags()
	once := f.Bool("once", false, "end after one interval")
	asJSON := f.Bool("json", false, "write a line with a JSON object for each machine and interval")
	interval := f.Duration("interval", 2*time.Second, "the `time` between two readings")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *interval < 100*time.Millisecond {
			return exit.Usagef("--interval %v: it must be at least 100ms", *interval)
		}
		var machines []target.Machine
		for _, addr := range args {
			found, err := a.resolve(cmd.Context(), addr)
			if err != nil {
				return err
			}
			machines = append(machines, found...)
		}
		if *once {
			return a.topOnce(cmd.Context(), machines, *interval, *asJSON)
		}
		a.top(cmd.Context(), machines, *interval, *asJSON)
		return nil
	}
	return cmd
}

// topOnce shows one reading of each machine.
func (a *app) topOnce(ctx context.Context, machines []target.Machine, interval time.Duration, asJSON bool) error {
	readings := make([]top.Reading, len(machines))
	var group sync.WaitGroup
	for i, m := range machines {
		group.Go(func() {
			top.Watch(ctx, m, interval, func(r top.Reading) bool { readings[i] = r; return false })
		})
	}
	group.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	worst := exit.OK
	for _, r := range readings {
		worst = max(worst, r.Code)
		if asJSON {
			a.printLine(r)
		}
	}
	if !asJSON {
		a.printTable(term.New(a.out, a.env), readings, time.Hour) // early readings have waited for the last one
	}
	if worst != exit.OK {
		return exit.Silent(worst)
	}
	return nil
}

// printTable prints readings as lines that are not drawn again.
func (a *app) printTable(out *term.Output, readings []top.Reading, oldest time.Duration) {
	a.write([]byte(strings.Join(top.Table(out, readings, time.Now(), oldest), "\n") + "\n"))
}

// oldest returns how old a reading may be: a machine whose last reading is older is shown as
// not answering.
func oldest(interval time.Duration) time.Duration { return 2*interval + 2*time.Second }

// top shows readings until ctx ends, which is the usual end.
func (a *app) top(ctx context.Context, machines []target.Machine, interval time.Duration, asJSON bool) {
	type news struct {
		machine int
		reading top.Reading
	}
	arrived := make(chan news)
	var group sync.WaitGroup
	for i, m := range machines {
		group.Go(func() {
			top.Watch(ctx, m, interval, func(r top.Reading) bool {
				select {
				case arrived <- news{i, r}:
				case <-ctx.Done():
				}
				return true
			})
		})
	}
	defer group.Wait()
	readings := make([]top.Reading, len(machines))
	for i, m := range machines {
		readings[i].VM = m.Name
	}
	show, end := a.topScreen(readings, interval, asJSON)
	defer end()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for show(-1); ; {
		select {
		case <-ctx.Done():
			return
		case n := <-arrived:
			readings[n.machine] = n.reading
			show(n.machine)
		case <-ticker.C:
			show(-1)
		}
	}
}

// topScreen returns a function that shows the readings: it is called with the index of a
// machine after its reading, and with -1 when time has passed.
func (a *app) topScreen(readings []top.Reading, interval time.Duration, asJSON bool) (show func(machine int), end func()) {
	out := term.New(a.out, a.env)
	switch {
	case asJSON:
		return func(machine int) {
			if machine >= 0 {
				a.printLine(readings[machine])
			}
		}, func() {}
	case !out.Redraws():
		first := true
		return func(machine int) {
			if machine < 0 && !first {
				a.printTable(out, readings, oldest(interval))
				fmt.Fprintln(a.out)
			}
			first = false
		}, func() {}
	}
	screen := term.NewScreen(out)
	return func(int) {
		now := time.Now()
		lines := []string{out.In(term.Dim, fmt.Sprintf("every %v, %s; Ctrl-C ends it", interval, now.Format("15:04:05"))), ""}
		screen.Draw(append(lines, top.Table(out, readings, now, oldest(interval))...))
	}, screen.End
}

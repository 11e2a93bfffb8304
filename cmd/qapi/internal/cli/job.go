package cli

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/job"
)

// jobCommand returns the parent of the commands for jobs.
func (a *app) jobCommand() *cobra.Command {
	cmd := parent("job", "List jobs, wait for them, and change them",
		"Works with QEMU's jobs: the work that it does in the background, such as a backup.\n\n"+target.Help)
	cmd.AddCommand(
		a.jobListCommand(), a.jobWaitCommand(), a.jobWatchCommand(),
		a.jobVerb("pause", "Pause jobs", (*job.Job).Pause),
		a.jobVerb("resume", "Continue paused jobs", (*job.Job).Resume),
		a.jobVerb("complete", "Complete jobs that are ready", (*job.Job).Complete),
		a.jobVerb("cancel", "Cancel jobs", (*job.Job).Cancel),
		a.jobDismissCommand(),
	)
	return cmd
}

// jobListCommand lists the jobs of a machine.
func (a *app) jobListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "ls ADDR", Short: "List jobs", Args: count(1, 1)}
	asJSON := cmd.Flags().Bool("json", false, "write each as a line with a JSON object")
	timeout := timeoutFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.with(cmd.Context(), args[0], *timeout, func(ctx context.Context, c *qapi.Client) error {
			jobs, err := c.QueryJobs(ctx)
			if err == nil {
				a.listJobs(jobs, *asJSON)
			}
			return err
		})
	}
	return cmd
}

// with calls f with a client of the one machine that an address names.
func (a *app) with(ctx context.Context, addr string, timeout time.Duration, f func(context.Context, *qapi.Client) error) error {
	ctx, cancel := withTimeout(ctx, timeout)
	defer cancel()
	c, err := a.dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	return f(ctx, c)
}

func (a *app) listJobs(jobs []qapi.JobInfo, asJSON bool) {
	if asJSON {
		for _, j := range jobs {
			a.printLine(j)
		}
		return
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', 0)
	if len(jobs) > 0 {
		fmt.Fprintln(w, "ID\tTYPE\tDONE\tSTATE")
	}
	for _, j := range jobs {
		state := string(j.Status)
		if j.Error != nil {
			state += ": " + *j.Error
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", printable.String(j.ID), printable.String(string(j.Type)), term.Percent(j.Percent()), printable.String(state))
	}
	_ = w.Flush()
}

// jobVerb makes a command that does one thing to jobs.
func (a *app) jobVerb(name, short string, do func(*job.Job, context.Context) error) *cobra.Command {
	return a.jobsCommand(name, short, func(ctx context.Context, c *qapi.Client, id string) error {
		j, err := job.Attach(ctx, c, id)
		if err != nil {
			return err
		}
		defer j.Close()
		return do(j, ctx)
	})
}

func (a *app) jobDismissCommand() *cobra.Command {
	return a.jobsCommand("dismiss", "Remove jobs that have ended from QEMU's list", func(ctx context.Context, c *qapi.Client, id string) error {
		if err := c.JobDismiss(ctx, qapi.JobDismissArgs{ID: id}); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		return nil
	})
}

// jobsCommand makes a command that calls f for each of some jobs.
func (a *app) jobsCommand(name, short string, f func(ctx context.Context, c *qapi.Client, id string) error) *cobra.Command {
	cmd := &cobra.Command{Use: name + " ADDR ID...", Short: short, Args: count(2, -1)}
	timeout := timeoutFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.with(cmd.Context(), args[0], *timeout, func(ctx context.Context, c *qapi.Client) error {
			var errs []error
			for _, id := range args[1:] {
				if err := f(ctx, c, id); err != nil {
					errs = append(errs, err)
				}
			}
			return errors.Join(errs...)
		})
	}
	return cmd
}

// jobWaitCommand waits for the end of jobs.
func (a *app) jobWaitCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wait ADDR [ID...]",
		Short: "Wait until jobs have ended",
		Long: `Waits until jobs have ended: the named ones, or all. It only waits: after an interrupt the
jobs continue, and a mirror that is ready continues until "qapi job complete". The exit code
is 1 if one has failed.`,
		Args: count(1, -1),
	}
	ready := cmd.Flags().Bool("ready", false, "wait only until each job is ready to be completed")
	timeout := timeoutFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.with(cmd.Context(), args[0], *timeout, func(ctx context.Context, c *qapi.Client) error {
			return a.waitForJobs(ctx, c, args[0], args[1:], *ready)
		})
	}
	return cmd
}

func (a *app) waitForJobs(ctx context.Context, c *qapi.Client, addr string, ids []string, ready bool) error {
	if len(ids) == 0 {
		jobs, err := c.QueryJobs(ctx)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			ids = append(ids, j.ID)
		}
	}
	var errs []error
	for i, id := range ids {
		err := a.waitForJob(ctx, c, addr, id, ready)
		if ctx.Err() != nil {
			for _, left := range ids[i:] {
				fmt.Fprintf(a.errOut, "qapi: the job %s goes on: qapi job wait %s %s\n", printable.String(left), addr, printable.String(left))
			}
			if errors.Is(ctx.Err(), context.Canceled) {
				return exit.Silent(exit.Interrupted) // whoever cancelled it knows
			}
			return ctx.Err() // the query that was interrupted does not matter
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (a *app) waitForJob(ctx context.Context, c *qapi.Client, addr, id string, ready bool) error {
	bar := term.NewBar(term.New(a.errOut, a.env))
	defer bar.End()
	var name string
	state := ""
	show := func(p job.Progress) {
		bar.Show(term.Progress{Name: name, State: state, Done: p.Done, Total: p.Total, Percent: p.Percent, Rate: p.Rate, Left: p.Left})
	}
	j, err := job.Attach(ctx, c, id, job.OnProgress(show))
	if err != nil {
		return err
	}
	defer j.Close()
	info, err := j.Info(ctx)
	if err != nil {
		return err
	}
	name, state = id+"  "+string(info.Type), string(info.Status)
	if err := j.Ready(ctx); err != nil || ready {
		return err
	}
	if info, err = j.Info(ctx); err == nil && info.Status == qapi.JobStatusReady {
		state = string(info.Status)
		bar.Around(func() {
			fmt.Fprintf(a.errOut, "qapi: %s is ready: qapi job complete %s %s\n", printable.String(id), addr, printable.String(id))
		})
	}
	_, err = j.Wait(ctx)
	return err
}

// jobWatchCommand prints what happens to jobs.
func (a *app) jobWatchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "watch ADDR [ID...]",
		Short: "Print how the states of jobs change",
		Long: `Prints a line of JSON whenever the state of a job changes: for the named jobs until they have
ended, or for all jobs until it is interrupted.`,
		Args: count(1, -1),
	}
	timeout := timeoutFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.with(cmd.Context(), args[0], *timeout, func(ctx context.Context, c *qapi.Client) error {
			return a.watchJobs(ctx, c, args[1:])
		})
	}
	return cmd
}

// A jobLine is what watch prints about a job.
type jobLine struct {
	Time  string `json:"time,omitempty"`
	ID    string `json:"id"`
	State string `json:"state"`
}

func (a *app) watchJobs(ctx context.Context, c *qapi.Client, ids []string) error {
	left := map[string]bool{}
	for _, id := range ids {
		left[id] = true
	}
	events := qapi.Subscribe[qapi.JobStatusChangeEvent](c)
	defer events.Close()
	jobs, err := c.QueryJobs(ctx)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, j := range jobs {
		there[j.ID] = true
		if len(ids) == 0 || left[j.ID] {
			a.printLine(jobLine{"", j.ID, string(j.Status)})
		}
	}
	for _, id := range ids {
		if !there[id] {
			return exit.With(exit.Failed, fmt.Errorf("%s: %w", id, job.ErrGone))
		}
	}
	for e, err := range events.All(ctx) {
		switch {
		case isGap(err):
			fmt.Fprintf(a.errOut, "qapi: %v\n", err)
			continue
		case err != nil:
			return err
		case len(ids) > 0 && !left[e.ID]:
			continue
		}
		a.printLine(jobLine{now(), e.ID, string(e.Status)})
		if e.Status == qapi.JobStatusNull || e.Status == qapi.JobStatusConcluded {
			delete(left, e.ID)
		}
		if len(ids) > 0 && len(left) == 0 {
			return nil
		}
	}
	return nil
}

func now() string { return time.Now().UTC().Format(timeFormat) }

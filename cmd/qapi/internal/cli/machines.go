package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// resolve returns the machines that an address names.
func (a *app) resolve(ctx context.Context, addr string) ([]target.Machine, error) {
	machines, err := target.Resolve(ctx, a.finder, addr)
	if _, missing := errors.AsType[*target.NotFoundError](err); err != nil && !missing && ctx.Err() == nil {
		return nil, exit.With(exit.Usage, err)
	}
	return machines, err
}

// one returns the one machine that an address names.
func (a *app) one(ctx context.Context, addr string) (target.Machine, error) {
	machines, err := a.resolve(ctx, addr)
	switch {
	case err != nil:
		return target.Machine{}, err
	case len(machines) > 1:
		return target.Machine{}, exit.Usagef("%s names %d machines, and this command works with one", addr, len(machines))
	}
	return machines[0], nil
}

// dial connects to the one machine that an address names.
func (a *app) dial(ctx context.Context, addr string, opts ...qmp.Option) (*qapi.Client, error) {
	m, err := a.one(ctx, addr)
	if err != nil {
		return nil, err
	}
	return m.Dial(ctx, opts...)
}

// timeoutFlag adds the flag --timeout.
func timeoutFlag(cmd *cobra.Command) *time.Duration {
	return cmd.Flags().Duration("timeout", 0, "the `time` limit for everything, such as 10s; when it has passed, the exit code is 124")
}

// withTimeout limits ctx, unless the time is 0.
func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// atOnce is the number of machines that are worked with at the same time.
const atOnce = 16

// each calls f for each machine, for several at a time. The error is the worst one, by its exit
// code; it was printed already, with the machine.
func (a *app) each(machines []target.Machine, f func(target.Machine) error) error {
	var group sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	errs := make([]error, len(machines))
	for i, m := range machines {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			errs[i] = f(m)
		})
	}
	group.Wait()
	worst := exit.OK
	for i, err := range errs {
		if err == nil {
			continue
		}
		a.printLine(errorLine{machines[i].Name, exit.Explain(err)})
		worst = max(worst, exit.Code(err))
	}
	if worst == exit.OK {
		return nil
	}
	return exit.Silent(worst)
}

// An errorLine is printed for a machine of several for which a command failed.
type errorLine struct {
	VM    string `json:"vm"`
	Error string `json:"error"`
}

// printLine prints a value as a line of JSON. Lines of several goroutines do not mix.
func (a *app) printLine(v any) {
	text, err := json.Marshal(v)
	if err != nil { // everything in it can be encoded
		text = fmt.Appendf(nil, "%q", err.Error())
	}
	a.write(append(term.JSON(text), '\n'))
}

// write writes to standard output, whole lines at a time.
func (a *app) write(text []byte) {
	a.outMu.Lock()
	defer a.outMu.Unlock()
	_, _ = a.out.Write(text)
}

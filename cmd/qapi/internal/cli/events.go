package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/qmp"
)

// The flags of qapi events.
type eventsFlags struct {
	filter    []string
	until     string
	count     int64
	reconnect bool
	timeout   *time.Duration
}

// A watch says which events are printed, and until when.
type watch struct {
	names   []string
	tests   []test
	until   *matcher
	left    atomic.Int64 // how many may still be printed
	counted bool
	several bool
}

// timeFormat is the format of times in lines of JSON.
const timeFormat = "2006-01-02T15:04:05.000000Z07:00"

// errWatched ends a watch when all events that were asked for have come.
var errWatched = errors.New("all events that were asked for have come")

// eventsCommand prints the events of machines.
func (a *app) eventsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "events ADDR [NAME...]",
		Short: "Print events as they come, each as a line of JSON",
		Long: `Prints the events of a QEMU as they come, each as a line of JSON: all of them, or those with
the given names. It ends when QEMU ends, or as the flags say.

` + target.Help,
		Example: `  qapi events web01
  qapi events web01 BLOCK_JOB_COMPLETED JOB_STATUS_CHANGE --filter id=m0
  qapi events @web* --until SHUTDOWN --timeout 1m`,
		Args: count(1, -1),
	}
	var flags eventsFlags
	f := cmd.Flags()
	f.StringArrayVar(&flags.filter, "filter", nil, "print only events with `MEMBER=VALUE` in their data; can be given several times")
	f.StringVar(&flags.until, "until", "", "end after an `event`, EVENT[:MEMBER=VALUE,...]")
	f.Int64Var(&flags.count, "count", 0, "end after `N` events")
	f.BoolVar(&flags.reconnect, "reconnect", false, "connect again when the connection is lost")
	flags.timeout = timeoutFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.events(cmd.Context(), args[0], args[1:], flags)
	}
	return cmd
}

func (a *app) events(ctx context.Context, addr string, names []string, flags eventsFlags) error {
	w := &watch{names: names, counted: flags.count > 0, several: strings.HasPrefix(addr, "@")}
	w.left.Store(flags.count)
	for _, text := range flags.filter {
		t, err := parseTest(text)
		if err != nil {
			return err
		}
		w.tests = append(w.tests, t)
	}
	if flags.until != "" {
		m, err := parseMatcher(flags.until)
		if err != nil {
			return err
		}
		w.until = &m
	}
	if err := w.check(ctx, a); err != nil {
		return err
	}
	ctx, cancel := withTimeout(ctx, *flags.timeout)
	defer cancel()
	machines, err := a.resolve(ctx, addr)
	if err != nil {
		return err
	}
	if !w.several {
		return a.watch(ctx, machines[0], w, flags.reconnect)
	}
	return a.each(machines, func(m target.Machine) error {
		err := a.watch(ctx, m, w, flags.reconnect)
		if w.isFull() {
			cancel() // the other machines need not be watched any more
			return nil
		}
		return err
	})
}

// check returns an error for a name that seems to be misspelt.
func (w *watch) check(ctx context.Context, a *app) error {
	s, err := a.schema(ctx, "")
	if err != nil {
		return err
	}
	for _, name := range w.names {
		if err := (matcher{event: name}).check(s); err != nil {
			return err
		}
	}
	if w.until == nil {
		return nil
	}
	return w.until.check(s)
}

// watch prints the events of one machine until the watch, or the machine, ends.
func (a *app) watch(ctx context.Context, m target.Machine, w *watch, reconnect bool) error {
	var opts []qmp.Option
	if reconnect {
		opts = append(opts, qmp.WithReconnect(qmp.Reconnect{}))
	}
	var events *qmp.Subscription
	opts = append(opts, qmp.WithSetup(func(c *qmp.Conn) { // so that not even the first one is missed
		if events == nil {
			events = c.Subscribe(w.subscribed())
		}
	}))
	c, err := m.Dial(ctx, opts...)
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		e, err := events.Next(ctx)
		if err == nil {
			err = a.watched(m, w, e)
		}
		switch {
		case err == nil:
		case errors.Is(err, errWatched):
			return nil
		case isGap(err):
			fmt.Fprintf(a.errOut, "qapi: %s: %v\n", m.Name, err)
		case errors.Is(err, qmp.ErrClosed) && w.until == nil && !w.counted:
			return nil // it has ended
		default:
			return err
		}
	}
}

// isGap reports whether an error only says that events are missing.
func isGap(err error) bool {
	_, gap := errors.AsType[*qmp.GapError](err)
	_, overflow := errors.AsType[*qmp.OverflowError](err)
	return gap || overflow
}

// subscribed returns the names of the events that are needed, or nil for all.
func (w *watch) subscribed() []string {
	if len(w.names) == 0 || w.until == nil {
		return w.names
	}
	return append(w.until.names(), w.names...)
}

// watched prints an event if it is asked for. It returns errWatched for the last one.
func (a *app) watched(m target.Machine, w *watch, e qmp.Event) error {
	isLast := w.until != nil && w.until.matches(e)
	if isLast || w.wants(e) {
		line := eventLine{Event: e.Name, Data: e.Data}
		if !e.Timestamp.IsZero() {
			line.Time = e.Timestamp.Format(timeFormat)
		}
		if w.several {
			line.VM = m.Name
		}
		if w.counted && w.left.Add(-1) < 0 {
			return errWatched
		}
		a.printLine(line)
	}
	if isLast || w.isFull() {
		return errWatched
	}
	return nil
}

// isFull reports whether as many events were printed as were asked for.
func (w *watch) isFull() bool { return w.counted && w.left.Load() <= 0 }

func (w *watch) wants(e qmp.Event) bool {
	return (len(w.names) == 0 || slices.Contains(w.names, e.Name)) && matcher{tests: w.tests}.matches(e)
}

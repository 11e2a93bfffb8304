package cli

import (
	"context"
	"sync"
	"time"

	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/internal/progress"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// showDump shows on a terminal how far a dump of the guest's memory is, until end is called:
// it is not a job, which qapi job could wait for.
func (a *app) showDump(ctx context.Context, conn *qmp.Conn) (end func()) {
	out := term.New(a.errOut, a.env)
	if !out.Redraws() {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() {
		bar := term.NewBar(out)
		defer bar.End()
		c := qapi.NewClient(conn)
		var meter progress.Meter
		_ = poll.Until(ctx, func(ctx context.Context) (done bool, err error) { // the caller waits for the end of the dump anyway
			how, err := c.QueryDump(ctx)
			if err != nil || how.Status != qapi.DumpStatusActive {
				return true, err
			}
			r := meter.Read(time.Now(), how.Completed, how.Total)
			bar.Show(term.Progress{Name: "dump", State: string(how.Status), Done: r.Done, Total: r.Total, Percent: r.Percent, Rate: r.Rate, Left: r.Left})
			return false, nil
		})
		<-ctx.Done() // the bar stays until the event has come
	})
	return func() {
		cancel()
		group.Wait()
	}
}

package migration_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/migration"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// A running machine is moved from one QEMU to another. Here both are fakes; real ones are
// started with -qmp unix:PATH,server=on,wait=off, and the second with -incoming defer.
func Example() {
	source := qmptest.New()
	destination := qmptest.New(qmptest.Incoming())
	defer source.Close()
	defer destination.Close()
	from, err := source.Listen("tcp:127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	to, err := destination.Listen("tcp:127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	if err := start(from); err != nil {
		log.Fatal(err)
	}
	state, err := move(context.Background(), os.Stderr, from, to, migration.Unix("/run/vm/migration"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("at the destination the machine is", state)
	// Output: at the destination the machine is running
}

// move moves the machine of the QEMU at one QMP address to the QEMU at another one, and writes to
// w how far it is.
func move(ctx context.Context, w io.Writer, source, destination string, at migration.Address) (qapi.RunState, error) {
	from, err := qapi.Dial(ctx, source)
	if err != nil {
		return "", err
	}
	defer from.Close()
	to, err := qapi.Dial(ctx, destination)
	if err != nil {
		return "", err
	}
	defer to.Close()

	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	line := func(p migration.Progress) { fmt.Fprintf(w, "\r%-70s", p) }
	stats, err := migration.Move(ctx, from, to, at, migration.OnProgress(line))
	fmt.Fprintln(w)
	if failed, ok := errors.AsType[*migration.Error](err); ok && failed.Cancelled {
		return "", fmt.Errorf("it took too long, and the machine still runs where it was: %w", err)
	}
	if err != nil {
		return "", err
	}
	fmt.Fprintf(w, "It took %v, and the machine was paused for %v of that.\n", stats.Time, stats.Downtime)

	status, err := to.QueryStatus(ctx)
	if err != nil {
		return "", err
	}
	return status.Status, from.Quit(ctx)
}

// start makes a machine run.
func start(address string) error {
	c, err := qapi.Dial(context.Background(), address)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Cont(context.Background())
}

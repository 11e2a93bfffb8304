package qapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"time"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// A manager that continues when its connection to a machine is lost, and knows where it
// may have missed events.
func ExampleSubscribe_gap() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	srv := qmptest.New()
	defer srv.Close()

	conn, err := qmp.DialFunc(ctx, // or qmp.Dial, qapi.Dial, with an address
		func(context.Context) (io.ReadWriteCloser, error) { return srv.Pipe(), nil },
		qmp.WithReconnect(qmp.Reconnect{MinDelay: time.Millisecond}))
	if err != nil {
		log.Fatal(err)
	}
	c := qapi.NewClient(conn)
	defer c.Close()

	stops := qapi.Subscribe[qapi.StopEvent](c)
	srv.Emit(qapi.StopEvent{})
	_, err = stops.Next(ctx)
	fmt.Println("stopped", err)

	srv.Cut()
	_, err = stops.Next(ctx)
	if gap, ok := errors.AsType[*qmp.GapError](err); ok {
		fmt.Println(gap)
		version, err := c.QueryVersion(ctx) // waits for the connection
		fmt.Println("and back with", version.QEMU.Major, err)
	}
	// Output:
	// stopped <nil>
	// qmp: events may be missing here: connection closed by the server
	// and back with 11 <nil>
}

// Commands are counted, and could be timed, without a change to the code that makes the calls.
func Example_trace() {
	ctx := context.Background()
	srv := qmptest.New()
	defer srv.Close()
	counts := map[string]int{}
	conn, err := srv.Dial(ctx, qmp.WithTrace(qmp.Trace{
		Call: func(_ context.Context, command string) func(qmp.CallInfo) {
			return func(c qmp.CallInfo) {
				if c.Err == nil {
					counts[command]++ // c.End.Sub(c.Start) is how long it took
				}
			}
		},
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	for range 3 {
		if _, err := qapi.NewClient(conn).QueryVersion(ctx); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(counts)
	// Output: map[qmp_capabilities:1 query-version:3]
}

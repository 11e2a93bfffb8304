package cut

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// Client is a client over connections that are made again when they are lost.
func (c *Cutter) Client(t testing.TB) *qapi.Client {
	t.Helper()
	conn, err := qmp.DialFunc(t.Context(), c.Dial,
		qmp.WithReconnect(qmp.Reconnect{MinDelay: time.Millisecond, MaxDelay: time.Millisecond}),
		qmp.WithHandshakeTimeout(time.Second)) // QEMU 5.2 may not notice at once that it was dialled
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return qapi.NewClient(conn)
}

// Everywhere calls try for each message, n, and each way in which the connection can be cut there,
// until it returns false: so many were not sent.
func Everywhere(t *testing.T, try func(n int, how How) (reached bool)) {
	t.Helper()
	for _, how := range []How{Unsent, Unanswered} {
		n := 1
		for try(n, how) && !t.Failed() {
			n++
		}
		t.Logf("cut at each of %d messages, %s", n-1, how)
	}
}

// NoMoreGoroutines waits until there are no more than before.
func NoMoreGoroutines(t testing.TB, before int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if poll.Until(ctx, func(context.Context) (bool, error) { return runtime.NumGoroutine() <= before, nil }) != nil {
		t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
	}
}

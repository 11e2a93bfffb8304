package cut

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// soon is how long giving up may take at most, also on a busy machine. It is less than the limit
// for cleaning up, 10 s, which must not be reached.
const soon = 9 * time.Second

// Client is a client over connections that are made again when they are lost.
func (c *Cutter) Client(t testing.TB) *qapi.Client {
	t.Helper()
	conn, err := qmp.DialFunc(t.Context(), c.Dial,
		qmp.WithReconnect(qmp.Reconnect{MinDelay: time.Millisecond, MaxDelay: time.Millisecond, RetryFirst: true}),
		qmp.WithHandshakeTimeout(time.Second)) // see RetryFirst about QEMU 5.2
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return qapi.NewClient(conn)
}

// Survived runs try once for each message that it sends, and cuts the connection of c at
// that message: each time, try must succeed. check is called after each time.
func (c *Cutter) Survived(t *testing.T, client *qapi.Client, try Try, check func(what string)) {
	t.Helper()
	Everywhere(t, func(n int, how How) bool {
		dir, what := t.TempDir(), fmt.Sprintf("%s: cut at message %d, %s", try.Name, n, how)
		try.Prep(t, client, dir)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c.At(n, how)
		if err := try.Run(ctx, client, dir); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		reached := c.Reached()
		check(what)
		return reached
	})
}

// GivenUp runs try once for each message that it sends, and ends ctx at that message: each
// time, try must return soon, with the error of ctx unless it has succeeded. check is
// called after each time.
func (c *Cutter) GivenUp(t *testing.T, client *qapi.Client, try Try, check func(what string, err error)) {
	t.Helper()
	for n, reached := 1, true; reached && !t.Failed(); n++ {
		dir, what := t.TempDir(), fmt.Sprintf("%s: given up at message %d", try.Name, n)
		try.Prep(t, client, dir)
		ctx, cancel := context.WithCancel(t.Context())
		c.Before(n, cancel)
		start := time.Now()
		err := try.Run(ctx, client, dir)
		reached = c.Reached()
		cancel()
		if took := time.Since(start); took > soon || err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: after %v: %v", what, took, err)
		}
		check(what, err)
	}
}

// Everywhere calls try for each message n, and for each way in which the connection can be
// cut at it, until try returns false: then fewer than n messages were sent.
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

// A Try is something that several commands do, which a test disturbs.
type Try struct {
	Name string
	Prep func(t *testing.T, c *qapi.Client, dir string) // what it needs
	Run  func(ctx context.Context, c *qapi.Client, dir string) error
}

// Killed runs try once for each message that it sends, each time with a new QEMU, which is
// killed at that message. try must return at once, with an error that says what has
// happened, and leave no goroutine.
func Killed(t *testing.T, q qemutest.QEMU, try Try, args ...string) {
	t.Helper()
	n := 1
	for killedAt(t, q, try, n, args) && !t.Failed() {
		n++
	}
	t.Logf("%s: killed at each of %d messages", try.Name, n-1)
}

func killedAt(t *testing.T, q qemutest.QEMU, try Try, n int, args []string) (reached bool) {
	t.Helper()
	dir, qemu := t.TempDir(), q.Run(t, args...)
	setup, err := qmp.NewConn(t.Context(), qemu.Monitor)
	if err != nil {
		t.Fatal(err)
	}
	defer setup.Close()
	try.Prep(t, qapi.NewClient(setup), dir)
	before := runtime.NumGoroutine()
	c := New(qemu.Dial)
	conn, err := qmp.DialFunc(t.Context(), c.Dial)
	if err != nil {
		t.Fatal(err)
	}
	c.Before(n, func() { qemu.Kill(t) })
	start := time.Now()
	err = try.Run(t.Context(), qapi.NewClient(conn), dir)
	if took := time.Since(start); took > soon {
		t.Errorf("%s: killed at message %d: it took %v", try.Name, n, took)
	}
	if reached = c.Reached(); reached != errors.Is(err, qmp.ErrClosed) {
		t.Errorf("%s: killed at message %d: %v, error %v", try.Name, n, reached, err)
	}
	conn.Close()
	noMoreGoroutines(t, before)
	return reached
}

// noMoreGoroutines waits until there are no more than before.
func noMoreGoroutines(t testing.TB, before int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if poll.Until(ctx, func(context.Context) (bool, error) { return runtime.NumGoroutine() <= before, nil }) != nil {
		t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
	}
}

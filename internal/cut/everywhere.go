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

// Survived runs try again and again, with the connection of c cut at each of its messages: it has
// to succeed all the same. check is called after each time.
func (c *Cutter) Survived(t *testing.T, client *qapi.Client, try Try, check func(what string)) {
	t.Helper()
	Everywhere(t, func(n int, how How) bool {
		dir, what := t.TempDir(), fmt.Sprintf("%s: cut at message %d, %s", try.Name, n, how)
		try.Prep(t, client, dir)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
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

// GivenUp runs try again and again; ctx ends at each of its messages: it has to return soon,
// with that error unless it has succeeded. check is called after each time.
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
		if took := time.Since(start); took > 5*time.Second || err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: after %v: %v", what, took, err)
		}
		check(what, err)
	}
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

// A Try is something that several commands do, which a test disturbs.
type Try struct {
	Name string
	Prep func(t *testing.T, c *qapi.Client, dir string) // what it needs
	Run  func(ctx context.Context, c *qapi.Client, dir string) error
}

// Killed runs try again and again, against a QEMU of its own each time that is killed at each of the
// messages that it sends: it has to return at once, with an error that says what has happened,
// and to leave no goroutine.
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
	if took := time.Since(start); took > 5*time.Second {
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
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if poll.Until(ctx, func(context.Context) (bool, error) { return runtime.NumGoroutine() <= before, nil }) != nil {
		t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
	}
}

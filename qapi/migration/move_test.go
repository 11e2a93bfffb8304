package migration_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/cut"
	"github.com/goqapi/goqapi/internal/short"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/migration"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

var releases = []string{"5.2", "7.2", "10.0", "11.1"}

// each runs f in a bubble of its own for each release.
func each(t *testing.T, f func(t *testing.T, release string)) {
	t.Helper()
	for _, release := range short.Ends(releases) {
		t.Run(release, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, release) })
		})
	}
}

// A fake is a fake QEMU and a client of it.
type fake struct {
	*qapi.Client

	srv *qmptest.Server
}

func startFake(t *testing.T, opts ...qmptest.Option) fake {
	t.Helper()
	srv := qmptest.Start(t, opts...)
	return fake{client(t, srv), srv}
}

func client(t *testing.T, srv *qmptest.Server) *qapi.Client {
	t.Helper()
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return qapi.NewClient(conn)
}

func (f fake) state(t *testing.T) qapi.RunState {
	t.Helper()
	now, err := client(t, f.srv).QueryStatus(t.Context())
	require.NoError(t, err)
	return now.Status
}

// gone checks that the fake has ended.
func (f fake) gone(t *testing.T) {
	t.Helper()
	synctest.Wait()
	assert.Error(t, f.Conn().Err())
}

// fakes starts two fakes; the machine of the first runs.
func fakes(t *testing.T, release string) (from, to fake) {
	t.Helper()
	from = startFake(t, qmptest.Release(release))
	to = startFake(t, qmptest.Release(release), qmptest.Incoming())
	require.NoError(t, from.Cont(t.Context()))
	return from, to
}

// at is the address of the migrations in the tests.
func at(t *testing.T) migration.Address { return migration.Unix("/" + t.Name()) }

// commands returns the commands that a server received, without queries, in order.
func commands(srv *qmptest.Server) []string {
	var list []string
	for _, call := range srv.Calls() {
		if len(call.Command) < 6 || call.Command[:6] != "query-" {
			list = append(list, call.Command)
		}
	}
	return list
}

// kept checks that everything that was set for a migration was reset.
func kept(t *testing.T, f fake) {
	t.Helper()
	caps, err := client(t, f.srv).QueryMigrateCapabilities(t.Context())
	require.NoError(t, err)
	for _, c := range caps {
		assert.False(t, c.State, "%s", c.Capability)
	}
	p, err := client(t, f.srv).QueryMigrateParameters(t.Context())
	require.NoError(t, err)
	assert.Equal(t, uint64(128<<20), qapi.Value(p.MaxBandwidth))
}

func TestMove(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		from, to := fakes(t, release)
		_, err := migration.Move(soon(t), from.Client, to.Client, at(t))
		require.NoError(t, err)
		assert.Equal(t, qapi.RunStatePostmigrate, from.state(t))
		assert.Equal(t, qapi.RunStateRunning, to.state(t))
		assert.Equal(t, []string{
			"cont", "migrate-set-capabilities", "migrate", "migrate-set-capabilities",
		}, commands(from.srv))
		assert.Equal(t, []string{
			"stop", "migrate-set-capabilities", "migrate-incoming", "migrate-set-capabilities", "cont",
		}, commands(to.srv), "it must not run by itself")
		kept(t, from)
		kept(t, to)
	})
}

// The machine moves a second time, from its new place.
func TestMoveOn(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		from, to := fakes(t, release)
		third := startFake(t, qmptest.Release(release), qmptest.Incoming())
		_, err := migration.Move(soon(t), from.Client, to.Client, migration.TCP("127.0.0.1", 0))
		require.NoError(t, err)
		_, err = migration.Move(soon(t), to.Client, third.Client, migration.TCP("127.0.0.1", 0))
		require.NoError(t, err)
		assert.Equal(t, qapi.RunStateRunning, third.state(t))
	})
}

func TestProgressOfPasses(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		from, to := fakes(t, release)
		from.srv.DirtyMemory(4 << 20)
		var seen []migration.Progress
		stats, err := migration.Move(soon(t), from.Client, to.Client, at(t), bandwidth(16<<20),
			migration.OnProgress(func(p migration.Progress) { seen = append(seen, p) }))
		require.NoError(t, err)
		last := migration.Progress{}
		passes := map[int64]bool{}
		for _, p := range seen {
			if p.Passes == last.Passes {
				assert.GreaterOrEqual(t, p.Percent, last.Percent)
			}
			if p.Done < p.Total && p.Rate > 0 {
				assert.Positive(t, p.Left)
			}
			passes[p.Passes] = true
			last = p
		}
		assert.GreaterOrEqual(t, len(passes), 3, "%v", passes)
		assert.Equal(t, qapi.MigrationStatusCompleted, last.Status)
		assert.InDelta(t, 100, last.Percent, 0)
		assert.Zero(t, last.Left)
		assert.Equal(t, last.Passes, stats.Passes)
		assert.Greater(t, stats.Transferred, int64(64<<20))
		kept(t, from)
	})
}

func bandwidth(bytes uint64) migration.Option {
	return migration.Parameters(qapi.MigrationParameters{MaxBandwidth: &bytes})
}

func TestFailure(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		from, to := fakes(t, release)
		_, err := migration.Move(soon(t), from.Client, to.Client, at(t), bandwidth(1<<20),
			when(qapi.MigrationStatusActive, func() { from.srv.FailMigration("the cable was cut") }))
		e := moved(t, err)
		assert.Equal(t, qapi.MigrationStatusFailed, e.Status)
		assert.Equal(t, "the cable was cut", e.Reason)
		assert.False(t, e.Cancelled)
		assert.NotContains(t, err.Error(), "left behind")
		assert.Equal(t, qapi.RunStateRunning, from.state(t))
		kept(t, from)
		to.gone(t)
		if release == "10.0" || release == "11.1" { // it has stayed to report the failure
			assert.NotEmpty(t, e.Destination)
		}
	})
}

func TestDestinationGoes(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		from, to := fakes(t, release)
		_, err := migration.Move(soon(t), from.Client, to.Client, at(t), bandwidth(1<<20),
			when(qapi.MigrationStatusActive, func() { assert.NoError(t, client(t, to.srv).Quit(t.Context())) }))
		assert.Contains(t, moved(t, err).Reason, "Broken pipe")
		if release == "10.0" || release == "11.1" { // the end of the connection does not show that it has ended
			assert.ErrorContains(t, err, "left behind: the QEMU at the destination (whether it has ended is not known: ")
		} else {
			assert.NotContains(t, err.Error(), "left behind")
		}
		assert.Equal(t, qapi.RunStateRunning, from.state(t))
		kept(t, from)
	})
}

func TestSourceGoes(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		from, to := fakes(t, release)
		_, err := migration.Move(soon(t), from.Client, to.Client, at(t), bandwidth(1<<20),
			when(qapi.MigrationStatusActive, func() { assert.NoError(t, client(t, from.srv).Quit(t.Context())) }))
		require.ErrorIs(t, err, qmp.ErrClosed)
		assert.ErrorContains(t, err, "not known")
		to.gone(t)
	})
}

func TestContextEnds(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		from, to := fakes(t, release)
		from.srv.DirtyMemory(64 << 20) // it never ends
		ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Minute, errors.New("five minutes are enough"))
		defer cancel()
		begin := time.Now()
		_, err := migration.Move(ctx, from.Client, to.Client, at(t), bandwidth(1<<20))
		assert.Equal(t, 5*time.Minute, time.Since(begin).Round(time.Second))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "five minutes are enough")
		assert.True(t, moved(t, err).Cancelled)
		assert.Equal(t, qapi.RunStateRunning, from.state(t))
		kept(t, from)
		to.gone(t)
	})
}

// The error says what is not over when the limit for undoing is reached.
func TestCancellingHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := startFake(t)
		require.NoError(t, from.Cont(t.Context()))
		from.srv.Handle("migrate_cancel", func(context.Context, *qmptest.Request) (any, error) { return nil, nil })
		from.srv.DirtyMemory(64 << 20)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		_, err := migration.Run(ctx, from.Client, at(t), bandwidth(1<<20), migration.Limit(5*time.Second))
		assert.ErrorContains(t, err, "left behind: the migration, which may go on")
		assert.Equal(t, time.Minute+5*time.Second, time.Since(begin))
	})
}

// A migration that cannot be cancelled any more has succeeded.
func TestContextEndsTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := fakes(t, "11.1")
		ctx, cancel := context.WithCancel(t.Context())
		in, err := migration.Incoming(ctx, to.Client, at(t))
		require.NoError(t, err)
		_, err = migration.Run(ctx, from.Client, in.Address(), migration.OnProgress(func(p migration.Progress) { cancel() }))
		require.NoError(t, err)
		state, err := in.Wait(t.Context())
		require.NoError(t, err)
		assert.Equal(t, qapi.RunStatePaused, state)
	})
}

// The source reports the end before it has settled; Run returns afterwards.
func TestRunSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := startFake(t)
		require.NoError(t, from.Cont(t.Context()))
		asked := 0
		real := from.srv.Handler("query-status")
		from.srv.Handle("query-status", func(ctx context.Context, req *qmptest.Request) (any, error) {
			status, err := real(ctx, req)
			if asked++; asked > 1 && asked < 8 {
				return qapi.StatusInfo{Status: qapi.RunStateFinishMigrate}, nil
			}
			return status, err
		})
		begin := time.Now()
		_, err := migration.Run(soon(t), from.Client, at(t))
		require.NoError(t, err)
		assert.Equal(t, 8, asked)
		assert.Less(t, time.Since(begin), time.Second)
		require.NoError(t, from.Cont(t.Context()))
	})
}

func TestPostcopyOnFakes(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		from, to := fakes(t, release)
		from.srv.DirtyMemory(64 << 20)
		pauses := 0
		postcopy := []migration.Option{bandwidth(8 << 20), migration.Parameters(qapi.MigrationParameters{MaxPostcopyBandwidth: new(uint64(8 << 20))}), migration.Postcopy(2)}
		_, err := migration.Move(soon(t), from.Client, to.Client, at(t), append(postcopy, migration.OnProgress(func(p migration.Progress) {
			if p.Status == qapi.MigrationStatusPostcopyActive && pauses < 2 {
				assert.GreaterOrEqual(t, p.Passes, int64(3))
				side := []fake{from, to}[pauses]
				assert.NoError(t, client(t, side.srv).MigratePause(t.Context()))
				pauses++
			}
		}))...)
		require.NoError(t, err)
		assert.Equal(t, 2, pauses)
		assert.Equal(t, 1, from.srv.Count("migrate-start-postcopy"))
		assert.Equal(t, qapi.RunStateRunning, to.state(t))
		assert.Equal(t, qapi.RunStatePostmigrate, from.state(t))
		kept(t, from)
		kept(t, to)
	})
}

func TestPostcopyIsNotCancelledOnFakes(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		from, to := fakes(t, release)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err := migration.Move(ctx, from.Client, to.Client, at(t), bandwidth(1<<20), migration.Postcopy(0),
			migration.Parameters(qapi.MigrationParameters{MaxPostcopyBandwidth: new(uint64(8 << 20))}),
			when(qapi.MigrationStatusPostcopyActive, cancel))
		require.ErrorIs(t, err, context.Canceled)
		assert.Zero(t, from.srv.Count("migrate_cancel"))
		assert.Equal(t, qapi.RunStateRunning, to.state(t))
		_, err = migration.Attach(soon(t), from.Client)
		require.NoError(t, err)
	})
}

// ways are the ways in which a connection can be lost at a message.
var ways = []cut.How{cut.Unsent, cut.Sent, cut.Unanswered}

// dialCut returns a client that reconnects, whose connection can be cut.
func dialCut(t *testing.T, cutter *cut.Cutter) *qapi.Client {
	t.Helper()
	conn, err := qmp.DialFunc(t.Context(), cutter.Dial,
		qmp.WithReconnect(qmp.Reconnect{MinDelay: time.Millisecond, MaxDelay: 10 * time.Millisecond, RetryFirst: true}))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return qapi.NewClient(conn)
}

// In each release, the connection to either side is lost at each message, in each way. Without
// QAPI_LONG, every fifth of these cases is tried; with -short, every 11th, and only in the
// newest release.
func TestMoveWithLostConnections(t *testing.T) {
	step, played := 5, releases
	switch {
	case os.Getenv("QAPI_LONG") != "":
		step = 1
	case testing.Short():
		step, played = 11, releases[len(releases)-1:]
	}
	offset := 0
	for _, release := range played {
		for side, name := range []string{"source", "destination"} {
			for _, how := range ways {
				t.Run(fmt.Sprintf("%s/%s/%s", release, name, how), func(t *testing.T) {
					offset++
					for n, reached := 1+offset%step, true; reached && !t.Failed(); n += step {
						synctest.Test(t, func(t *testing.T) { reached = moveFakesWithCut(t, release, side, n, how) })
						assert.True(t, reached || n > 10, "there are more messages than %d", n)
					}
				})
			}
		}
	}
}

// moveFakesWithCut reports whether there were n messages.
func moveFakesWithCut(t *testing.T, release string, side, n int, how cut.How) bool {
	t.Helper()
	from, to := fakes(t, release)
	cutter := cut.New(func(context.Context) (io.ReadWriteCloser, error) { return []fake{from, to}[side].srv.Pipe(), nil })
	clients := []*qapi.Client{from.Client, to.Client}
	clients[side] = dialCut(t, cutter)
	cutter.At(n, how)
	_, err := migration.Move(soon(t), clients[0], clients[1], at(t), bandwidth(32<<20))
	require.NoError(t, err, "message %d", n)
	assert.Equal(t, qapi.RunStatePostmigrate, from.state(t))
	assert.Equal(t, qapi.RunStateRunning, to.state(t))
	for srv, command := range map[*qmptest.Server]string{from.srv: "migrate", to.srv: "migrate-incoming"} {
		assert.Equal(t, 1, srv.Count(command), "message %d", n)
	}
	kept(t, from)
	kept(t, to)
	return cutter.Reached()
}

// A QEMU that was started again meanwhile is not mistaken for the one that migrates, and is not
// migrated.
func TestSourceIsAnotherOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := qmptest.Start(t), qmptest.Start(t)
		now := first
		conn, err := qmp.DialFunc(t.Context(), func(context.Context) (io.ReadWriteCloser, error) { return now.Pipe(), nil },
			qmp.WithReconnect(qmp.Reconnect{}))
		require.NoError(t, err)
		defer conn.Close()
		first.Handle("migrate", func(context.Context, *qmptest.Request) (any, error) {
			now = second
			first.Cut()
			return nil, nil
		})
		_, err = migration.Run(soon(t), qapi.NewClient(conn), at(t))
		require.ErrorContains(t, err, "another QEMU answers than the one that was to migrate")
		assert.Zero(t, second.Count("migrate"))
	})
}

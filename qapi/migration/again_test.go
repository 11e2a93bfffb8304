package migration_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/migration"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// givenUpAfter returns a client of a fake, and a context. The reply to the first execution of a
// command is lost with the connection; the context ends when the connection is made again, before the
// command is sent a second time.
func givenUpAfter(t *testing.T, srv *qmptest.Server, command string) (context.Context, *qapi.Client) {
	t.Helper()
	ctx, cancel := context.WithCancel(soon(t))
	t.Cleanup(cancel)
	lost := false
	execute := srv.Handler(command)
	srv.Handle(command, func(ctx context.Context, req *qmptest.Request) (any, error) {
		result, err := execute(ctx, req)
		if !lost {
			lost = true
			srv.Cut()
		}
		return result, err
	})
	conn, err := qmp.DialFunc(t.Context(), func(context.Context) (io.ReadWriteCloser, error) {
		if lost {
			time.Sleep(time.Second) // so that a second attempt waits for the connection
			cancel()
		}
		return srv.Pipe(), nil
	}, qmp.WithReconnect(qmp.Reconnect{MinDelay: time.Millisecond}))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return ctx, qapi.NewClient(conn)
}

// cont may have been executed at the destination, and was not sent again: the guest may run there.
func TestDestinationMayRunSinceAnEarlierAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := fakes(t, "11.1")
		ctx, c := givenUpAfter(t, to.srv, "cont")
		_, err := migration.Move(ctx, from.Client, c, at(t))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "the destination has the machine; whether it runs is not known")
		assert.Equal(t, qapi.RunStatePostmigrate, from.state(t))
		assert.Equal(t, qapi.RunStateRunning, to.state(t))
		assert.Zero(t, to.srv.Count("quit"))
	})
}

// migrate was executed, and the query for its state has failed with an error that does not show the
// state: the migration is cancelled.
func TestMigrationThatMayHaveBegunIsCancelled(t *testing.T) {
	for name, opts := range map[string][]migration.Option{"": nil, "no limit": {migration.Limit(-1)}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				from, to := fakes(t, "11.1")
				in, err := migration.Incoming(soon(t), to.Client, at(t))
				require.NoError(t, err)
				ctx, c := givenUpAfter(t, from.srv, "migrate")
				_, err = migration.Run(ctx, c, in.Address(), append(opts, bandwidth(1<<20))...)
				require.ErrorIs(t, err, context.Canceled)
				assert.NotContains(t, err.Error(), "left behind")
				info, err := client(t, from.srv).QueryMigrate(t.Context())
				require.NoError(t, err)
				assert.Equal(t, qapi.MigrationStatusCancelled, qapi.Value(info.Status))
				assert.Equal(t, qapi.RunStateRunning, from.state(t))
				kept(t, from)
			})
		})
	}
}

// The command for postcopy may have been executed, although the status does not show it yet: nothing cancels
// the migration any more.
func TestPostcopyThatMayHaveBegunIsNotCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := fakes(t, "11.1")
		from.srv.Reply("migrate-start-postcopy", struct{}{}) // postcopy begins later
		ctx, c := givenUpAfter(t, from.srv, "migrate-start-postcopy")
		_, err := migration.Move(ctx, c, to.Client, at(t), bandwidth(1<<20), migration.Postcopy(0))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "the guest runs at the destination already")
		assert.Zero(t, from.srv.Count("migrate_cancel"))
		assert.Zero(t, to.srv.Count("quit"))
	})
}

// A migration that does not end when it is cancelled is waited for until the limit, and only once.
func TestFailedSwitchoverIsStoppedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := fakes(t, "11.1")
		in, err := migration.Incoming(soon(t), to.Client, at(t), migration.Enable(qapi.MigrationCapabilityPauseBeforeSwitchover))
		require.NoError(t, err)
		from.srv.Reply("migrate_cancel", struct{}{})
		var start time.Time
		_, err = migration.Run(soon(t), from.Client, in.Address(), migration.BeforeSwitchover(func(context.Context) error {
			start = time.Now()
			return errors.New("not ready")
		}))
		require.ErrorContains(t, err, "not ready")
		assert.Less(t, time.Since(start), 15*time.Second, "the limit is 10 s")
	})
}

// QEMU waits, but the query for its address has failed: what was set is reset, and the error says
// that QEMU waits.
func TestIncomingThatIsGivenUp(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		_, to := fakes(t, release)
		asked, query := false, to.srv.Handler("query-migrate")
		to.srv.Handle("query-migrate", func(ctx context.Context, req *qmptest.Request) (any, error) {
			if !asked {
				asked = true
				return nil, &qmp.Error{Class: qmp.ClassGenericError, Desc: "not now"}
			}
			return query(ctx, req)
		})
		_, err := migration.Incoming(soon(t), to.Client, at(t), bandwidth(1<<20))
		require.EqualError(t, err, "migration: QEMU waits already, but its address is not known: qmp: query-migrate: not now")
		kept(t, to)
	})
}

// The connection to a destination that stays after a failure has ended before the command quit: the
// QEMU may still run.
func TestDestinationThatMayStay(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		from, to := fakes(t, release)
		from.srv.FailMigration("no such host")
		cancel := from.srv.Handler("query-migrate")
		from.srv.Handle("query-migrate", func(ctx context.Context, req *qmptest.Request) (any, error) {
			if from.srv.Count("migrate") > 0 {
				to.srv.Cut()
			}
			return cancel(ctx, req)
		})
		_, err := migration.Move(soon(t), from.Client, to.Client, at(t))
		require.Error(t, err)
		assert.Equal(t, qapi.RunStateRunning, from.state(t))
		const left = "left behind: the QEMU at the destination (whether it has ended is not known: "
		if release == "11.1" || release == "10.0" {
			assert.ErrorContains(t, err, left)
		} else {
			assert.NotContains(t, err.Error(), left)
		}
	})
}

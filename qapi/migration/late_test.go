package migration_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/migration"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// A destination that cannot let the machine run, although the source has sent everything, is
// ended, and the machine runs at the source again.
func TestDestinationCannotRun(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		from, to := fakes(t, release)
		to.srv.Fail("cont", qmp.ClassGenericError, "the disk is locked")
		_, err := migration.Move(soon(t), from.Client, to.Client, at(t))
		require.ErrorContains(t, err, "the disk is locked")
		assert.NotContains(t, err.Error(), "left behind")
		assert.Equal(t, qapi.RunStateRunning, from.state(t))
		kept(t, from)
		to.gone(t)
	})
}

func TestDestinationFailsAfterAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := fakes(t, "11.1")
		real := to.srv.Handler("query-migrate")
		to.srv.Handle("query-migrate", func(ctx context.Context, req *qmptest.Request) (any, error) {
			if from.srv.Count("migrate") == 0 {
				return real(ctx, req)
			}
			return qapi.MigrationInfo{Status: new(qapi.MigrationStatusFailed), ErrorDesc: new("no such device")}, nil
		})
		_, err := migration.Move(soon(t), from.Client, to.Client, at(t))
		assert.Equal(t, "no such device", moved(t, err).Destination)
		assert.Equal(t, qapi.RunStateRunning, from.state(t))
		to.gone(t)
	})
}

// The machine arrives between the query for the migration and the query for the machine's state.
func TestArrivesBetweenTwoQuestions(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		from, to := fakes(t, release)
		in, err := migration.Incoming(soon(t), to.Client, at(t))
		require.NoError(t, err)
		asked, real := false, to.srv.Handler("query-migrate")
		to.srv.Handle("query-migrate", func(ctx context.Context, req *qmptest.Request) (any, error) {
			info, err := real(ctx, req)
			if !asked {
				asked = true
				_, err := migration.Run(soon(t), from.Client, in.Address())
				assert.NoError(t, err)
			}
			return info, err
		})
		_, err = in.Wait(soon(t))
		require.NoError(t, err)
		assert.True(t, asked)
	})
}

// When cont may have run at the destination, the machine must not run at the source.
func TestDestinationMayRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := fakes(t, "11.1")
		to.srv.Handle("cont", func(context.Context, *qmptest.Request) (any, error) {
			to.srv.Cut()
			return nil, nil
		})
		_, err := migration.Move(soon(t), from.Client, to.Client, at(t))
		require.ErrorIs(t, err, qmp.ErrClosed)
		assert.Equal(t, qapi.RunStatePostmigrate, from.state(t))
		assert.Zero(t, to.srv.Count("quit"))
	})
}

// When the source does not answer any more, and the machine has arrived, the one at the
// destination may be the only one: it is not ended. It does not run either, since the machine
// may run at the source.
func TestSourceIsSilentInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := fakes(t, "11.1")
		real := from.srv.Handler("query-migrate")
		from.srv.Handle("query-migrate", func(ctx context.Context, req *qmptest.Request) (any, error) {
			if from.srv.Count("migrate") > 0 {
				from.srv.Cut()
			}
			return real(ctx, req)
		})
		_, err := migration.Move(soon(t), from.Client, to.Client, at(t))
		require.ErrorIs(t, err, qmp.ErrClosed)
		require.ErrorContains(t, err, "the whole machine is at the destination and does not run there")
		assert.Equal(t, qapi.RunStatePaused, to.state(t))
		assert.Zero(t, to.srv.Count("quit"))
	})
}

// Somebody pauses the machine during the migration: it does not run afterwards.
func TestPausedOnTheWay(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		from, to := fakes(t, release)
		_, err := migration.Move(soon(t), from.Client, to.Client, at(t), bandwidth(4<<20),
			when(qapi.MigrationStatusActive, func() { assert.NoError(t, from.Stop(t.Context())) }))
		require.NoError(t, err)
		assert.Equal(t, qapi.RunStatePaused, to.state(t))
		assert.Zero(t, to.srv.Count("cont"))
	})
}

func TestBeforeSwitchover(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		from, to := fakes(t, release)
		called := 0
		hook := migration.BeforeSwitchover(func(context.Context) error {
			called++
			assert.Equal(t, qapi.RunStateInmigrate, to.state(t))
			return nil
		})
		_, err := migration.Move(soon(t), from.Client, to.Client, at(t), hook)
		require.NoError(t, err)
		assert.Equal(t, 1, called)

		from, to = fakes(t, release)
		_, err = migration.Move(soon(t), from.Client, to.Client, at(t), migration.BeforeSwitchover(func(context.Context) error {
			return errors.New("not ready")
		}))
		require.ErrorContains(t, err, "not ready")
		assert.Equal(t, qapi.RunStateRunning, from.state(t))
		kept(t, from)
		to.gone(t)
	})
}

// With Leave, nothing is reset when ctx ends.
func TestLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, _ := fakes(t, "11.1")
		ctx, cancel := context.WithCancel(t.Context())
		_, err := migration.Run(ctx, from.Client, at(t), bandwidth(4<<20), migration.Leave(), when(qapi.MigrationStatusActive, cancel))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "the migration goes on")
		assert.Zero(t, from.srv.Count("migrate_cancel"))
		_, err = migration.Attach(soon(t), from.Client)
		require.NoError(t, err)
		_, err = migration.Run(soon(t), from.Client, at(t))
		require.Error(t, err, "it has left")
	})
}

func TestMoveIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := fakes(t, "11.1")
		ctx, cancel := context.WithCancel(t.Context())
		_, err := migration.Move(ctx, from.Client, to.Client, at(t), bandwidth(4<<20), migration.Leave(), when(qapi.MigrationStatusActive, cancel))
		require.ErrorIs(t, err, context.Canceled)
		_, err = migration.Attach(soon(t), from.Client)
		require.NoError(t, err)
		assert.Equal(t, qapi.RunStatePaused, to.state(t))
	})
}

func TestAttachToNothing(t *testing.T) {
	_, err := migration.Attach(t.Context(), startFake(t).Client)
	require.ErrorContains(t, err, "QEMU does not have the migration any more")
}

func TestCapabilityThatIsNotThere(t *testing.T) {
	f := startFake(t, qmptest.Release("5.2"))
	_, err := migration.Run(t.Context(), f.Client, at(t), migration.Enable(qapi.MigrationCapabilityMappedRAM))
	require.EqualError(t, err, "migration: this QEMU does not have the capability mapped-ram: unsupported operation")
	_, err = migration.Run(t.Context(), f.Client, at(t), migration.Disable(qapi.MigrationCapabilityMappedRAM))
	require.NoError(t, err)
}

func TestMoveIsForConnections(t *testing.T) {
	from, to := fakes(t, "11.1")
	_, err := migration.Move(t.Context(), from.Client, to.Client, migration.File("/m"))
	require.ErrorContains(t, err, "a file does not connect two machines")
	assert.Equal(t, qapi.RunStateInmigrate, to.state(t), "it was not touched")
}

func TestMoveToOneThatDoesNotWait(t *testing.T) {
	from, _ := fakes(t, "11.1")
	to := startFake(t)
	_, err := migration.Move(t.Context(), from.Client, to.Client, at(t))
	require.EqualError(t, err, "migration: the destination: it does not wait for a machine, but is prelaunch")
	assert.Equal(t, qapi.RunStatePrelaunch, to.state(t))
}

// If the address lets both sides send, the source learns of a failure of the destination.
func TestMoveEnablesTheReturnPath(t *testing.T) {
	from, to := fakes(t, "7.2")
	_, err := migration.Move(t.Context(), from.Client, to.Client, at(t))
	require.NoError(t, err)
	var args qapi.MigrateSetCapabilitiesArgs
	for _, call := range from.srv.Calls() {
		if call.Command == "migrate-set-capabilities" && args.Capabilities == nil {
			require.NoError(t, call.Decode(&args))
		}
	}
	assert.Contains(t, args.Capabilities, qapi.MigrationCapabilityStatus{Capability: qapi.MigrationCapabilityReturnPath, State: true})
}

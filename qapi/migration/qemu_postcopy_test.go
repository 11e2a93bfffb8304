package migration_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/migration"
)

// slowPostcopy makes postcopy begin at once, and then take some seconds.
func slowPostcopy() []migration.Option {
	return []migration.Option{slow, migration.Postcopy(0), migration.Parameters(qapi.MigrationParameters{MaxPostcopyBandwidth: new(uint64(2 << 20))})}
}

// hurry removes the limit of the speed.
func hurry(t *testing.T, from machine) {
	t.Helper()
	assert.NoError(t, from.MigrateSetParameters(t.Context(), qapi.MigrationParameters{MaxPostcopyBandwidth: new(uint64(0))}))
}

// split reports whether the guest runs at the destination. If the connection is lost earlier, while the
// state of its devices is being sent, the migration ends, and is not only interrupted.
func split(t *testing.T, to machine) bool {
	t.Helper()
	info, err := to.QueryMigrate(t.Context())
	assert.NoError(t, err)
	return qapi.Value(info.Status) == qapi.MigrationStatusPostcopyActive && to.state(t) == qapi.RunStateRunning
}

// whenSplit calls f once, when a part of the guest is at each side.
func whenSplit(t *testing.T, to machine, f func()) migration.Option {
	t.Helper()
	done := false
	return migration.OnProgress(func(p migration.Progress) {
		if !done && p.Status == qapi.MigrationStatusPostcopyActive && split(t, to) {
			done = true
			f()
		}
	})
}

func TestQEMUPostcopy(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		from, to := pair(t, q)
		var seen []qapi.MigrationStatus
		_, err := migration.Move(soon(t), from.Client, to.Client, migration.Unix(filepath.Join(from.dir, "m")), slow, migration.Postcopy(0),
			migration.OnProgress(func(p migration.Progress) { seen = append(seen, p.Status) }))
		require.NoError(t, err)
		assert.Contains(t, seen, qapi.MigrationStatusPostcopyActive)
		assert.Equal(t, qapi.RunStatePostmigrate, from.state(t))
		assert.Equal(t, qapi.RunStateRunning, to.state(t))
	})
}

// A migration that is interrupted twice, once at each side, is continued.
func TestQEMUPostcopyIsTakenUpAgain(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		from, to := pair(t, q)
		pauses := 0
		_, err := migration.Move(soon(t), from.Client, to.Client, migration.Unix(filepath.Join(from.dir, "m")), append(slowPostcopy(),
			migration.OnProgress(func(p migration.Progress) {
				if p.Status != qapi.MigrationStatusPostcopyActive || pauses == 2 || !split(t, to) {
					return
				}
				side := []machine{from, to}[pauses]
				if assert.NoError(t, side.MigratePause(t.Context())) {
					pauses++
				}
				if pauses == 2 {
					hurry(t, from)
				}
			}))...)
		require.NoError(t, err)
		assert.Equal(t, 2, pauses)
		assert.Equal(t, qapi.RunStatePostmigrate, from.state(t))
		assert.Equal(t, qapi.RunStateRunning, to.state(t))
	})
}

// Each side is continued with its own function, at another address.
func TestQEMUPostcopyRecover(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		from, to := pair(t, q)
		in, err := migration.Incoming(soon(t), to.Client, migration.Unix(filepath.Join(from.dir, "m")), migration.Postcopy(0))
		require.NoError(t, err)
		require.NoError(t, to.Cont(t.Context()))
		_, err = migration.Run(soon(t), from.Client, in.Address(), append(slowPostcopy(),
			whenSplit(t, to, func() { assert.NoError(t, from.MigratePause(t.Context())) }))...)
		e := moved(t, err)
		assert.Equal(t, qapi.MigrationStatusPostcopyPaused, e.Status)
		assert.Equal(t, qapi.RunStateFinishMigrate, from.state(t))

		if q.Release != "5.2" { // there, the source would not survive a second attempt
			_, err = migration.Recover(soon(t), from.Client, migration.Unix(filepath.Join(from.dir, "nobody")), migration.Limit(2e9))
			assert.Equal(t, qapi.MigrationStatusPostcopyPaused, moved(t, err).Status)
		}
		at, err := in.Recover(soon(t), migration.TCP("127.0.0.1", 0))
		require.NoError(t, err)
		hurry(t, from)
		_, err = migration.Recover(soon(t), from.Client, at)
		require.NoError(t, err)
		state, err := in.Wait(soon(t))
		require.NoError(t, err)
		assert.Equal(t, qapi.RunStateRunning, state)
	})
}

// When ctx ends in postcopy, cancelling would end the guest: the migration continues.
func TestQEMUPostcopyIsNotCancelled(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		from, to := pair(t, q)
		ctx, cancel := context.WithCancel(soon(t))
		_, err := migration.Move(ctx, from.Client, to.Client, migration.Unix(filepath.Join(from.dir, "m")),
			append(slowPostcopy(), whenSplit(t, to, cancel))...)
		require.ErrorIs(t, err, context.Canceled)
		t.Log(err)
		hurry(t, from)
		_, err = migration.Attach(soon(t), from.Client)
		require.NoError(t, err)
		assert.Equal(t, qapi.RunStateRunning, to.state(t))
	})
}

// If the destination is killed in postcopy, the guest is lost, and the source does not report
// success.
func TestQEMUPostcopyDestinationDies(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		from, to := pair(t, q)
		_, err := migration.Move(soon(t), from.Client, to.Client, migration.Unix(filepath.Join(from.dir, "m")),
			append(slowPostcopy(), whenSplit(t, to, func() { to.kill(t) }))...)
		assert.Equal(t, qapi.MigrationStatusPostcopyPaused, moved(t, err).Status)
		assert.Equal(t, qapi.RunStateFinishMigrate, from.state(t))
	})
}

package migration_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/migration"
	"github.com/goqapi/goqapi/qmp"
)

func TestQEMUMultifd(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		from, to := pair(t, q)
		stats, err := migration.Move(soon(t), from.Client, to.Client, migration.Unix(filepath.Join(from.dir, "m")), quick, migration.Multifd(3))
		require.NoError(t, err)
		assert.Equal(t, qapi.RunStateRunning, to.state(t))
		if q.Release != "5.2" { // 5.2 does not report it
			assert.Positive(t, stats.Info.RAM.MultifdBytes)
		}
		for _, m := range []machine{from, to} {
			p, err := m.QueryMigrateParameters(t.Context())
			require.NoError(t, err)
			assert.Equal(t, uint8(2), qapi.Value(p.MultifdChannels), "as it was before")
		}
	})
}

func TestQEMUFile(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		from, to := pair(t, q)
		path := filepath.Join(from.dir, "state")
		at := migration.File(path)
		if !from.Conn().Greeting().Version.AtLeast(8, 2) {
			at = migration.FD("state")
			f, err := os.Create(path)
			require.NoError(t, err)
			require.NoError(t, qapi.NewClient(from.Conn().With(qmp.Files(f))).Getfd(t.Context(), qapi.GetfdArgs{Fdname: "state"}))
			f.Close()
		}
		stats, err := migration.Run(soon(t), from.Client, at, quick)
		require.NoError(t, err)
		require.NoError(t, from.Cont(t.Context()), "at once")
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Positive(t, info.Size())
		t.Log(stats.Time, info.Size())

		if !from.Conn().Greeting().Version.AtLeast(8, 2) {
			f, err := os.Open(path)
			require.NoError(t, err)
			require.NoError(t, qapi.NewClient(to.Conn().With(qmp.Files(f))).Getfd(t.Context(), qapi.GetfdArgs{Fdname: "state"}))
			f.Close()
		}
		in, err := migration.Incoming(soon(t), to.Client, at)
		require.NoError(t, err)
		_, err = in.Wait(soon(t))
		require.NoError(t, err)
		require.NoError(t, to.Cont(t.Context()), "at once")
	})
}

func TestQEMUMappedRAM(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		from, to := pair(t, q)
		at := migration.File(filepath.Join(from.dir, "state"))
		opts := []migration.Option{migration.Enable(qapi.MigrationCapabilityMappedRAM), migration.Multifd(2)}
		_, err := migration.Run(soon(t), from.Client, at, opts...)
		if !from.Conn().Greeting().Version.AtLeast(9, 0) {
			require.ErrorContains(t, err, "does not have the capability mapped-ram")
			unchanged(t, from)
			return
		}
		require.NoError(t, err)
		in, err := migration.Incoming(soon(t), to.Client, at, opts...)
		require.NoError(t, err)
		_, err = in.Wait(soon(t))
		require.NoError(t, err)
		require.NoError(t, to.Cont(t.Context()))
	})
}

func TestQEMUBeforeSwitchover(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		from, to := pair(t, q)
		path := migration.Unix(filepath.Join(from.dir, "m"))
		called := 0
		_, err := migration.Move(soon(t), from.Client, to.Client, path, quick, migration.BeforeSwitchover(func(context.Context) error {
			called++
			assert.Equal(t, qapi.RunStateFinishMigrate, from.state(t))
			assert.Equal(t, qapi.RunStateInmigrate, to.state(t))
			return nil
		}))
		require.NoError(t, err)
		assert.Equal(t, 1, called)
		assert.Equal(t, qapi.RunStateRunning, to.state(t))

		from, to = pair(t, q)
		_, err = migration.Move(soon(t), from.Client, to.Client, path, quick, migration.BeforeSwitchover(func(context.Context) error {
			return errors.New("the mirror is not ready")
		}))
		require.ErrorContains(t, err, "the mirror is not ready")
		assert.True(t, moved(t, err).Cancelled)
		unchanged(t, from)
		ended(t, to)
	})
}

func TestQEMULeaveAndAttach(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		from, to := pair(t, q)
		in, err := migration.Incoming(soon(t), to.Client, migration.TCP("127.0.0.1", 0))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(soon(t))
		_, err = migration.Run(ctx, from.Client, in.Address(), slow, migration.Leave(), when(qapi.MigrationStatusActive, cancel))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "goes on")
		require.NoError(t, from.MigrateSetParameters(t.Context(), qapi.MigrationParameters{
			MaxBandwidth: new(uint64(0)), DowntimeLimit: new(uint64(5000)),
		}))
		seen := 0
		_, err = migration.Attach(soon(t), from.Client, migration.OnProgress(func(migration.Progress) { seen++ }))
		require.NoError(t, err)
		assert.Positive(t, seen)
		_, err = in.Wait(soon(t))
		require.NoError(t, err)
		_, err = migration.Attach(soon(t), from.Client)
		require.NoError(t, err, "it is over")
	})
}

// The state of the machine goes along.
func TestQEMUPaused(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		from, to := pair(t, q)
		require.NoError(t, from.Stop(t.Context()))
		_, err := migration.Move(soon(t), from.Client, to.Client, migration.TCP("127.0.0.1", 0))
		require.NoError(t, err)
		assert.Equal(t, qapi.RunStatePaused, to.state(t))

		// A machine that is paused during the migration does not run afterwards.
		from, to = pair(t, q)
		paused := false
		_, err = migration.Move(soon(t), from.Client, to.Client, migration.TCP("127.0.0.1", 0), slow,
			migration.OnProgress(func(p migration.Progress) {
				if p.Status == qapi.MigrationStatusActive && !paused {
					paused = true
					assert.NoError(t, from.Stop(t.Context()))
					assert.NoError(t, from.MigrateSetParameters(t.Context(), qapi.MigrationParameters{MaxBandwidth: new(uint64(1 << 30))}))
				}
			}))
		require.NoError(t, err)
		assert.True(t, paused)
		assert.Equal(t, qapi.RunStatePaused, to.state(t))
	})
}

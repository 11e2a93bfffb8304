package migration_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/migration"
	"github.com/goqapi/goqapi/qmp"
)

// when calls f once, when a migration has the status and so many passes have begun.
func when(status qapi.MigrationStatus, f func()) migration.Option {
	done := false
	return migration.OnProgress(func(p migration.Progress) {
		if !done && p.Status == status && p.Transferred > 0 {
			done = true
			f()
		}
	})
}

// unchanged checks that a source runs, and that everything that was set for a migration was reset.
func unchanged(t *testing.T, m machine) {
	t.Helper()
	assert.Equal(t, qapi.RunStateRunning, m.state(t))
	caps, err := m.QueryMigrateCapabilities(t.Context())
	require.NoError(t, err)
	for _, c := range caps {
		if c.Capability == qapi.MigrationCapabilityEvents || c.Capability == qapi.MigrationCapabilityReturnPath {
			assert.False(t, c.State, "%s", c.Capability)
		}
	}
	p, err := m.QueryMigrateParameters(t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, uint64(1<<20), qapi.Value(p.MaxBandwidth))
}

// ended checks that a QEMU has ended, by the end of its connection.
func ended(t *testing.T, m machine) {
	t.Helper()
	select {
	case <-m.Conn().Done():
	case <-soon(t).Done():
		t.Error("the QEMU at the destination has not ended")
	}
}

func moved(t *testing.T, err error) *migration.Error {
	t.Helper()
	e, ok := errors.AsType[*migration.Error](err)
	require.True(t, ok, "%v", err)
	t.Log(err)
	return e
}

func TestQEMUDestinationDies(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		from, to := pair(t, q)
		_, err := migration.Move(soon(t), from.Client, to.Client, migration.Unix(filepath.Join(from.dir, "m")), slow,
			when(qapi.MigrationStatusActive, func() { to.kill(t) }))
		e := moved(t, err)
		assert.Equal(t, qapi.MigrationStatusFailed, e.Status)
		assert.NotEmpty(t, e.Reason)
		assert.False(t, e.Cancelled)
		if to.Conn().Greeting().Version.AtLeast(9, 1) { // it would have stayed, and the end of the connection does not show that it has ended
			assert.ErrorContains(t, err, "left behind: the QEMU at the destination (whether it has ended is not known: ")
		} else {
			assert.NotContains(t, err.Error(), "left behind")
		}
		unchanged(t, from)
	})
}

func TestQEMUSourceDies(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		from, to := pair(t, q)
		_, err := migration.Move(soon(t), from.Client, to.Client, migration.Unix(filepath.Join(from.dir, "m")), slow,
			when(qapi.MigrationStatusActive, func() { from.kill(t) }))
		t.Log(err)
		require.ErrorIs(t, err, qmp.ErrClosed)
		ended(t, to)
	})
}

func TestQEMUCancelledByContext(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		from, to := pair(t, q)
		ctx, cancel := context.WithCancel(soon(t))
		start := time.Now()
		_, err := migration.Move(ctx, from.Client, to.Client, migration.Unix(filepath.Join(from.dir, "m")), slow,
			when(qapi.MigrationStatusActive, cancel))
		e := moved(t, err)
		assert.Equal(t, qapi.MigrationStatusCancelled, e.Status)
		assert.True(t, e.Cancelled)
		require.ErrorIs(t, err, context.Canceled)
		assert.NotContains(t, err.Error(), "left behind")
		assert.Less(t, time.Since(start), 30*time.Second)
		unchanged(t, from)
		ended(t, to)
	})
}

func TestQEMUCancelledByAnother(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		from, to := pair(t, q)
		in, err := migration.Incoming(soon(t), to.Client, migration.TCP("127.0.0.1", 0))
		require.NoError(t, err)
		_, err = migration.Run(soon(t), from.Client, in.Address(), slow,
			when(qapi.MigrationStatusActive, func() { assert.NoError(t, from.MigrateCancel(t.Context())) }))
		assert.True(t, moved(t, err).Cancelled)
		unchanged(t, from)
		_, err = in.Wait(soon(t))
		require.Error(t, err)
		t.Log(err)
	})
}

func TestQEMUDestinationOfAnotherMachine(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		from := startQEMU(t, q)
		require.NoError(t, from.Cont(t.Context()))
		to := startQEMU(t, q, "-incoming", "defer", "-machine", "q35")
		_, err := migration.Move(soon(t), from.Client, to.Client, migration.Unix(filepath.Join(from.dir, "m")), quick)
		e := moved(t, err)
		assert.Equal(t, qapi.MigrationStatusFailed, e.Status)
		if to.Conn().Greeting().Version.AtLeast(9, 1) {
			assert.NotEmpty(t, e.Destination)
		}
		unchanged(t, from)
		ended(t, to)
	})
}

func TestQEMUNobodyThere(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		from := startQEMU(t, q)
		require.NoError(t, from.Cont(t.Context()))
		for _, c := range []struct {
			at     string
			reason string
		}{
			{"unix:" + filepath.Join(from.dir, "nobody"), "No such file"},
			{"tcp:127.0.0.1:1", "refused"},
			{"fd:none", "none"},
			{"exec:false", ""},
		} {
			at, err := migration.ParseURI(c.at)
			require.NoError(t, err)
			_, err = migration.Run(soon(t), from.Client, at)
			e := moved(t, err)
			assert.Equal(t, qapi.MigrationStatusFailed, e.Status)
			assert.Contains(t, e.Reason, c.reason)
			unchanged(t, from)
		}
		if !from.Conn().Greeting().Version.AtLeast(8, 2) {
			_, err := migration.Run(soon(t), from.Client, migration.File("/none/x"))
			require.ErrorContains(t, err, "8.2")
			return
		}
		_, err := migration.Run(soon(t), from.Client, migration.File("/none/x"))
		assert.Contains(t, moved(t, err).Reason, "No such file")
		unchanged(t, from)
	})
}

func TestQEMUBusyAddress(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		from, to := pair(t, q)
		first := startQEMU(t, q, "-incoming", "defer")
		in, err := migration.Incoming(soon(t), first.Client, migration.TCP("127.0.0.1", 0))
		require.NoError(t, err)
		_, err = migration.Move(soon(t), from.Client, to.Client, in.Address())
		assert.Contains(t, moved(t, err).Destination, "Address already in use")
		unchanged(t, from)
		if to.Conn().Greeting().Version.AtLeast(8, 2) { // it cannot be told to wait a second time
			ended(t, to)
			return
		}
		_, err = migration.Move(soon(t), from.Client, to.Client, migration.TCP("127.0.0.1", 0), quick)
		require.NoError(t, err)
	})
}

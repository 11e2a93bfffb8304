package qmptest_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

func dialed(t *testing.T, srv *qmptest.Server) *qapi.Client {
	t.Helper()
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return qapi.NewClient(conn)
}

func runState(t *testing.T, c *qapi.Client) qapi.RunState {
	t.Helper()
	status, err := c.QueryStatus(t.Context())
	require.NoError(t, err)
	return status.Status
}

func withEvents(t *testing.T, c *qapi.Client) *qmp.Stream[qapi.MigrationEvent] {
	t.Helper()
	require.NoError(t, c.MigrateSetCapabilities(t.Context(), qapi.MigrateSetCapabilitiesArgs{
		Capabilities: []qapi.MigrationCapabilityStatus{{Capability: qapi.MigrationCapabilityEvents, State: true}},
	}))
	return qapi.Subscribe[qapi.MigrationEvent](c)
}

func statuses(t *testing.T, events *qmp.Stream[qapi.MigrationEvent], last qapi.MigrationStatus) (all []qapi.MigrationStatus) {
	t.Helper()
	for {
		e, err := events.Next(t.Context())
		require.NoError(t, err)
		if all = append(all, e.Status); e.Status == last {
			return all
		}
	}
}

// TestMigration migrates a machine between two servers of each release. It expects what two QEMUs of that
// release did.
func TestMigration(t *testing.T) {
	for release, leaving := range map[string][]qapi.MigrationStatus{
		"5.2":  {"setup", "active", "completed"},
		"7.2":  {"setup", "active", "completed"},
		"10.0": {"setup", "active", "device", "completed"},
		"11.1": {"setup", "active", "device", "completed"},
	} {
		for _, c := range []struct {
			run, starts bool
			want        qapi.RunState
		}{{true, true, "running"}, {true, false, "paused"}, {false, true, "prelaunch"}} {
			from := dialed(t, qmptest.Start(t, qmptest.Release(release)))
			to := dialed(t, qmptest.Start(t, qmptest.Release(release), qmptest.Incoming()))
			assert.Equal(t, qapi.RunState("inmigrate"), runState(t, to))
			leaves, arrives := withEvents(t, from), withEvents(t, to)
			uri := "unix:/migration-" + release
			if c.run {
				require.NoError(t, from.Cont(t.Context()))
			}
			require.NoError(t, to.MigrateIncoming(t.Context(), qapi.MigrateIncomingArgs{URI: &uri}))
			require.Error(t, to.MigrateIncoming(t.Context(), qapi.MigrateIncomingArgs{URI: &uri}), "it listens already")
			if c.starts {
				require.NoError(t, to.Cont(t.Context()))
			}
			info, err := to.QueryMigrate(t.Context())
			require.NoError(t, err)
			assert.Equal(t, []qapi.SocketAddress{{Type: qapi.SocketAddressUnix{Path: "/migration-" + release}}}, info.SocketAddress)
			require.NoError(t, from.Migrate(t.Context(), qapi.MigrateArgs{URI: &uri}))
			assert.Equal(t, leaving, statuses(t, leaves, "completed"), release)
			assert.Equal(t, []qapi.MigrationStatus{"setup", "active", "completed"}, statuses(t, arrives, "completed"), release)
			assert.Equal(t, qapi.RunState("postmigrate"), runState(t, from))
			assert.Equal(t, c.want, runState(t, to), release)
			require.NoError(t, from.Cont(t.Context()))
		}
	}
}

// A longer migration advances by a second with each query, and can be cancelled.
func TestMigrationInProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := dialed(t, qmptest.Start(t))
		srv := qmptest.Start(t, qmptest.Incoming())
		to := dialed(t, srv)
		channels := []qapi.MigrationChannel{{
			ChannelType: qapi.MigrationChannelTypeMain,
			Addr: qapi.MigrationAddress{Transport: qapi.MigrationAddressSocket{
				Type: qapi.SocketAddressInet{Host: "host", Port: "4444"},
			}},
		}}
		require.NoError(t, to.MigrateIncoming(t.Context(), qapi.MigrateIncomingArgs{URI: new("tcp:host:4444")}))
		require.NoError(t, from.Cont(t.Context()))
		events := withEvents(t, from)
		require.NoError(t, from.MigrateSetParameters(t.Context(), qapi.MigrationParameters{MaxBandwidth: new(uint64(20 << 20))}))
		require.NoError(t, from.Migrate(t.Context(), qapi.MigrateArgs{Channels: channels}))
		for _, sent := range []int64{0, 20 << 20, 40 << 20} {
			info, err := from.QueryMigrate(t.Context())
			require.NoError(t, err)
			assert.Equal(t, sent, info.RAM.Transferred)
			assert.Equal(t, info.RAM.Total-sent, info.RAM.Remaining)
		}
		assert.Error(t, from.Migrate(t.Context(), qapi.MigrateArgs{URI: new("exec:x")}), "it has begun")
		require.NoError(t, from.MigrateCancel(t.Context()))
		assert.Equal(t, []qapi.MigrationStatus{"setup", "active", "cancelling", "cancelled"}, statuses(t, events, "cancelled"))
		assert.Equal(t, qapi.RunState("running"), runState(t, from))
		_, err := to.QueryStatus(t.Context())
		require.Error(t, err, "the other QEMU has ended")

		require.NoError(t, from.MigrateSetParameters(t.Context(), qapi.MigrationParameters{MaxBandwidth: new(uint64(40 << 20))}))
		require.NoError(t, from.Migrate(t.Context(), qapi.MigrateArgs{URI: new("tcp:host:4444")}), "to a machine that is not of this program")
		for range 3 {
			_, err := from.QueryMigrate(t.Context())
			require.NoError(t, err)
		}
		statuses(t, events, "completed")
		assert.Equal(t, qapi.RunState("postmigrate"), runState(t, from))
	})
}

// Only one server at a time can wait at an address. After a failure a newer QEMU does not accept
// migrate-incoming again.
func TestMigrationAddresses(t *testing.T) {
	for release, again := range map[string]bool{"7.2": true, "10.0": false} {
		first := qmptest.New(qmptest.Incoming())
		uri := new("unix:/taken-" + release)
		require.NoError(t, dialed(t, first).MigrateIncoming(t.Context(), qapi.MigrateIncomingArgs{URI: uri}))
		second := dialed(t, qmptest.Start(t, qmptest.Incoming(), qmptest.Release(release)))
		require.ErrorContains(t, second.MigrateIncoming(t.Context(), qapi.MigrateIncomingArgs{URI: uri}), "Address already in use")
		require.NoError(t, first.Close())
		err := second.MigrateIncoming(t.Context(), qapi.MigrateIncomingArgs{URI: uri})
		if again {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, "Illegal migration incoming state: setup")
		}
	}
}

// A migration that fails leaves the guest where it was, and ends the other server unless exit-on-error is false.
func TestMigrationFails(t *testing.T) {
	for release, stays := range map[string]bool{"7.2": false, "11.1": true} {
		srv := qmptest.Start(t, qmptest.Release(release))
		from := dialed(t, srv)
		to := dialed(t, qmptest.Start(t, qmptest.Release(release), qmptest.Incoming()))
		uri := "unix:/failing-" + release
		args := qapi.MigrateIncomingArgs{URI: &uri}
		if stays {
			args.ExitOnError = new(false)
		}
		require.NoError(t, to.MigrateIncoming(t.Context(), args))
		require.NoError(t, from.Cont(t.Context()))
		leaves := withEvents(t, from)
		srv.FailMigration("no route")
		require.NoError(t, from.Migrate(t.Context(), qapi.MigrateArgs{URI: &uri}))
		seen := statuses(t, leaves, "failed")
		if stays {
			assert.Equal(t, []qapi.MigrationStatus{"setup", "active", "failing", "failed"}, seen)
		} else {
			assert.Equal(t, []qapi.MigrationStatus{"setup", "active", "failed"}, seen)
		}
		info, err := from.QueryMigrate(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "no route", qapi.Value(info.ErrorDesc))
		assert.Equal(t, qapi.RunState("running"), runState(t, from))
		info, err = to.QueryMigrate(t.Context())
		if !stays {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, qapi.MigrationStatusFailed, qapi.Value(info.Status))
		assert.Contains(t, qapi.Value(info.ErrorDesc), "load of migration failed")
		assert.Equal(t, qapi.RunState("inmigrate"), runState(t, to))
		require.NoError(t, from.Migrate(t.Context(), qapi.MigrateArgs{URI: new("exec:x")}), "once")
		statuses(t, leaves, "completed")
	}
}

// If one of the two servers ends, the other notices this at its next query-migrate.
func TestMigrationWhenOneSideEnds(t *testing.T) {
	for _, dies := range []string{"source", "destination"} {
		uri := "unix:/ending-" + dies
		from, to := dialed(t, qmptest.Start(t)), dialed(t, qmptest.Start(t, qmptest.Incoming()))
		require.NoError(t, to.MigrateIncoming(t.Context(), qapi.MigrateIncomingArgs{URI: &uri, ExitOnError: new(false)}))
		require.NoError(t, from.MigrateSetParameters(t.Context(), qapi.MigrationParameters{MaxBandwidth: new(uint64(1 << 20))}))
		require.NoError(t, from.Migrate(t.Context(), qapi.MigrateArgs{URI: &uri}))
		left := to
		if dies == "destination" {
			require.NoError(t, to.Quit(t.Context()))
			left = from
		} else {
			_, err := from.QueryMigrate(t.Context()) // so that it has begun
			require.NoError(t, err)
			require.NoError(t, from.Quit(t.Context()))
		}
		for range 2 {
			_, err := left.QueryMigrate(t.Context())
			require.NoError(t, err)
		}
		info, err := left.QueryMigrate(t.Context())
		require.NoError(t, err)
		assert.Equal(t, qapi.MigrationStatusFailed, qapi.Value(info.Status), dies)
		assert.NotEmpty(t, qapi.Value(info.ErrorDesc))
	}
}

// Memory that the guest changes is sent again, until little enough is left.
func TestMigrationPasses(t *testing.T) {
	srv := qmptest.Start(t, qmptest.Release("7.2"))
	from := dialed(t, srv)
	srv.DirtyMemory(8 << 20)
	passes := qapi.Subscribe[qapi.MigrationPassEvent](from)
	events := withEvents(t, from)
	require.NoError(t, from.MigrateSetParameters(t.Context(), qapi.MigrationParameters{
		MaxBandwidth: new(uint64(32 << 20)), DowntimeLimit: new(uint64(100)),
	}))
	require.NoError(t, from.Migrate(t.Context(), qapi.MigrateArgs{URI: new("exec:x")}))
	left := []int64{}
	for range 4 {
		info, err := from.QueryMigrate(t.Context())
		require.NoError(t, err)
		left = append(left, info.RAM.Remaining>>20)
	}
	assert.Equal(t, []int64{64, 32, 16, 8}, left)
	srv.DirtyMemory(0)
	for range 2 {
		_, err := from.QueryMigrate(t.Context())
		require.NoError(t, err)
	}
	statuses(t, events, "completed")
	info, err := from.QueryMigrate(t.Context())
	require.NoError(t, err)
	assert.Equal(t, int64(96<<20), info.RAM.Transferred)
	for n := range info.RAM.DirtySyncCount {
		e, err := passes.Next(t.Context())
		require.NoError(t, err)
		assert.Equal(t, n+1, e.Pass)
	}
}

// After the beginning of postcopy the guest is at the other side, and the rest follows, also after an interruption.
func TestPostcopy(t *testing.T) {
	for release, seen := range map[string][]qapi.MigrationStatus{
		"5.2":  {"setup", "active", "postcopy-active", "postcopy-paused", "postcopy-recover", "postcopy-active", "completed"},
		"7.2":  {"setup", "active", "postcopy-active", "postcopy-paused", "postcopy-recover", "postcopy-active", "completed"},
		"10.0": {"setup", "active", "device", "postcopy-active", "postcopy-paused", "postcopy-recover-setup", "postcopy-recover", "postcopy-active", "completed"},
	} {
		from, to := dialed(t, qmptest.Start(t, qmptest.Release(release))), dialed(t, qmptest.Start(t, qmptest.Release(release), qmptest.Incoming()))
		leaves, arrives := withEvents(t, from), withEvents(t, to)
		for _, c := range []*qapi.Client{from, to} {
			require.NoError(t, c.MigrateSetCapabilities(t.Context(), qapi.MigrateSetCapabilitiesArgs{
				Capabilities: []qapi.MigrationCapabilityStatus{{Capability: qapi.MigrationCapabilityPostcopyRAM, State: true}},
			}))
		}
		require.NoError(t, from.MigrateSetParameters(t.Context(), qapi.MigrationParameters{
			MaxBandwidth: new(uint64(1 << 20)), MaxPostcopyBandwidth: new(uint64(1 << 20)),
		}))
		uri := "unix:/postcopy-" + release
		require.Error(t, from.MigrateStartPostcopy(t.Context()), "there is no migration")
		require.NoError(t, to.MigrateIncoming(t.Context(), qapi.MigrateIncomingArgs{URI: &uri}))
		require.NoError(t, to.Cont(t.Context()))
		require.NoError(t, from.Cont(t.Context()))
		require.NoError(t, from.Migrate(t.Context(), qapi.MigrateArgs{URI: &uri}))
		require.NoError(t, from.MigrateStartPostcopy(t.Context()))
		statuses(t, arrives, "postcopy-active")
		assert.Equal(t, qapi.RunState("finish-migrate"), runState(t, from))
		assert.Equal(t, qapi.RunState("running"), runState(t, to))
		require.Error(t, from.Cont(t.Context()))

		require.Error(t, to.MigrateRecover(t.Context(), qapi.MigrateRecoverArgs{URI: uri}), "it is not paused")
		require.NoError(t, to.MigratePause(t.Context()))
		statuses(t, arrives, "postcopy-paused")
		require.NoError(t, to.MigrateRecover(t.Context(), qapi.MigrateRecoverArgs{URI: uri}))
		require.NoError(t, from.MigrateSetParameters(t.Context(), qapi.MigrationParameters{MaxPostcopyBandwidth: new(uint64(0))}))
		require.NoError(t, from.Migrate(t.Context(), qapi.MigrateArgs{URI: &uri, Resume: new(true)}))
		assert.Equal(t, seen, statuses(t, leaves, "completed"), release)
		statuses(t, arrives, "completed")
		assert.Equal(t, qapi.RunState("postmigrate"), runState(t, from))
		require.Error(t, from.Migrate(t.Context(), qapi.MigrateArgs{URI: &uri, Resume: new(true)}))
	}
}

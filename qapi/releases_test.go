package qapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/internal/wiretest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/schema/qemu"
)

// eachQEMU runs f with a client of each QEMU, whose machine is a PC that is paused.
func eachQEMU(t *testing.T, f func(t *testing.T, c *qapi.Client, v qmp.Version)) {
	t.Helper()
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		conn, err := qmp.NewConn(t.Context(), q.Start(t, "-qmp", "-machine", "pc", "-accel", "tcg"))
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		c, greeted := qapi.NewClient(conn), conn.Greeting().Version
		asked, err := c.QueryVersion(t.Context())
		require.NoError(t, err)
		assert.Equal(t, greeted, asked.Version())
		assert.True(t, asked.AtLeast(greeted.Major, greeted.Minor))
		assert.Zero(t, asked.Compare(asked))
		f(t, c, greeted)
	})
}

// requireTaken fails if QEMU did not understand a command. QEMU may refuse the command
// for other reasons.
func requireTaken(t *testing.T, err error, what string) {
	t.Helper()
	if err == nil {
		return
	}
	var refused *qmp.Error
	require.ErrorAs(t, err, &refused, what)
	require.NotEqual(t, qmp.ClassCommandNotFound, refused.Class, what)
	for _, word := range []string{"is unexpected", "Invalid parameter", "is missing", "Invalid JSON"} {
		require.NotContains(t, refused.Desc, word, what)
	}
	t.Logf("%s: %v", what, err)
}

// TestQEMUChardevReconnects asks each release, in its own form, for a socket that connects again.
func TestQEMUChardevReconnects(t *testing.T) {
	eachQEMU(t, func(t *testing.T, c *qapi.Client, v qmp.Version) {
		add := func(id string, socket qapi.ChardevBackendSocket) error {
			socket.Addr = qapi.SocketAddressLegacy{Type: qapi.SocketAddressLegacyUnix{Path: t.TempDir() + "/none"}}
			socket.Server = new(false)
			_, err := c.ChardevAdd(t.Context(), qapi.ChardevAddArgs{ID: id, Backend: qapi.ChardevBackend{Type: socket}})
			return err
		}
		seconds := add("s", qapi.ChardevBackendSocket{Reconnect: new(int64(9))})
		millis := add("m", qapi.ChardevBackendSocket{ReconnectMs: new(int64(9000))})
		var refused *qmp.Error
		if v.AtLeast(10, 2) {
			assert.ErrorAs(t, seconds, &refused)
		} else {
			assert.NoError(t, seconds)
		}
		if v.AtLeast(9, 2) {
			assert.NoError(t, millis)
		} else {
			assert.ErrorAs(t, millis, &refused)
		}
	})
}

// TestQEMURemovedCommands executes the commands that the newest release no longer has, on the
// releases that have them.
func TestQEMURemovedCommands(t *testing.T) {
	type call struct {
		name  string
		major int // the release that removed it
		minor int
		f     func(*testing.T, *qapi.Client) error
	}
	calls := []call{
		{"block_passwd", 6, 0, func(t *testing.T, c *qapi.Client) error {
			return c.BlockPasswd(t.Context(), qapi.BlockPasswdArgs{Device: new("none"), Password: "x"})
		}},
		{"change", 6, 0, func(t *testing.T, c *qapi.Client) error {
			return c.Change(t.Context(), qapi.ChangeArgs{Device: "none", Target: "none", Arg: new("raw")})
		}},
		{"migrate_set_downtime", 6, 0, func(t *testing.T, c *qapi.Client) error {
			return c.MigrateSetDowntime(t.Context(), qapi.MigrateSetDowntimeArgs{Value: 0.25})
		}},
		{"migrate_set_speed", 6, 0, func(t *testing.T, c *qapi.Client) error {
			return c.MigrateSetSpeed(t.Context(), qapi.MigrateSetSpeedArgs{Value: 1 << 20})
		}},
		{"migrate-set-cache-size", 6, 0, func(t *testing.T, c *qapi.Client) error {
			return c.MigrateSetCacheSize(t.Context(), qapi.MigrateSetCacheSizeArgs{Value: 1 << 20})
		}},
		{"query-migrate-cache-size", 6, 0, func(t *testing.T, c *qapi.Client) error {
			size, err := c.QueryMigrateCacheSize(t.Context())
			if err == nil {
				assert.Equal(t, int64(1<<20), size)
			}
			return err
		}},
		{"query-cpus", 6, 0, func(t *testing.T, c *qapi.Client) error {
			cpus, err := c.QueryCPUs(t.Context())
			if err == nil && assert.Len(t, cpus, 1) {
				assert.IsType(t, qapi.CPUInfoX86{}, cpus[0].Arch)
			}
			return err
		}},
		{"query-events", 6, 0, func(t *testing.T, c *qapi.Client) error {
			events, err := c.QueryEvents(t.Context())
			if err == nil {
				assert.Contains(t, events, qapi.EventInfo{Name: "STOP"})
			}
			return err
		}},
		{"x-blockdev-reopen", 6, 1, func(t *testing.T, c *qapi.Client) error {
			require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{NodeName: new("n"), Driver: qapi.BlockdevOptionsNullCo{}}))
			return c.XBlockdevReopen(t.Context(), qapi.BlockdevOptions{NodeName: new("n"), Driver: qapi.BlockdevOptionsNullCo{}})
		}},
		{"migrate with blk", 9, 1, func(t *testing.T, c *qapi.Client) error {
			return c.Migrate(t.Context(), qapi.MigrateArgs{URI: new("exec:cat >/dev/null"), Blk: new(true)})
		}},
	}
	eachQEMU(t, func(t *testing.T, c *qapi.Client, v qmp.Version) {
		var list []string
		names := map[string]bool{}
		for _, call := range calls {
			names[call.name] = true
			err := call.f(t, c)
			if !v.AtLeast(call.major, call.minor) {
				requireTaken(t, err, call.name)
				if err == nil {
					list = append(list, call.name)
				}
				continue
			}
			var refused *qmp.Error
			assert.ErrorAs(t, err, &refused, call.name)
		}
		t.Logf("executed: %s", strings.Join(list, ", "))

		// Every command of this server that the newest release does not have is in the table.
		commands, err := c.QueryCommands(t.Context())
		require.NoError(t, err)
		methods := loadBindings(t).Commands
		for _, command := range commands {
			assert.Contains(t, methods, command.Name)
		}
		if v.Major == 5 {
			now := map[string]bool{}
			for _, command := range newestCommands(t) {
				now[command] = true
			}
			for _, command := range commands {
				assert.True(t, now[command.Name] || names[command.Name], "%s is gone and not tried", command.Name)
			}
		}
	})
}

// newestCommands returns the commands of the newest release.
func newestCommands(t *testing.T) []string {
	t.Helper()
	releases := qemu.Releases()
	s, err := qemu.Load(releases[len(releases)-1], qemu.QMP)
	require.NoError(t, err)
	var names []string
	for _, c := range s.Commands() {
		names = append(names, c.Name)
	}
	return names
}

// TestQEMUReplies decodes what each release replies to every query, and encodes it again:
// no leaf is lost.
func TestQEMUReplies(t *testing.T) {
	eachQEMU(t, func(t *testing.T, c *qapi.Client, v qmp.Version) {
		checker := wiretest.NewChecker(loadBindings(t))
		commands, err := c.QueryCommands(t.Context())
		require.NoError(t, err)
		for _, command := range commands {
			if !strings.HasPrefix(command.Name, "query-") {
				continue
			}
			var reply json.RawMessage
			if err := c.Conn().Execute(t.Context(), command.Name, nil, &reply); err != nil {
				var refused *qmp.Error
				require.ErrorAs(t, err, &refused, command.Name)
				continue
			}
			checker.Reply(t, command.Name, reply)
		}
		t.Logf("%d replies", checker.Replies)
		assert.Greater(t, checker.Replies, 50)
		assert.Empty(t, checker.Unknown)
	})
}

// TestSupportedPathsAreKnown checks that CheckPaths accepts the paths that some server
// supports, and rejects those that none supports.
func TestSupportedPathsAreKnown(t *testing.T) {
	for path, in := range supported {
		err := qemu.CheckPath(qemu.QMP, path)
		if in == [4]bool{} && path != "blockdev-add/node-name=x" { // any string is accepted there
			assert.Error(t, err, path)
		} else {
			assert.NoError(t, err, path)
		}
	}
}

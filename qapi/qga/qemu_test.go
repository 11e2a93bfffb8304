package qga_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/internal/wiretest"
	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
)

// eachAgent runs f with a client of a real agent of each release, and with its major
// version. The agent runs on this machine: f must not change anything here.
func eachAgent(t *testing.T, f func(t *testing.T, c *qga.Client, major int)) {
	t.Helper()
	qemutest.EachAgent(t, func(t *testing.T, a qemutest.Agent) {
		c, err := qga.Dial(t.Context(), "unix:"+a.Start(t), qmp.WithEventError(func(err error) { assert.NoError(t, err) }))
		require.NoError(t, err)
		defer c.Close()
		info, err := c.GuestInfo(t.Context())
		require.NoError(t, err)
		number, _, _ := strings.Cut(info.Version, ".")
		major, err := strconv.Atoi(number)
		require.NoError(t, err)
		f(t, c, major)
	})
}

// harmless are the commands without arguments that change nothing.
var harmless = []string{
	"guest-fsfreeze-status", "guest-get-cpustats", "guest-get-devices", "guest-get-disks", "guest-get-diskstats",
	"guest-get-fsinfo", "guest-get-host-name", "guest-get-load", "guest-get-memory-block-info",
	"guest-get-memory-blocks", "guest-get-osinfo", "guest-get-time", "guest-get-timezone", "guest-get-users",
	"guest-get-vcpus", "guest-info", "guest-network-get-interfaces", "guest-network-get-route", "guest-ping",
}

// TestQEMUQueries queries real agents, and checks that the types keep everything in the
// replies, and that each command that an agent lists has a method.
func TestQEMUQueries(t *testing.T) {
	b := loadBindings(t)
	eachAgent(t, func(t *testing.T, c *qga.Client, _ int) {
		answered := 0
		for _, name := range harmless {
			def, m := b.Command(name), b.Commands[name]
			require.NotNil(t, def, name)
			var text json.RawMessage
			err := c.Conn().Execute(t.Context(), name, nil, &text)
			if refused, ok := errors.AsType[*qmp.Error](err); ok { // the agent is older than the command, or does not have it here
				t.Log(refused)
				continue
			}
			require.NoError(t, err)
			if def.Returns != nil {
				_, unknown := wiretest.RoundTrip(t, def.Returns, m.Result, text)
				assert.Empty(t, unknown, name)
			}
			out := reflect.ValueOf(c).MethodByName(m.Name).Call([]reflect.Value{reflect.ValueOf(t.Context())})
			assert.Nil(t, out[len(out)-1].Interface(), name)
			answered++
		}
		t.Logf("%d of %d commands", answered, len(harmless))
		assert.GreaterOrEqual(t, answered, 12)

		info, err := c.GuestInfo(t.Context())
		require.NoError(t, err)
		unknown := map[string]bool{}
		for _, command := range info.SupportedCommands {
			if _, ok := b.Commands[command.Name]; !ok {
				unknown[command.Name] = true
			}
			if def := b.Command(command.Name); def != nil {
				assert.Equal(t, def.SuccessResponse, command.SuccessResponse, command.Name)
			}
		}
		assert.Empty(t, slices.Sorted(maps.Keys(unknown)))
	})
}

func TestQEMURun(t *testing.T) {
	eachAgent(t, func(t *testing.T, c *qga.Client, major int) {
		sh := func(script string) qga.Command { return qga.Command{Path: "/bin/sh", Args: []string{"-c", script}} }
		run := func(command qga.Command) qga.Result {
			t.Helper()
			r, err := qga.Run(t.Context(), c, command)
			require.NoError(t, err)
			return r
		}
		r := run(sh("echo out; echo err >&2; sleep 0.05; exit 3"))
		assert.Equal(t, qga.Result{Exited: true, ExitCode: 3, Stdout: []byte("out\n"), Stderr: []byte("err\n")}, r)
		r = run(sh("kill -9 $$"))
		assert.Equal(t, qga.Result{ExitCode: -1, Signal: 9}, r)

		all := make([]byte, 100_000)
		for i := range all {
			all[i] = byte(i)
		}
		r = run(qga.Command{Path: "cat", Stdin: all})
		assert.True(t, r.Success())
		assert.True(t, bytes.Equal(all, r.Stdout))

		r = run(qga.Command{Path: "/usr/bin/env", Env: []string{"A=b c"}})
		assert.Equal(t, "A=b c\n", string(r.Stdout))

		if major >= 8 {
			merged := sh("echo out; echo err >&2")
			merged.Capture = qga.GuestExecCaptureOutputModeMerged
			assert.Equal(t, "out\nerr\n", string(run(merged).Stdout))
		}

		const limit = 16 << 20
		r = run(sh("head -c 17000000 /dev/zero"))
		assert.Len(t, r.Stdout, limit)
		assert.Equal(t, major > 5, r.StdoutTruncated, "the agent of 5.2 does not report it")

		_, err := qga.Run(t.Context(), c, qga.Command{Path: "/bin/there-is-none"})
		require.ErrorContains(t, err, "qga: run /bin/there-is-none: qmp: guest-exec: ")

		long := "cat " + fifo(t) // ends with the test
		failed := givenUp(t, c, sh(long))
		status, err := c.GuestExecStatus(t.Context(), qga.GuestExecStatusArgs{PID: failed.PID})
		require.NoError(t, err)
		assert.False(t, status.Exited)

		begin := time.Now()
		run(sh("sleep 0.3 &"))
		assert.GreaterOrEqual(t, time.Since(begin), 300*time.Millisecond, "what runs in the background holds the output")
		run(sh(long + " >/dev/null 2>&1 &")) // this one is not waited for
		require.NoError(t, c.GuestPing(t.Context()))
	})
}

// fifo makes a FIFO that can be read from until the test ends.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, exec.CommandContext(t.Context(), "mkfifo", path).Run())
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return path
}

// givenUp runs a program that does not end, with a limit that is long enough to start it.
func givenUp(t *testing.T, c *qga.Client, command qga.Command) *qga.RunError {
	t.Helper()
	for limit := 50 * time.Millisecond; ; limit *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		_, err := qga.Run(ctx, c, command)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		if failed, ok := errors.AsType[*qga.RunError](err); ok && failed.PID != 0 { // 0: it is not known whether it started
			return failed
		}
	}
}

func TestQEMUFiles(t *testing.T) {
	eachAgent(t, func(t *testing.T, c *qga.Client, major int) {
		path := filepath.Join(t.TempDir(), "file")
		content := make([]byte, 3<<20+17)
		rng := rand.NewChaCha8([32]byte{byte(major)})
		_, _ = rng.Read(content) // never fails

		begin := time.Now()
		n, err := qga.Upload(t.Context(), c, path, bytes.NewReader(content))
		require.NoError(t, err)
		assert.EqualValues(t, len(content), n)
		up := time.Since(begin)
		onDisk, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(content, onDisk))

		begin = time.Now()
		got := new(bytes.Buffer)
		n, err = qga.Download(t.Context(), c, path, got)
		require.NoError(t, err)
		assert.EqualValues(t, len(content), n)
		assert.True(t, bytes.Equal(content, got.Bytes()))
		t.Logf("3 MiB up in %v, down in %v", up, time.Since(begin))

		// A file whose size is not known before.
		status := new(strings.Builder)
		_, err = qga.Download(t.Context(), c, "/proc/self/status", status)
		require.NoError(t, err)
		assert.Contains(t, status.String(), "\nPid:")

		f, err := qga.OpenFile(t.Context(), c, path, "r+")
		require.NoError(t, err)
		at, err := f.Seek(-5, io.SeekEnd)
		require.NoError(t, err)
		assert.EqualValues(t, len(content)-5, at)
		tail, err := io.ReadAll(f)
		require.NoError(t, err)
		assert.Equal(t, content[len(content)-5:], tail)
		_, err = f.Seek(2, io.SeekStart)
		require.NoError(t, err)
		_, err = f.Write([]byte("two"))
		require.NoError(t, err)
		at, err = f.Seek(1, io.SeekCurrent)
		require.NoError(t, err)
		assert.EqualValues(t, 6, at)
		require.NoError(t, f.Flush())
		require.NoError(t, f.Close())
		require.Error(t, f.Close(), "it is closed")
		onDisk, err = os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, "two", string(onDisk[2:5]))

		_, err = qga.Download(t.Context(), c, path+".none", io.Discard)
		require.ErrorContains(t, err, "qga: open "+path+".none: qmp: guest-file-open: ")
		_, err = qga.Upload(t.Context(), c, "/dev/full", bytes.NewReader(content))
		require.Error(t, err)
	})
}

// TestQEMUFrozen has an agent that believes that its guest's file systems are frozen,
// because of a file from an agent before it. Nothing is frozen on this machine.
func TestQEMUFrozen(t *testing.T) {
	qemutest.EachAgent(t, func(t *testing.T, a qemutest.Agent) {
		conn, err := qmp.DialAgent(t.Context(), "unix:"+a.StartFrozen(t))
		require.NoError(t, err)
		defer conn.Close()
		c := qga.NewClient(conn)
		info, err := c.GuestInfo(t.Context())
		require.NoError(t, err)
		var enabled []string
		for _, command := range info.SupportedCommands {
			if command.Enabled {
				enabled = append(enabled, command.Name)
			}
		}
		slices.Sort(enabled)
		require.Equal(t, []string{
			"guest-fsfreeze-status", "guest-fsfreeze-thaw", "guest-info", "guest-ping", "guest-sync", "guest-sync-delimited",
		}, enabled, "nothing must be frozen here")

		err = qga.WithFrozen(t.Context(), c, nil, func(context.Context, int) error { panic("called") })
		require.ErrorAs(t, err, new(*qmp.Error))
		require.NotErrorIs(t, err, qga.ErrStillFrozen, "it is not ours")
		status, err := c.GuestFsfreezeStatus(t.Context())
		require.NoError(t, err)
		assert.Equal(t, qga.GuestFsfreezeStatusFrozen, status)

		thawed, err := c.GuestFsfreezeThaw(t.Context())
		require.NoError(t, err)
		assert.Zero(t, thawed)
		status, err = c.GuestFsfreezeStatus(t.Context())
		require.NoError(t, err)
		assert.Equal(t, qga.GuestFsfreezeStatusThawed, status)
		_, err = c.GuestGetTime(t.Context())
		require.NoError(t, err)
	})
}

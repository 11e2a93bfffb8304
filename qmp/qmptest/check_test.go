package qmptest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// A watched is a test that keeps what is reported to it, and does not fail.
type watched struct {
	testing.TB
	mu      sync.Mutex
	reports []string
}

func (w *watched) Errorf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reports = append(w.reports, fmt.Sprintf(format, args...))
}

// said returns what was reported since it was last asked.
func (w *watched) said() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	said := w.reports
	w.reports = nil
	return said
}

// start returns a server with a client, whose failures are those of w.
func start(t *testing.T, opts ...qmptest.Option) (srv *qmptest.Server, c *qapi.Client, w *watched) {
	t.Helper()
	w = &watched{TB: t}
	srv = qmptest.Start(w, opts...)
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return srv, qapi.NewClient(conn), w
}

func TestRepliesAreCheckedAgainstTheSchema(t *testing.T) {
	srv, c, w := start(t)
	srv.Reply("query-status", qapi.StatusInfo{Running: true})
	want := "qmptest: QEMU 11.1 never sends such a reply to query-status: " +
		"'status' is not set to one of the 16 values of RunState\n\t" + `{"running": true, "status": "", "singlestep": false}`
	assert.Equal(t, []string{want}, w.said(), "at once")
	_, err := c.QueryStatus(t.Context())
	var refused *qmp.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, want, refused.Desc, "and to the client")
	assert.Empty(t, w.said(), "once")

	srv.Handle("query-status", func(context.Context, *qmptest.Request) (any, error) {
		return map[string]any{"status": "running", "going": true}, nil
	})
	_, err = c.QueryStatus(t.Context())
	assert.ErrorContains(t, err, "'running' is missing; 'going' is unknown")
	assert.Len(t, w.said(), 1)

	srv.Reply("query-block")
	assert.Contains(t, w.said()[0], "it is an object, not a list")
	srv.Reply("query-block", []qapi.BlockInfo(nil))
	assert.Empty(t, w.said(), "an empty list is a list")
	blocks, err := c.QueryBlock(t.Context(), qapi.QueryBlockArgs{})
	require.NoError(t, err)
	assert.Empty(t, blocks)

	srv.Fail("stop", "OutOfCheese", "redo from start")
	assert.Contains(t, w.said()[0], `QEMU 11.1 never refuses stop like this: there is no error class "OutOfCheese"`)
	srv.Fail("stop", qmp.ClassDeviceNotFound, "no")
	require.ErrorAs(t, c.Stop(t.Context()), &refused)
	assert.Equal(t, "DeviceNotFound", refused.Class)
	assert.Empty(t, w.said())
}

func TestNamesAreCheckedAgainstTheSchema(t *testing.T) {
	srv, c, w := start(t, qmptest.Release("7.2"))
	assert.Equal(t, "7.2", srv.Release())
	srv.Reply("query-stat", 1)
	assert.Equal(t, []string{`qmptest: QEMU 7.2 has no command "query-stat"`}, w.said())
	srv.Reply("query-accelerators", qapi.AcceleratorInfo{})
	assert.Equal(t, []string{`qmptest: QEMU 7.2 has no command "query-accelerators"`}, w.said(), "younger")
	assert.Zero(t, srv.Count("query-stat"))
	assert.Equal(t, []string{`qmptest: QEMU 7.2 has no command "query-stat"`}, w.said())
	assert.Zero(t, srv.Count("query-stats"))
	assert.Empty(t, w.said())
	srv.EmitNamed("STOPP", nil)
	assert.Equal(t, []string{`qmptest: QEMU 7.2 has no event "STOPP"`}, w.said())
	srv.EmitNamed("STOP", map[string]int{"a": 1})
	assert.Equal(t, []string{"qmptest: QEMU 7.2 never sends such an event STOP: 'a' is unknown\n\t{\"a\": 1}"}, w.said())
	srv.EmitNamed("RESET", 7)
	assert.Contains(t, w.said()[0], "not an object")
	srv.Emit(qapi.BlockIOErrorEvent{Operation: qapi.IOOperationTypeRead})
	assert.Contains(t, w.said()[0], "'action' is not set to one of")

	stops := qapi.Subscribe[qapi.StopEvent](c)
	srv.Emit(qapi.UnknownEvent{Name: "STOP"})
	srv.Emit(&qapi.StopEvent{})
	for range 2 {
		_, err := stops.Next(t.Context())
		require.NoError(t, err)
	}
	assert.Empty(t, w.said())
}

// A server made by New has no test to fail.
func TestCloseReturnsWhatWasWrong(t *testing.T) {
	var logged bytes.Buffer
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	log.SetOutput(&logged)
	srv := qmptest.New(qmptest.Release("10.0"))
	srv.Emit(qapi.ResetEvent{})
	srv.Reply("quitt")
	err := srv.Close()
	assert.ErrorContains(t, err, "QEMU 10.0 never sends such an event RESET: 'reason' is not set")
	assert.ErrorContains(t, err, `no command "quitt"`)
	assert.Contains(t, logged.String(), "'reason' is not set", "also before that")
	assert.PanicsWithValue(t,
		`qmptest: there is no schema of QEMU "11.0"; there are those of 5.2, 6.0, 6.1, 6.2, 7.0, 7.1, 7.2, 8.0, 8.1, 8.2, 9.0, 9.1, 9.2, 10.0, 10.1, 10.2, 11.1`,
		func() { qmptest.New(qmptest.Release("11.0")) })
}

// Arguments are those of the release.
func TestArgumentsAreCheckedAgainstTheSchema(t *testing.T) {
	for release, want := range map[string]string{"5.2": "Invalid parameter 'x'", "11.1": "Parameter 'discard' does not accept value 'x'"} {
		srv, c, w := start(t, qmptest.Release(release), qmptest.WithoutMachine())
		srv.Reply("blockdev-add")
		err := c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{
			Driver: qapi.BlockdevOptionsNullCo{}, Discard: new(qapi.BlockdevDiscardOptions("x")),
		})
		var refused *qmp.Error
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, qmp.Error{Command: "blockdev-add", Class: "GenericError", Desc: want}, *refused)
		require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsNullCo{}}))
		assert.Equal(t, 2, srv.Count("blockdev-add"))
		assert.Empty(t, w.said(), "the client's mistakes are not the test's")

		require.ErrorAs(t, c.Stop(t.Context()), &refused)
		assert.Contains(t, refused.Desc, "nothing executes stop here")
		assert.Len(t, w.said(), 1, "the test fails even if the client tolerates the error")
	}
}

// Members that an older release does not have are left out of values of the bindings.
func TestTypedReplyOfAnOldRelease(t *testing.T) {
	srv, _, _ := start(t, qmptest.Release("5.2"))
	srv.Reply("query-status", qapi.StatusInfo{Running: true, Status: qapi.RunStateRunning})
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	var raw json.RawMessage
	require.NoError(t, conn.Execute(t.Context(), "query-status", nil, &raw))
	assert.JSONEq(t, `{"running":true,"singlestep":false,"status":"running"}`, string(raw))
}

func TestIntrospection(t *testing.T) {
	_, c, _ := start(t, qmptest.Release("7.2"))
	caps, err := qapi.Introspect(t.Context(), c)
	require.NoError(t, err)
	assert.True(t, caps.Supports("migrate/uri"))
	assert.False(t, caps.Supports("migrate/channels"), "of 8.2")
	assert.True(t, caps.Supports("event STOP"))
	version, err := c.QueryVersion(t.Context())
	require.NoError(t, err)
	assert.Equal(t, qapi.VersionTriple{Major: 7, Minor: 2}, version.QEMU)
}

// Members that only the old release has need not be set: then they are zero, or the first
// value of their enum.
func TestTypedReplyLacksAnEnum(t *testing.T) {
	srv, c, w := start(t, qmptest.Release("5.2"))
	srv.Reply("query-cpus-fast", []qapi.CPUInfoFast{{QOMPath: "/x", ThreadID: 5, Target: qapi.CPUInfoFastX86_64{}}})
	assert.Empty(t, w.said())
	cpus, err := c.QueryCPUsFast(t.Context())
	require.NoError(t, err)
	assert.Equal(t, int64(5), cpus[0].ThreadID)
}

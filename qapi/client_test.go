package qapi_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

func dialFake(t *testing.T, opts ...qmp.Option) (*qmptest.Server, *qapi.Client) {
	t.Helper()
	srv := qmptest.Start(t)
	conn, err := srv.Dial(t.Context(), opts...)
	require.NoError(t, err)
	c := qapi.NewClient(conn)
	t.Cleanup(func() { c.Close() })
	return srv, c
}

// TestBadArguments has arguments that are refused before anything is sent.
func TestBadArguments(t *testing.T) {
	srv, c := dialFake(t)
	err := c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{NodeName: new("n")})
	require.ErrorContains(t, err, "blockdev-add")
	require.ErrorContains(t, err, "BlockdevOptions.Driver is not set")
	err = c.Transaction(t.Context(), qapi.TransactionArgs{Actions: []qapi.TransactionAction{
		{Type: qapi.TransactionActionAbort{}}, {},
	}})
	require.ErrorContains(t, err, "/actions/1", "the place")
	require.ErrorContains(t, err, "TransactionAction.Type is not set")
	require.NoError(t, c.Quit(t.Context()))
	calls := srv.Calls()
	require.Len(t, calls, 1)
	assert.Equal(t, "quit", calls[0].Command)
}

// checkProps checks that properties that no server may see are refused, and that those
// that are not set are left out: QEMU 5.2 and 7.2 accept null for anything, 10.0
// refuses it.
func checkProps(t *testing.T, c *qapi.Client) {
	t.Helper()
	for _, name := range []string{"realized", "type", "parent_bus", "hotplugged", "id", "bus", "driver"} {
		err := c.DeviceAdd(t.Context(), qapi.DeviceAddArgs{Driver: "virtio-rng-pci", Props: map[string]any{name: true}})
		require.ErrorContains(t, err, "device_add: arguments: ", "the error is ours, not the server's")
		require.ErrorContains(t, err, "DeviceAddArgs.Props has '"+name+"'")
	}
	var unset *int32
	err := c.DeviceAdd(t.Context(), qapi.DeviceAddArgs{Driver: "virtio-rng-pci", ID: new("rng0"), Props: map[string]any{
		"bootindex": unset, "max-bytes": new(uint64(1 << 20)), "period": any(nil),
	}})
	require.NoError(t, err)
}

// disk is a device as users write them.
type disk struct {
	ID    string `json:"id,omitzero"`
	Drive *int   `json:"drive,omitzero"`
	Wrong any    `json:"realized,omitzero"`
}

func (disk) DeviceDriver() string { return "virtio-blk-pci" }

func TestDeviceAdd(t *testing.T) {
	srv, c := dialFake(t)
	srv.Handle("device_add", func(context.Context, *qmptest.Request) (any, error) { return nil, nil })
	for _, dev := range []qapi.Device{
		nil, (*disk)(nil), (*qapi.DeviceAddArgs)(nil), qapi.DeviceAddArgs{}, disk{Wrong: true},
		qapi.DeviceAddArgs{Driver: "e1000", ID: new("")},
		qapi.DeviceAddArgs{Driver: "rocker", Props: map[string]any{"ports": []any{"a", nil}}},
	} {
		require.ErrorContains(t, c.DeviceAdd(t.Context(), dev), "device_add: arguments: ", "%#v", dev)
		_, err := qapi.DeviceArgs(dev)
		require.ErrorContains(t, err, "qapi: device: ", "%#v", dev)
	}
	for _, dev := range []qapi.Device{disk{ID: "a"}, &disk{ID: "a"}, qapi.DeviceAddArgs{Driver: "virtio-blk-pci", ID: new("a")}} {
		require.NoError(t, c.DeviceAdd(t.Context(), dev))
		args, err := qapi.DeviceArgs(dev)
		require.NoError(t, err)
		assert.Equal(t, qapi.DeviceAddArgs{Driver: "virtio-blk-pci", ID: new("a")}, args)
	}
	calls := srv.Calls()
	require.Len(t, calls, 3)
	for _, call := range calls {
		assert.JSONEq(t, `{"driver":"virtio-blk-pci","id":"a"}`, string(call.Arguments))
	}
}

func TestHotpluggableCPU(t *testing.T) {
	place := qapi.HotpluggableCPU{Type: "qemu64-x86_64-cpu", Props: qapi.CPUInstanceProperties{
		NodeID: new(int64(0)), SocketID: new(int64(1)), ThreadID: new(int64(0)),
	}}
	dev := qapi.DeviceAddArgs{Driver: "qemu64-x86_64-cpu", Props: map[string]any{"socket-id": int64(1), "thread-id": int64(0)}}
	assert.Equal(t, dev, place.Device(""))
	dev.ID = new("cpu1")
	assert.Equal(t, dev, place.Device("cpu1"))
	assert.Equal(t, qapi.DeviceAddArgs{Driver: "x"}, qapi.HotpluggableCPU{Type: "x"}.Device(""))
}

func TestDeviceProps(t *testing.T) {
	srv, c := dialFake(t)
	checkProps(t, c)
	calls := srv.Calls()
	require.Len(t, calls, 1)
	assert.JSONEq(t, `{"driver":"virtio-rng-pci","id":"rng0","max-bytes":1048576}`, string(calls[0].Arguments))
}

func TestQEMUDeviceProps(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		conn, err := qmp.NewConn(t.Context(), q.Start(t, "-qmp", "-machine", "pc", "-accel", "tcg"))
		require.NoError(t, err)
		c := qapi.NewClient(conn)
		checkProps(t, c)
		got, err := c.QOMGet(t.Context(), qapi.QOMGetArgs{Path: "/machine/peripheral/rng0", Property: "max-bytes"})
		require.NoError(t, err)
		assert.JSONEq(t, "1048576", string(got))
	})
}

// TestNoSuchCommand has a server that is older than a command.
func TestNoSuchCommand(t *testing.T) {
	conn, err := qmptest.Start(t, qmptest.Release("5.2")).Dial(t.Context())
	require.NoError(t, err)
	c := qapi.NewClient(conn)
	defer c.Close()
	_, err = c.QueryYank(t.Context())
	var refused *qmp.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "query-yank", refused.Command)
	assert.Equal(t, qmp.ClassCommandNotFound, refused.Class)
	version, err := c.QueryVersion(t.Context())
	require.NoError(t, err, "the connection goes on")
	assert.Equal(t, int64(5), version.QEMU.Major)
}

// TestUndecodableReply has a reply of which the error names the command and the member.
func TestUndecodableReply(t *testing.T) {
	srv := qmptest.Start(t, qmptest.Unchecked())
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	c := qapi.NewClient(conn)
	defer c.Close()
	srv.Handle("query-block", func(context.Context, *qmptest.Request) (any, error) {
		return nil, nil // an object instead of a list
	})
	_, err = c.QueryBlock(t.Context(), qapi.QueryBlockArgs{})
	require.ErrorContains(t, err, "query-block")
	_, err = c.QueryVersion(t.Context())
	require.NoError(t, err, "the connection goes on")
}

// TestEventsOfSeveralTypes receives events in the order in which they were sent, including unknown
// ones.
func TestEventsOfSeveralTypes(t *testing.T) {
	srv, c := dialFake(t)
	all := qapi.SubscribeEvents(c, nil)
	defer all.Close()
	some := qapi.SubscribeEvents(c, []qapi.Event{qapi.StopEvent{}, qapi.ShutdownEvent{}})
	defer some.Close()
	srv.Inject(`{"event": "STOP", "timestamp": {"seconds": -1, "microseconds": -1}}` + "\r\n" +
		`{"event": "LEVITATED", "data": {"height": 18446744073709551615}, "timestamp": {"seconds": 1, "microseconds": 2}}` + "\r\n" +
		`{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown", "new": 1}, "timestamp": {"seconds": 1, "microseconds": 2}}` + "\r\n")

	var got []qapi.Event
	for range 3 {
		e, err := all.Next(t.Context())
		require.NoError(t, err)
		got = append(got, e)
	}
	stop, ok := got[0].(qapi.StopEvent)
	require.True(t, ok)
	assert.True(t, stop.Timestamp.IsZero(), "-1 is not a time")
	assert.True(t, got[0].EventTime().IsZero())
	unknown, ok := got[1].(qapi.UnknownEvent)
	require.True(t, ok)
	assert.Equal(t, "LEVITATED", unknown.EventName())
	assert.JSONEq(t, `{"height": 18446744073709551615}`, string(unknown.Data))
	shutdown, ok := got[2].(qapi.ShutdownEvent)
	require.True(t, ok)
	assert.Equal(t, qapi.ShutdownCauseGuestShutdown, shutdown.Reason)
	assert.Equal(t, int64(1000002), shutdown.Timestamp.UnixMicro())
	assert.Equal(t, shutdown.Timestamp, got[2].EventTime())
	assert.Equal(t, shutdown.Timestamp, got[1].EventTime(), "of an unknown one, too")

	for _, want := range []string{"STOP", "SHUTDOWN"} {
		e, err := some.Next(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, e.EventName())
	}
}

// TestUndecodableEvent has an event whose error comes in its place, and the stream continues.
func TestUndecodableEvent(t *testing.T) {
	reported := make(chan error, 1)
	srv, c := dialFake(t, qmp.WithEventError(func(err error) { reported <- err }))
	handled := make(chan qapi.ShutdownEvent, 1)
	defer c.OnShutdown(func(e qapi.ShutdownEvent) { handled <- e })()
	stream := qapi.Subscribe[qapi.ShutdownEvent](c)
	defer stream.Close()
	srv.Inject(`{"event": "SHUTDOWN", "data": {"guest": "perhaps"}}` + "\r\n" +
		`{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}}` + "\r\n")

	_, err := stream.Next(t.Context())
	require.ErrorContains(t, err, "SHUTDOWN")
	require.ErrorContains(t, err, "/guest")
	e, err := stream.Next(t.Context())
	require.NoError(t, err)
	assert.True(t, e.Guest)
	require.ErrorContains(t, <-reported, "/guest")
	assert.Equal(t, qapi.ShutdownCauseGuestReset, (<-handled).Reason)
}

// TestQEMUQuits checks the event and the clean end of the connection when a real QEMU quits.
func TestQEMUQuits(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		conn, err := qmp.NewConn(t.Context(), q.Start(t, "-qmp"))
		require.NoError(t, err)
		c := qapi.NewClient(conn)
		shutdown := qapi.Subscribe[qapi.ShutdownEvent](c)
		require.NoError(t, c.Quit(t.Context()))
		e, err := shutdown.Next(t.Context())
		require.NoError(t, err)
		assert.Equal(t, qapi.ShutdownCauseHostQMPQuit, e.Reason)
		<-conn.Done()
		require.ErrorIs(t, conn.Err(), qmp.ErrClosed)
		_, err = c.QueryStatus(t.Context())
		require.ErrorIs(t, err, qmp.ErrClosed)
		assert.NotErrorIs(t, err, context.Canceled)
	})
}

package qmptest_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// swap is what a small manager does.
func swap(srv *qmptest.Server) {
	srv.Expect(
		qmptest.Step{Command: "stop"},
		qmptest.Step{Command: "eject", Arguments: qapi.EjectArgs{ID: new("cd0"), Force: new(true)}},
		qmptest.Step{Command: "query-status", Reply: qapi.StatusInfo{Status: qapi.RunStatePaused}},
		qmptest.Step{Command: "cont", Err: &qmp.Error{Class: qmp.ClassDeviceNotActive, Desc: "no"}},
	)
}

func TestExpectationsThatAreMet(t *testing.T) {
	srv, c, w := start(t, qmptest.WithoutMachine())
	stops := 0
	qmptest.Handle(srv, srv.Commands.Stop, func(context.Context) error { stops++; return nil })
	swap(srv)
	srv.Reply("query-name")
	require.NoError(t, c.Stop(t.Context()))
	_, err := c.QueryName(t.Context())
	require.NoError(t, err, "not named")
	require.NoError(t, c.Eject(t.Context(), qapi.EjectArgs{Force: new(true), ID: new("cd0")}))
	status, err := c.QueryStatus(t.Context())
	require.NoError(t, err)
	assert.Equal(t, qapi.RunStatePaused, status.Status)
	var refused *qmp.Error
	require.ErrorAs(t, c.Cont(t.Context()), &refused)
	assert.Equal(t, qmp.ClassDeviceNotActive, refused.Class)
	assert.Equal(t, 1, stops)
	require.NoError(t, srv.Close())
	assert.Empty(t, w.said())
}

func TestExpectationsThatAreNotMet(t *testing.T) {
	srv, c, w := start(t, qmptest.WithoutMachine())
	swap(srv)
	_, err := c.QueryStatus(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{`qmptest: query-status came out of order:
	next   stop
	later  eject {"id": "cd0", "force": true}
	later  query-status
	later  cont`}, w.said())
	require.NoError(t, srv.Close())
	assert.Equal(t, []string{`qmptest: 1 of 4 expected commands have not come:
	missed stop
	missed eject {"id": "cd0", "force": true}
	came   query-status
	next   cont`}, w.said())

	srv, c, w = start(t, qmptest.WithoutMachine())
	swap(srv)
	require.NoError(t, c.Stop(t.Context()))
	require.NoError(t, c.Eject(t.Context(), qapi.EjectArgs{ID: new("cd1")}))
	assert.Equal(t, []string{`qmptest: eject came with other arguments than expected, as command 2 of 4:
	force: want true, got nothing
	id: want "cd0", got "cd1"`}, w.said())
	assert.NoError(t, c.Stop(t.Context()), "the report is enough")
	assert.Equal(t, []string{`qmptest: stop came once more than expected:
	came   stop
	came   eject {"id": "cd0", "force": true}
	next   query-status
	later  cont`}, w.said())
	srv.Close()
	assert.Len(t, w.said(), 1)
}

// A command that comes late counts as the missed one, and gets its reply.
func TestExpectationIsMetLate(t *testing.T) {
	srv, c, w := start(t, qmptest.WithoutMachine())
	srv.Expect(qmptest.Step{Command: "query-name", Reply: qapi.NameInfo{Name: new("vm")}}, qmptest.Step{Command: "stop"}, qmptest.Step{Command: "cont"})
	require.NoError(t, c.Stop(t.Context()))
	assert.Len(t, w.said(), 1, "out of order")
	name, err := c.QueryName(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "vm", *name.Name)
	require.NoError(t, c.Cont(t.Context()))
	require.NoError(t, srv.Close())
	assert.Empty(t, w.said())
}

func TestExpectationsThatNobodyCanMeet(t *testing.T) {
	srv, _, w := start(t, qmptest.WithoutMachine())
	srv.Expect(qmptest.Step{Command: "stopp"}, qmptest.Step{Command: "stop", Reply: 1},
		qmptest.Step{Command: "stop", Arguments: make(chan int)}, qmptest.Step{Command: "stop", Err: &qmp.Error{Class: "x"}})
	said := w.said()
	require.Len(t, said, 4)
	assert.Equal(t, `qmptest: QEMU 11.1 has no command "stopp"`, said[0])
	assert.Contains(t, said[1], "it is the number 1, not an object")
	assert.Contains(t, said[2], "cannot be encoded")
	assert.Contains(t, said[3], "no error class")
	srv.Close()
	w.said()
}

// Differences are reported with their places.
func TestDifferences(t *testing.T) {
	for _, c := range []struct {
		want any
		got  string
		says string
	}{
		{map[string]any{"path": "a", "property": "b", "value": []any{1, map[string]any{"x": nil}}},
			`{"path":"a","property":"b","value":[1,{"x":null}]}`, ""},
		{map[string]any{"path": "a", "property": "b", "value": []any{1, map[string]any{"x": nil}}},
			`{"path":"a","property":"c","value":[2,{"x":[]},{}]}`,
			`
	property: want "b", got "c"
	value[0]: want 1, got 2
	value[1].x: want null, got []
	value[2]: want nothing, got {}`},
		{json.RawMessage(`{"path":"a","property":"b","value":1.0}`), `{"path":"a","property":"b","value":1}`, ""},
		{json.RawMessage(`{"path":"a","property":"b","value":9007199254740993}`), `{"path":"a","property":"b","value":9007199254740992}`,
			"\n\tvalue: want 9007199254740993, got 9007199254740992"},
		{json.RawMessage(`{"path":"a","property":"<","value":{"a":{}}}`), `{"path":"a","property":"<","value":"<&"}`,
			"\n\tvalue: want {\"a\":{}}, got \"<&\""},
	} {
		srv, conn, w := start(t, qmptest.WithoutMachine())
		srv.Expect(qmptest.Step{Command: "qom-set", Arguments: c.want})
		require.NoError(t, conn.Conn().Execute(t.Context(), "qom-set", json.RawMessage(c.got), nil))
		if c.says == "" {
			assert.Empty(t, w.said())
		} else {
			assert.Equal(t, []string{"qmptest: qom-set came with other arguments than expected, as command 1 of 1:" + c.says}, w.said())
		}
	}
	srv, conn, w := start(t, qmptest.WithoutMachine())
	srv.Expect(qmptest.Step{Command: "eject", Arguments: struct{}{}}, qmptest.Step{Command: "eject", Arguments: []int{}})
	require.NoError(t, conn.Eject(t.Context(), qapi.EjectArgs{}))
	assert.Empty(t, w.said())
	require.NoError(t, conn.Eject(t.Context(), qapi.EjectArgs{}))
	assert.Contains(t, w.said()[0], "all: want [], got {}")
}

// The machine executes commands for which the script has no reply.
func TestExpectationsOfTheMachine(t *testing.T) {
	srv, c, w := start(t)
	srv.Expect(qmptest.Step{Command: "cont"}, qmptest.Step{Command: "query-status"})
	require.NoError(t, c.Cont(t.Context()))
	status, err := c.QueryStatus(t.Context())
	require.NoError(t, err)
	assert.Equal(t, qapi.RunStateRunning, status.Status)
	require.NoError(t, srv.Close())
	assert.Empty(t, w.said())
}

func TestMet(t *testing.T) {
	srv, c, w := start(t)
	<-srv.Met() // nothing is expected
	for range 2 {
		srv.Expect(qmptest.Step{Command: "stop"}, qmptest.Step{Command: "cont"})
		met := srv.Met()
		require.NoError(t, c.Stop(t.Context()))
		select {
		case <-met:
			t.Fatal("an expected command has not come yet")
		default:
		}
		done := make(chan error)
		go func() { done <- c.Cont(t.Context()) }()
		<-met
		<-srv.Met()
		require.NoError(t, <-done)
	}
	assert.Empty(t, w.said())
}

// A command that was missed and comes after the end of the script does not close the channel again.
func TestMetBeforeAMissedCommand(t *testing.T) {
	srv, c, w := start(t)
	srv.Expect(qmptest.Step{Command: "stop"}, qmptest.Step{Command: "cont"})
	met := srv.Met()
	require.NoError(t, c.Cont(t.Context()))
	<-met
	require.NoError(t, c.Stop(t.Context()))
	<-srv.Met()
	assert.Len(t, w.said(), 1, "cont came out of order")
}

// disk is a device as users write them.
type disk struct {
	ID string `json:"id"`
}

func (disk) DeviceDriver() string { return "virtio-blk-pci" }

func TestExpectDevice(t *testing.T) {
	srv, c, _ := start(t)
	srv.Handle("device_add", func(context.Context, *qmptest.Request) (any, error) { return nil, nil })
	srv.Expect(qmptest.Step{Command: "device_add", Arguments: disk{"a"}}, qmptest.Step{Command: "device_add", Arguments: disk{"b"}})
	require.NoError(t, c.DeviceAdd(t.Context(), qapi.DeviceAddArgs{Driver: "virtio-blk-pci", ID: new("a")}))
	require.NoError(t, c.DeviceAdd(t.Context(), disk{"b"}))
	<-srv.Met()
}

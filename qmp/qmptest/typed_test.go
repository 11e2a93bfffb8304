package qmptest_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

func TestTypedHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, w := start(t)
		qmptest.Handle(srv, srv.Commands.Eject, func(ctx context.Context, args ...qapi.EjectArgs) error {
			id := args[0].ID
			if id == nil {
				return errors.New("which one?")
			}
			qmptest.After(ctx, func() { srv.Emit(qapi.DeviceTrayMovedEvent{ID: *id, TrayOpen: true}) })
			return nil
		})
		qmptest.Handle(srv, srv.Commands.QueryStatus, func(context.Context) (qapi.StatusInfo, error) {
			return qapi.StatusInfo{Status: qapi.RunStatePaused}, nil
		})
		qmptest.Handle(srv, srv.Commands.BlockdevAdd, func(_ context.Context, node qapi.BlockdevOptions) error {
			if _, ok := node.Driver.(qapi.BlockdevOptionsNullCo); !ok {
				return &qmp.Error{Class: qmp.ClassDeviceNotFound, Desc: "no such disk"}
			}
			return nil
		})
		qmptest.Handle(srv, srv.Commands.QOMGet, func(_ context.Context, args qapi.QOMGetArgs) (json.RawMessage, error) {
			return json.RawMessage(`"` + args.Path + `"`), nil
		})

		moves := qapi.Subscribe[qapi.DeviceTrayMovedEvent](c)
		require.NoError(t, c.Eject(t.Context(), qapi.EjectArgs{ID: new("cd0")}))
		move, err := moves.Next(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "cd0", move.ID)
		assert.ErrorContains(t, c.Eject(t.Context(), qapi.EjectArgs{}), "which one?")
		assert.ErrorContains(t, c.Eject(t.Context()), "which one?")
		sent := srv.Count("eject")
		assert.ErrorContains(t, c.Eject(t.Context(), qapi.EjectArgs{}, qapi.EjectArgs{}), "2 structs of arguments, not one")
		assert.Equal(t, sent, srv.Count("eject"), "nothing was sent")
		status, err := c.QueryStatus(t.Context())
		require.NoError(t, err)
		assert.Equal(t, qapi.RunStatePaused, status.Status)
		assert.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsNullCo{}}))
		var refused *qmp.Error
		require.ErrorAs(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsNullAio{}}), &refused)
		assert.Equal(t, qmp.ClassDeviceNotFound, refused.Class)
		qmptest.Handle(srv, srv.Commands.DeviceAdd, func(_ context.Context, dev qapi.Device) error {
			return errors.New(*dev.(qapi.DeviceAddArgs).ID)
		})
		assert.ErrorContains(t, c.DeviceAdd(t.Context(), qapi.DeviceAddArgs{Driver: "e1000", ID: new("nic0")}), "nic0")
		got, err := c.QOMGet(t.Context(), qapi.QOMGetArgs{Path: "/machine", Property: "x"})
		require.NoError(t, err)
		assert.JSONEq(t, `"/machine"`, string(got))

		var args qapi.EjectArgs
		require.NoError(t, srv.Calls()[0].Decode(&args))
		assert.Equal(t, "cd0", *args.ID)
		assert.Empty(t, w.said())
		assert.Error(t, srv.Commands.Stop(t.Context()), "it is connected to nothing")
	})
}

func TestHandleRefusesOtherMethods(t *testing.T) {
	srv, c, _ := start(t)
	assert.PanicsWithValue(t, "qmptest: Handle: the method is not one of a server's Commands", func() {
		qmptest.Handle(srv, c.Stop, func(context.Context) error { return nil })
	})
	assert.PanicsWithValue(t, "qmptest: Handle: the handler of stop is nil", func() {
		qmptest.Handle(srv, srv.Commands.Stop, nil)
	})
	assert.Panics(t, func() { qmptest.Handle(srv, srv.Commands.Close, func() error { return nil }) })
	assert.Panics(t, func() { qmptest.Handle(srv, 1, 2) })
	assert.Panics(t, func() { qmptest.Handle[func(context.Context) error](srv, nil, nil) })
	assert.Panics(t, func() { qmptest.After(t.Context(), func() {}) })
}

package qapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// Await returns an event that comes before the command's reply, and ignores other events.
func TestAwait(t *testing.T) {
	srv, c := dialFake(t)
	shutdown := func(reason qapi.ShutdownCause) qapi.ShutdownEvent { return qapi.ShutdownEvent{Reason: reason} }
	e, err := qapi.Await(t.Context(), c, func(ctx context.Context) error {
		srv.Emit(shutdown(qapi.ShutdownCauseGuestReset))
		srv.Emit(qapi.StopEvent{})
		srv.Emit(shutdown(qapi.ShutdownCauseHostSignal))
		_, err := c.QueryStatus(ctx)
		return err
	}, func(e qapi.ShutdownEvent) bool { return e.Reason == qapi.ShutdownCauseHostSignal })
	require.NoError(t, err)
	assert.Equal(t, qapi.ShutdownCauseHostSignal, e.Reason)

	_, err = qapi.Await[qapi.ResumeEvent](t.Context(), c, c.Cont, nil)
	require.NoError(t, err, "any event")

	refused := errors.New("refused")
	_, err = qapi.Await[qapi.StopEvent](t.Context(), c, func(context.Context) error { return refused }, nil)
	assert.Equal(t, refused, err)
}

// The error of Await contains the reason and the name of the event.
func TestAwaitEnds(t *testing.T) {
	srv, c := dialFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := qapi.Await[qapi.StopEvent](ctx, c, func(context.Context) error { cancel(); return nil }, nil)
	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "waiting for STOP")
	_, err = qapi.Await[qapi.StopEvent](t.Context(), c, func(context.Context) error { return srv.Close() }, nil)
	require.ErrorIs(t, err, qmp.ErrClosed)
	assert.ErrorContains(t, err, "waiting for STOP")
}

// After a lost connection, Await says that the event may have been missed.
func TestAwaitGap(t *testing.T) {
	srv := qmptest.Start(t)
	conn, err := qmp.DialFunc(t.Context(), func(context.Context) (io.ReadWriteCloser, error) { return srv.Pipe(), nil },
		qmp.WithReconnect(qmp.Reconnect{}))
	require.NoError(t, err)
	c := qapi.NewClient(conn)
	defer c.Close()
	_, err = qapi.Await[qapi.StopEvent](t.Context(), c, func(context.Context) error { srv.Cut(); return nil }, nil)
	gap, ok := errors.AsType[*qmp.GapError](err)
	require.True(t, ok, "%v", err)
	assert.ErrorIs(t, gap, qmp.ErrClosed)
	assert.ErrorContains(t, err, "waiting for STOP")
}

func TestEvents(t *testing.T) {
	srv, c := dialFake(t)
	events := qapi.Events[qapi.StopEvent](t.Context(), c)
	srv.Emit(qapi.StopEvent{})
	srv.Emit(qapi.ResumeEvent{})
	srv.Emit(qapi.StopEvent{})
	n := 0
	for _, err := range events {
		require.NoError(t, err)
		if n++; n == 2 {
			break
		}
	}
	for range events {
		t.Error("the subscription is still there")
	}
}

// Events ends with its context, in a loop and without one.
func TestEventsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := dialFake(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		late := qapi.Events[qapi.StopEvent](ctx, c)
		var got error
		for _, err := range qapi.Events[qapi.StopEvent](ctx, c) {
			require.NoError(t, got, "it is the last one")
			got = err
		}
		require.ErrorIs(t, got, context.DeadlineExceeded)
		got = nil
		for _, err := range late {
			got = err
		}
		require.ErrorIs(t, got, context.DeadlineExceeded)
	})
}

func TestValue(t *testing.T) {
	assert.Equal(t, 7, qapi.Value(new(7)))
	assert.Empty(t, qapi.Value[string](nil))
}

func TestClassOf(t *testing.T) {
	refusal := &qmp.Error{Class: qmp.ClassDeviceNotFound}
	assert.Equal(t, qmp.ClassDeviceNotFound, qmp.ClassOf(fmt.Errorf("removing it: %w", refusal)))
	assert.Empty(t, qmp.ClassOf(io.EOF))
	assert.Empty(t, qmp.ClassOf(nil))
}

package qmptest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/growth"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// talk sends each line and returns what the server says, line by line.
func talk(t *testing.T, conn net.Conn, lines ...string) []string {
	t.Helper()
	in := bufio.NewReader(conn)
	var got []string
	read := func() {
		text, err := in.ReadString('\n')
		require.NoError(t, err)
		got = append(got, strings.TrimSuffix(text, "\r\n"))
	}
	read() // the greeting
	for _, line := range lines {
		_, err := io.WriteString(conn, line)
		require.NoError(t, err)
		read()
	}
	return got
}

// Many servers work side by side, each with a machine of its own.
func TestManyServers(t *testing.T) {
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			srv := qmptest.New(qmptest.Release([]string{"5.2", "7.2", "10.0", "11.1"}[i%4]))
			conn, err := srv.Dial(t.Context())
			if !assert.NoError(t, err) {
				return
			}
			c := qapi.NewClient(conn)
			name := fmt.Sprintf("n%d", i)
			assert.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{NodeName: &name, Driver: qapi.BlockdevOptionsNullCo{}}))
			nodes, err := c.QueryNamedBlockNodes(t.Context(), qapi.QueryNamedBlockNodesArgs{})
			if assert.NoError(t, err) && assert.Len(t, nodes, 1) {
				assert.Equal(t, name, nodes[0].NodeName)
			}
			assert.NoError(t, conn.Close())
			assert.NoError(t, srv.Close())
		})
	}
	all.Wait()
}

// A machine costs a test almost nothing until the test plugs something in, and then a moment, once.
// CPU time is measured, since it does not depend on other processes.
func TestStartIsQuick(t *testing.T) {
	const limit = 5 * time.Millisecond
	qmptest.Start(t) // the schema of the release is read once
	best := time.Hour
	for range 20 {
		began := growth.ProcessorTime()
		qmptest.Start(t)
		best = min(best, growth.ProcessorTime()-began)
	}
	assert.Less(t, best, limit)
}

// BenchmarkStart starts a server with a machine, connects to it, and ends it.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		srv := qmptest.New()
		conn, err := srv.Dial(b.Context())
		require.NoError(b, err)
		conn.Close()
		require.NoError(b, srv.Close())
	}
}

func TestDialogue(t *testing.T) {
	srv := qmptest.Start(t, qmptest.Version(qmp.Version{Major: 7, Minor: 2, Micro: 22}), qmptest.Unchecked())
	srv.Reply("echo", map[string]string{"s": "ü𝄞"}, []int{1, 2})
	srv.Fail("sick", "DeviceNotFound", "no device")
	conn := srv.Pipe()
	defer conn.Close()
	got := talk(t, conn,
		`{"execute":"echo"}`,
		`{"execute":"qmp_capabilities","arguments":{"enable":["oob"]},"id":null}`,
		`{"execute":"qmp_capabilities"}`,
		`{"execute":"echo","id":{"a":1}}`,
		`{"exec-oob":"echo"}`,
		`{"execute":"sick","id":7}`,
		`{"execute":"nope","id":"x"}`,
		`{"execute":1}`,
		`{"a":}`,
		`garbage`+"\n",
		`{"execute":"query-version"}`,
	)
	assert.Equal(t, []string{
		`{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}, "capabilities": ["oob"]}}`,
		`{"error": {"class": "CommandNotFound", "desc": "qmp_capabilities comes first"}}`,
		`{"return": {}, "id": null}`,
		`{"error": {"class": "CommandNotFound", "desc": "the negotiation is over"}}`,
		`{"return": {"s": "\u00FC\uD834\uDD1E"}, "id": {"a": 1}}`,
		`{"return": [1, 2]}`,
		`{"id": 7, "error": {"class": "DeviceNotFound", "desc": "no device"}}`,
		`{"id": "x", "error": {"class": "CommandNotFound", "desc": "The command nope has not been found"}}`,
		`{"error": {"class": "GenericError", "desc": "a request has one command, a string"}}`,
	}, got[:9])
	assert.Contains(t, got[9], `{"error": {"class": "GenericError"`)
	assert.Contains(t, got[10], `{"error": {"class": "GenericError"`)
	assert.Contains(t, got[11], `"major": 7`)
}

func TestPretty(t *testing.T) {
	srv := qmptest.Start(t, qmptest.Pretty())
	srv.Reply("query-name", map[string]string{"name": "vm\nü"})
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	name, err := qapi.NewClient(conn).QueryName(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "vm\nü", *name.Name)
}

func TestTyped(t *testing.T) {
	srv := qmptest.Start(t)
	srv.Handle("eject", func(_ context.Context, req *qmptest.Request) (any, error) {
		var args qapi.EjectArgs
		if err := req.Decode(&args); err != nil {
			return nil, err
		}
		if args.ID == nil {
			return nil, errors.New("which one?")
		}
		req.After(func() {
			srv.Emit(qapi.DeviceTrayMovedEvent{ID: *args.ID, TrayOpen: true})
		})
		return nil, nil
	})
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	c := qapi.NewClient(conn)
	defer c.Close()
	moves := qapi.Subscribe[qapi.DeviceTrayMovedEvent](c)

	require.NoError(t, c.Eject(t.Context(), qapi.EjectArgs{ID: new("cd0")}))
	move, err := moves.Next(t.Context())
	require.NoError(t, err)
	assert.True(t, move.TrayOpen)
	assert.Equal(t, "cd0", move.ID)
	assert.WithinDuration(t, time.Now(), move.Timestamp, time.Minute)

	var refused *qmp.Error
	require.ErrorAs(t, c.Eject(t.Context(), qapi.EjectArgs{}), &refused)
	assert.Equal(t, qmp.Error{Command: "eject", Class: "GenericError", Desc: "which one?"}, *refused)

	calls := srv.Calls()
	require.Len(t, calls, 2)
	assert.Equal(t, "eject", calls[0].Command)
	assert.JSONEq(t, `{"id":"cd0"}`, string(calls[0].Arguments))
	assert.Nil(t, calls[1].Arguments)
}

// A typed event has its own Timestamp, or otherwise the present time.
func TestEmitAtATime(t *testing.T) {
	srv := qmptest.Start(t)
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	events := conn.Subscribe(nil)
	at := time.Date(2026, 11, 22, 1, 2, 3, 456000, time.UTC)
	srv.Emit(qapi.ResetEvent{Timestamp: at, Guest: true, Reason: qapi.ShutdownCauseGuestReset})
	e, err := events.Next(t.Context())
	require.NoError(t, err)
	assert.Equal(t, at, e.Timestamp)
	assert.JSONEq(t, `{"guest":true,"reason":"guest-reset"}`, string(e.Data))
}

func TestQueryCommands(t *testing.T) {
	srv := qmptest.Start(t, qmptest.Unchecked())
	srv.Reply("x-levitate")
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	c := qapi.NewClient(conn)
	defer c.Close()
	commands, err := c.QueryCommands(t.Context())
	require.NoError(t, err)
	assert.Contains(t, commands, qapi.CommandInfo{Name: "qmp_capabilities"})
	assert.Contains(t, commands, qapi.CommandInfo{Name: "x-levitate"})
	assert.Greater(t, len(commands), 200)
}

// Commands are executed one after the other, those out of band at once.
func TestOutOfBand(t *testing.T) {
	srv := qmptest.Start(t, qmptest.Unchecked())
	release := make(chan struct{})
	srv.Handle("slow", func(context.Context, *qmptest.Request) (any, error) {
		<-release
		return nil, nil
	})
	srv.Handle("yank", func(context.Context, *qmptest.Request) (any, error) {
		close(release)
		return nil, nil
	})
	srv.Reply("query-name")
	conn := srv.Pipe()
	defer conn.Close()
	in := json.NewDecoder(conn)
	var said []any
	hear := func() {
		var m map[string]any
		require.NoError(t, in.Decode(&m))
		said = append(said, m["id"])
	}
	hear() // the greeting
	_, err := io.WriteString(conn, `{"execute":"qmp_capabilities","arguments":{"enable":["oob"]},"id":0}`)
	require.NoError(t, err)
	hear()
	_, err = io.WriteString(conn, `{"execute":"slow","id":1}{"execute":"query-name","id":2}{"exec-oob":"yank","id":3}`)
	require.NoError(t, err)
	hear()
	hear()
	hear()
	assert.ElementsMatch(t, []any{1.0, 2.0, 3.0}, said[2:])
	assert.Equal(t, []qmptest.Call{{Command: "slow"}, {Command: "query-name"}, {Command: "yank", OOB: true}}, srv.Calls())
}

// A handler's context ends when its client leaves.
func TestHandlerOutlivesItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := qmptest.Start(t, qmptest.Unchecked())
		ended := false
		srv.Handle("slow", func(ctx context.Context, _ *qmptest.Request) (any, error) {
			<-ctx.Done()
			ended = true
			return nil, ctx.Err()
		})
		conn, err := srv.Dial(t.Context())
		require.NoError(t, err)
		conn.Go(t.Context(), "slow", nil, nil, func(error) {})
		synctest.Wait()
		assert.False(t, ended)
		conn.Close()
		synctest.Wait()
		assert.True(t, ended)
	})
}

// A client that does not read does not delay others, and loses nothing.
func TestFlood(t *testing.T) {
	const events = 50_000
	srv := qmptest.Start(t, qmptest.Unchecked())
	at, err := srv.Listen("unix:" + filepath.Join(t.TempDir(), "a,,b"))
	require.NoError(t, err)
	require.Contains(t, at, "a,,b")
	conn, err := qmp.Dial(t.Context(), at, qmp.WithEventBuffer(events))
	require.NoError(t, err)
	defer conn.Close()
	sub := conn.Subscribe(nil)
	for i := range events {
		srv.EmitNamed("COUNT", map[string]int{"n": i})
	}
	for i := range events {
		e, err := sub.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf(`{"n": %d}`, i), string(e.Data))
	}
}

func TestListen(t *testing.T) {
	for _, addr := range []string{"unix:" + filepath.Join(t.TempDir(), "q"), "tcp:127.0.0.1:0"} {
		srv := qmptest.Start(t)
		at, err := srv.Listen(addr + ",server=on,wait=off")
		require.NoError(t, err)
		first, err := qapi.Dial(t.Context(), at)
		require.NoError(t, err)

		_, err = qapi.Dial(t.Context(), at, qmp.WithHandshakeTimeout(50*time.Millisecond))
		require.ErrorIs(t, err, context.DeadlineExceeded, "the second client gets no greeting")

		require.NoError(t, first.Close())
		next, err := qapi.Dial(t.Context(), at)
		require.NoError(t, err, "until the first has left")
		next.Close()
	}
	_, err := qmptest.Start(t).Listen("carrier-pigeon")
	assert.EqualError(t, err, `qmptest: listen: address "carrier-pigeon": it does not begin with its kind, such as "unix:" or "tcp:"`)
	_, err = qmptest.Start(t).Listen("unix:x,abstract=maybe")
	assert.EqualError(t, err, `qmptest: listen: address "unix:x,abstract=maybe": the option "abstract" is on or off, not "maybe"`)
}

// TestQuit sees SHUTDOWN before the reply, or after it as with old releases,
// and the end after both.
func TestQuit(t *testing.T) {
	for _, major := range []int{5, 11} {
		srv := qmptest.Start(t, qmptest.Version(qmp.Version{Major: major}))
		conn := srv.Pipe()
		in := bufio.NewReader(conn)
		go io.WriteString(conn, `{"execute":"qmp_capabilities"}{"execute":"quit"}`)
		text, err := io.ReadAll(in)
		require.NoError(t, err)
		lines := strings.Split(strings.TrimSpace(string(text)), "\r\n")
		require.Len(t, lines, 4)
		assert.Equal(t, major < 7, strings.Contains(lines[3], "SHUTDOWN"))
	}
}

// TestTime runs everything in a bubble: time passes by itself, and nothing is
// left when it ends.
func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := qmptest.New(qmptest.Unchecked())
		defer srv.Close()
		srv.Handle("slow", func(ctx context.Context, _ *qmptest.Request) (any, error) {
			select {
			case <-time.After(time.Hour):
			case <-ctx.Done():
			}
			return "done", nil
		})
		conn, err := srv.Dial(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		var answer string
		begin := time.Now()
		require.NoError(t, conn.Execute(t.Context(), "slow", nil, &answer))
		assert.Equal(t, time.Hour, time.Since(begin))

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		assert.ErrorIs(t, conn.Execute(ctx, "slow", nil, nil), context.DeadlineExceeded)
	})
}

func TestInject(t *testing.T) {
	srv := qmptest.Start(t, qmptest.Unchecked())
	reports := make(chan error, 2)
	conn, err := srv.Dial(t.Context(), qmp.WithEventError(func(err error) { reports <- err }))
	require.NoError(t, err)
	defer conn.Close()
	events := conn.Subscribe(nil)
	srv.Inject("garbage\r\n{\"event\":\"A\"}\r\n")
	e, err := events.Next(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "A", e.Name)
	assert.ErrorContains(t, <-reports, "garbage")
	srv.Inject(`{"event": "B`)
	srv.Cut()
	_, err = events.Next(t.Context())
	assert.ErrorIs(t, err, qmp.ErrClosed)
}

func TestCloseEndsEverything(t *testing.T) {
	srv := qmptest.New(qmptest.Unchecked())
	running := make(chan struct{})
	srv.Handle("hang", func(ctx context.Context, _ *qmptest.Request) (any, error) {
		close(running)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	failed := make(chan error)
	conn.Go(t.Context(), "hang", nil, nil, func(err error) { failed <- err })
	<-running
	require.NoError(t, srv.Close())
	assert.Error(t, <-failed)
	_, err = srv.Dial(t.Context())
	assert.Error(t, err, "a closed server takes no more clients")
}

func Example() {
	srv := qmptest.New()
	defer srv.Close()
	srv.Reply("query-status", qapi.StatusInfo{Running: true, Status: qapi.RunStateRunning})
	qmptest.Handle(srv, srv.Commands.Stop, func(context.Context) error {
		srv.Emit(qapi.StopEvent{})
		return nil
	})

	ctx := context.Background()
	conn, err := srv.Dial(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	c := qapi.NewClient(conn)
	defer c.Close()

	status, err := c.QueryStatus(ctx)
	fmt.Println(status.Status, err)
	stops := qapi.Subscribe[qapi.StopEvent](c)
	fmt.Println(c.Stop(ctx))
	event, err := stops.Next(ctx)
	fmt.Println(event.EventName(), err)
	// Output:
	// running <nil>
	// <nil>
	// STOP <nil>
}

func TestRepliesThatCannotBeSent(t *testing.T) {
	srv := qmptest.New(qmptest.Unchecked())
	srv.Reply("bad", make(chan int))
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	var raw json.RawMessage
	assert.ErrorContains(t, conn.Execute(t.Context(), "bad", nil, &raw), "cannot be encoded")
	assert.ErrorContains(t, srv.Close(), "cannot be encoded")
	assert.NoError(t, srv.Close(), "the mistakes are reported once")
}

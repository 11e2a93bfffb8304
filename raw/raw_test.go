package raw_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/raw"
)

// echo is a server whose command echo returns its arguments.
func echo(t *testing.T) (*qmptest.Server, *raw.Client) {
	t.Helper()
	srv := qmptest.Start(t, qmptest.Unchecked())
	srv.Handle("echo", func(_ context.Context, req *qmptest.Request) (any, error) {
		return req.Arguments, nil
	})
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return srv, raw.New(conn)
}

func TestExecute(t *testing.T) {
	srv, c := echo(t)
	for name, args := range map[string]any{
		"map":    map[string]any{"n": uint64(18446744073709551615), "s": "ü"},
		"text":   json.RawMessage(`{"n":18446744073709551615,"s":"ü"}`),
		"struct": struct{ N uint64 }{7},
	} {
		want, err := json.Marshal(args)
		require.NoError(t, err)
		reply, err := c.Execute(t.Context(), "echo", args)
		require.NoError(t, err, name)
		assert.JSONEq(t, string(want), string(reply), name)
	}
	reply, err := c.Execute(t.Context(), "echo", nil)
	require.NoError(t, err)
	assert.Equal(t, `null`, string(reply), "no arguments at all")

	_, err = c.Execute(t.Context(), "no-such-command", nil)
	var refused *qmp.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, qmp.ClassCommandNotFound, refused.Class)
	assert.Equal(t, "no-such-command", srv.Calls()[4].Command)
}

func TestGo(t *testing.T) {
	_, c := echo(t)
	type outcome struct {
		reply json.RawMessage
		err   error
	}
	got := make(chan outcome)
	c.Go(t.Context(), "echo", map[string]int{"a": 1}, func(reply json.RawMessage, err error) {
		got <- outcome{reply, err}
	})
	assert.Equal(t, outcome{json.RawMessage(`{"a": 1}`), nil}, <-got)
	c.Go(t.Context(), "no-such-command", nil, func(reply json.RawMessage, err error) {
		got <- outcome{reply, err}
	})
	assert.Error(t, (<-got).err)
	c.Go(t.Context(), "echo", nil, nil) // nobody wants to know
	_, err := c.Execute(t.Context(), "echo", nil)
	assert.NoError(t, err)
}

func TestSend(t *testing.T) {
	_, c := echo(t)
	for _, m := range []struct {
		name, message, want string
		err                 error
	}{
		{"with an id", `{"execute": "echo", "arguments": {"a": 1}, "id": {"mine": [1, 2]}}`,
			`{"return": {"a": 1}, "id": {"mine": [1, 2]}}`, nil},
		{"without", `{"execute":"echo","arguments":{}}`, `{"return": {}}`, nil},
		{"an error within", `{"execute":"echo","arguments":{"error":1}}`, `{"return": {"error": 1}}`, nil},
		{"refused", `{"execute":"nope","id":"x"}`,
			`{"id": "x", "error": {"class": "CommandNotFound", "desc": "The command nope has not been found"}}`,
			&qmp.Error{Command: "nope", Class: "CommandNotFound", Desc: "The command nope has not been found"}},
		{"no command", `{"exec":"echo"}`,
			`{"error": {"class": "GenericError", "desc": "a request has no member 'exec'"}}`,
			&qmp.Error{Class: "GenericError", Desc: "a request has no member 'exec'"}},
	} {
		answer, err := c.RoundTrip(t.Context(), []byte(m.message))
		assert.Equal(t, m.err, err, m.name)
		assert.Equal(t, m.want, string(answer), m.name)
	}
	for _, bad := range []string{``, `{`, `[]`, `{}{}`, `7`} {
		_, err := c.RoundTrip(t.Context(), []byte(bad))
		assert.Error(t, err, "%q is not one object", bad)
	}
	_, err := c.Execute(t.Context(), "echo", map[string]int{"still": 1})
	assert.NoError(t, err, "the connection goes on")
}

func TestGoSend(t *testing.T) {
	srv, c := echo(t)
	const messages = 20
	got := make(chan string)
	for i := range messages {
		c.GoRoundTrip(t.Context(), fmt.Appendf(nil, `{"execute":"echo","arguments":{"n":%d}}`, i), func(answer json.RawMessage, err error) {
			assert.NoError(t, err)
			got <- string(answer)
		})
	}
	var answers, want []string
	for i := range messages {
		answers = append(answers, <-got)
		want = append(want, fmt.Sprintf(`{"return": {"n": %d}}`, i))
	}
	assert.ElementsMatch(t, want, answers)
	for i, call := range srv.Calls() {
		assert.Equal(t, fmt.Sprintf(`{"n":%d}`, i), string(call.Arguments), "in order")
	}

	failed := make(chan error)
	c.GoRoundTrip(t.Context(), []byte(`{"exec-oob":"nope"}`), nil)
	message := []byte(`{"execute":"nope"}`)
	c.GoRoundTrip(t.Context(), message, func(answer json.RawMessage, err error) {
		assert.Contains(t, string(answer), `"CommandNotFound"`, "the whole of it")
		failed <- err
	})
	clear(message)
	assert.EqualError(t, <-failed, "qmp: nope: The command nope has not been found (CommandNotFound)")
	c.GoRoundTrip(t.Context(), []byte(`[]`), func(_ json.RawMessage, err error) { failed <- err })
	assert.ErrorContains(t, <-failed, "not a JSON object")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.GoRoundTrip(ctx, []byte(`{"execute":"echo"}`), func(_ json.RawMessage, err error) { failed <- err })
	assert.ErrorIs(t, <-failed, context.Canceled)
}

func TestEvents(t *testing.T) {
	srv, c := echo(t)
	all, one := c.Subscribe(), c.Subscribe("STOP")
	defer all.Close()
	defer one.Close()
	srv.EmitNamed("VENDOR_EVENT", map[string]any{"big": uint64(18446744073709551615)})
	srv.EmitNamed("STOP", nil)

	e, err := all.Next(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "VENDOR_EVENT", e.Name)
	assert.Equal(t, `{"big": 18446744073709551615}`, string(e.Data))
	for _, events := range []*qmp.Subscription{all, one} {
		e, err := events.Next(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "STOP", e.Name)
		assert.Nil(t, e.Data)
	}

	got := make(chan string, 1)
	stop := c.OnEvent("RESUME", func(e qmp.Event) { got <- e.Name })
	defer stop()
	srv.EmitNamed("STOP", nil)
	srv.EmitNamed("RESUME", nil)
	assert.Equal(t, "RESUME", <-got)
}

// An error member of another form is an error, too, and its text cannot move a terminal's cursor.
func TestOddRefusal(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	go func() {
		request := make([]byte, 100)
		n, err := theirs.Read(request) // before a whole message the session asks whether it is in step
		assert.NoError(t, err)
		_, id, _ := strings.Cut(string(request[:n]), `"id":`)
		_, err = fmt.Fprintf(theirs, "{\"return\": {}, \"id\": %s\n", id)
		assert.NoError(t, err)
		_, err = theirs.Read(request)
		assert.NoError(t, err)
		_, err = io.WriteString(theirs, "{\"error\": \"\u202e\"}\n")
		assert.NoError(t, err)
	}()
	conn, err := qmp.NewConn(t.Context(), ours, qmp.WithoutHandshake())
	require.NoError(t, err)
	defer conn.Close()
	answer, err := raw.New(conn).RoundTrip(t.Context(), []byte(`{"execute":"x"}`))
	assert.EqualError(t, err, `raw: the server's error cannot be decoded: "\u202e"`)
	assert.Equal(t, "{\"error\": \"\u202e\"}", string(answer))
}

func TestClosed(t *testing.T) {
	srv, c := echo(t)
	srv.Cut()
	_, err := c.Execute(t.Context(), "echo", nil)
	assert.ErrorIs(t, err, qmp.ErrClosed)
}

func Example() {
	srv := qmptest.New(qmptest.Unchecked())
	defer srv.Close()
	srv.Reply("x-vendor-temperature", map[string]int{"celsius": 41})

	ctx := context.Background()
	conn, err := srv.Dial(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	c := raw.New(conn)

	reply, err := c.Execute(ctx, "x-vendor-temperature", map[string]any{"sensor": 3})
	fmt.Println(string(reply), err)
	answer, err := c.RoundTrip(ctx, []byte(`{"execute":"x-vendor-temperature","id":"mine"}`))
	fmt.Println(string(answer), err)
	// Output:
	// {"celsius": 41} <nil>
	// {"return": {"celsius": 41}, "id": "mine"} <nil>
}

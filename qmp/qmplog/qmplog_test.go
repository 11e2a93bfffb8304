package qmplog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmplog"
)

// serve is a small server: it greets, answers each request after a
// second, and sends an event before the answer.
func serve(t *testing.T, conn net.Conn) {
	_, err := fmt.Fprint(conn, `{"QMP": {"version": {"qemu": {"major": 11, "minor": 1, "micro": 3}, "package": ""}, "capabilities": ["oob"]}}`)
	assert.NoError(t, err)
	for in := json.NewDecoder(conn); ; {
		var req struct {
			Execute string
			ID      json.RawMessage
		}
		if in.Decode(&req) != nil {
			return
		}
		time.Sleep(time.Second)
		answer := `{"return": {}}`
		if req.ID != nil {
			answer = `{"return": {}, "id": ` + string(req.ID) + `}`
		}
		if req.Execute == "set_password" {
			answer = `{"timestamp": {"seconds": 1, "microseconds": 0}, "event": "E", "data": {"password": "hunter3"}}` + answer
		}
		_, err := fmt.Fprint(conn, answer)
		assert.NoError(t, err)
	}
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == "id" && a.Value.Int64() > 1<<52 { // the negotiation's
		return slog.Attr{}
	}
	return a
}

// session returns what is logged of a connection, its call and its end.
func session(t *testing.T, level slog.Level, opts ...qmplog.Option) []string {
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		h := slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level, ReplaceAttr: withoutTime})
		ours, theirs := net.Pipe()
		go serve(t, theirs)
		c, err := qmp.NewConn(t.Context(), ours, qmplog.WithLogger(slog.New(h), opts...))
		require.NoError(t, err)
		require.NoError(t, c.Execute(t.Context(), "set_password", map[string]string{"password": "hunter2"}, nil))
		synctest.Wait()
		assert.Error(t, c.Execute(t.Context(), "x", func() {}, nil))
		c.Close()
		synctest.Wait()
		theirs.Close()
	})
	return strings.Split(strings.TrimSpace(log.String()), "\n")
}

func TestLog(t *testing.T) {
	assert.Equal(t, []string{
		`level=DEBUG msg="qmp sent" command=qmp_capabilities request_bytes=52`,
		`level=DEBUG msg="qmp call" command=qmp_capabilities took=1s waited=0s request_bytes=52 reply_bytes=2`,
		`level=DEBUG msg="qmp connected" version=11.1.3 capabilities=[oob]`,
		`level=DEBUG msg="qmp sent" command=set_password request_bytes=61`,
		`level=DEBUG msg="qmp event" event=E timestamp=1970-01-01T00:00:01.000Z data_bytes=23`,
		`level=DEBUG msg="qmp call" command=set_password took=1s waited=0s request_bytes=61 reply_bytes=2`,
		`level=DEBUG msg="qmp call" command=x took=0s sent=false error="qmp: x: arguments: the Go type func() cannot be encoded or decoded as JSON"`,
		`level=DEBUG msg="qmp closed" error="qmp: connection closed"`,
	}, inOrder(session(t, slog.LevelDebug)))
}

// inOrder puts the event, which a worker logs, before the call it came before.
func inOrder(lines []string) []string {
	for i := 1; i < len(lines); i++ {
		if strings.Contains(lines[i], `"qmp event"`) && strings.Contains(lines[i-1], `"qmp call" command=set_password`) {
			lines[i-1], lines[i] = lines[i], lines[i-1]
		}
	}
	return lines
}

func TestPayloadsWithoutSecrets(t *testing.T) {
	log := strings.Join(session(t, slog.LevelDebug, qmplog.Payloads()), "\n")
	assert.NotContains(t, log, "hunter")
	assert.Contains(t, log, `request="{\"execute\":\"set_password\",\"arguments\":{\"password\":\"[redacted]\"}}" reply={}`)
	assert.Contains(t, log, `data="{\"password\":\"[redacted]\"}"`)
}

// Replies and errors may show what the command has hidden.
func TestRepliesWithoutSecrets(t *testing.T) {
	type object = map[string]any
	for _, c := range []struct {
		command      string
		args         object
		answer, want string
	}{
		{"qom-get", object{"property": "data"}, `{"return":"hunter2"}`, `reply="\"[redacted]\""`},
		{"human-monitor-command", object{"command-line": "x hunter2"}, `{"return":"what is hunter2?"}`, `reply="\"[redacted]\""`},
		{"set_password", object{"password": "hunter2"}, `{"error":{"class":"GenericError","desc":"hunter2 is short"}}`,
			`reply="{\"class\":\"GenericError\",\"desc\":\"[redacted] is short\"}" error="qmp: set_password: [redacted] is short"`},
		{"blockdev-add", nil, `{"error":{"class":"GenericError","desc":"Could not open 'json:{\"cookie\": \"hunter2\"}'"}}`,
			`error="qmp: blockdev-add: Could not open 'json:{\"cookie\":\"[redacted]\"}'"`},
		{"query-x", nil, `{"return":"` + strings.Repeat("x", 1<<20) + `"}`, `xxx… (1048578 bytes)"`},
	} {
		for _, opts := range [][]qmplog.Option{nil, {qmplog.Payloads()}} {
			var log bytes.Buffer
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				go func() {
					defer theirs.Close()
					var req struct{ ID json.RawMessage }
					if json.NewDecoder(theirs).Decode(&req) == nil {
						fmt.Fprintln(theirs, withID(req.ID, c.answer))
					}
				}()
				h := slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})
				conn, err := qmp.NewConn(t.Context(), ours, qmp.WithoutHandshake(), qmplog.WithLogger(slog.New(h), opts...))
				require.NoError(t, err)
				_ = conn.Execute(t.Context(), c.command, c.args, nil)
				conn.Close()
				synctest.Wait()
			})
			assert.NotContains(t, log.String(), "hunter2")
			if opts != nil {
				assert.Contains(t, log.String(), c.want)
			}
			assert.Less(t, log.Len(), 100_000)
		}
	}
}

// withID is a reply with the id of its command.
func withID(id json.RawMessage, reply string) string {
	return fmt.Sprintf(`%s, "id": %s}`, strings.TrimSuffix(reply, "}"), id)
}

// Errors that no call returns are logged even if the debug level is off.
func TestProblems(t *testing.T) {
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go serve(t, theirs)
		h := slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: withoutTime})
		c, err := qmp.NewConn(t.Context(), ours, qmplog.WithLogger(slog.New(h)))
		require.NoError(t, err)
		_, err = fmt.Fprint(theirs, "Formatting 'x'\n{\"return\": ")
		require.NoError(t, err)
		synctest.Wait()
		theirs.Close()
		<-c.Done()
	})
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	require.Len(t, lines, 2, "%q", lines)
	assert.Contains(t, lines[0], `level=WARN msg="qmp problem" error="qmp: 14 bytes from the server are not a message`)
	assert.Contains(t, lines[1], `level=WARN msg="qmp closed" error="qmp: connection closed by the server in the middle of a message"`)
}

func TestNoDebugLevel(t *testing.T) {
	assert.Equal(t, []string{""}, session(t, slog.LevelInfo))
}

// ends returns the levels at which the ends of a connection are logged. act gets a
// connection, and a function that returns the server's end of the present pipe.
func ends(t *testing.T, act func(t *testing.T, c *qmp.Conn, server func() net.Conn), opts ...qmp.Option) []string {
	t.Helper()
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		h := slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTime})
		servers := make(chan net.Conn, 10)
		connect := func(context.Context) (io.ReadWriteCloser, error) {
			ours, theirs := net.Pipe()
			go serve(t, theirs)
			servers <- theirs
			return ours, nil
		}
		c, err := qmp.DialFunc(t.Context(), connect, append(opts, qmplog.WithLogger(slog.New(h)))...)
		require.NoError(t, err)
		act(t, c, func() net.Conn { return <-servers })
		c.Close()
		synctest.Wait()
		for len(servers) > 0 {
			(<-servers).Close()
		}
	})
	var levels []string
	for line := range strings.Lines(log.String()) {
		if level, _, ok := strings.Cut(line, ` msg="qmp closed"`); ok {
			levels = append(levels, strings.TrimPrefix(level, "level="))
		}
	}
	return levels
}

// Every end that nobody asked for is a warning.
func TestEnds(t *testing.T) {
	lost := func(_ *testing.T, _ *qmp.Conn, server func() net.Conn) {
		synctest.Wait()
		server().Close() // as when QEMU is killed
		synctest.Wait()
	}
	quit := func(t *testing.T, c *qmp.Conn, server func() net.Conn) {
		_ = c.Execute(t.Context(), "quit", nil, nil)
		lost(t, c, server)
	}
	reconnecting := qmp.WithReconnect(qmp.Reconnect{})
	assert.Equal(t, []string{"WARN"}, ends(t, lost), "the server is killed")
	assert.Equal(t, []string{"DEBUG"}, ends(t, quit), "the command quit was sent")
	assert.Equal(t, []string{"DEBUG"}, ends(t, func(*testing.T, *qmp.Conn, func() net.Conn) {}), "Close")
	assert.Equal(t, []string{"WARN"}, ends(t, func(t *testing.T, c *qmp.Conn, server func() net.Conn) {
		assert.Error(t, c.Execute(t.Context(), "quit", func() {}, nil))
		lost(t, c, server)
	}), "quit was not sent")
	assert.Equal(t, []string{"WARN", "WARN", "DEBUG", "WARN", "DEBUG"}, ends(t, func(t *testing.T, c *qmp.Conn, server func() net.Conn) {
		for _, end := range []func(*testing.T, *qmp.Conn, func() net.Conn){lost, lost, quit, lost} {
			end(t, c, server)
			assert.NoError(t, c.Execute(t.Context(), "query-status", nil, nil), "it is back")
		}
	}, reconnecting), "each loss of a connection that is made again, then Close")
}

// A call that is not answered is in the log.
func TestHang(t *testing.T) {
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		go func() {
			_, err := theirs.Read(make([]byte, 100))
			assert.NoError(t, err)
		}()
		h := slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTime})
		c, err := qmp.NewConn(t.Context(), ours, qmp.WithoutHandshake(), qmplog.WithLogger(slog.New(h), qmplog.Payloads()))
		require.NoError(t, err)
		defer c.Close()
		c.Go(t.Context(), "hang", nil, nil, func(error) {})
		synctest.Wait()
		assert.Regexp(t, `^level=DEBUG msg="qmp sent" command=hang request_bytes=40 request="{\\"execute\\":\\"hang\\",\\"id\\":[0-9]{16}}"\n$`, log.String())
	})
}

// Without a logger it is the default one.
func TestNilLogger(t *testing.T) {
	old := slog.Default()
	defer slog.SetDefault(old)
	var log bytes.Buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	opt := qmplog.WithLogger(nil)
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c, err := qmp.NewConn(t.Context(), ours, qmp.WithoutHandshake(), opt)
		require.NoError(t, err)
		theirs.Close()
		<-c.Done()
		synctest.Wait()
	})
	assert.Contains(t, log.String(), "qmp closed")
}

package record_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest/record"
	"github.com/goqapi/goqapi/raw"
)

// recording is a session as it may be found in a file.
const recording = `{"format":"qmp-record","version":1,"start":"2026-11-23T02:44:18Z"}
{"us":1,"from":"server","message":{"QMP":{"version":{"qemu":{"micro":0,"minor":1,"major":11},"package":"x"},"capabilities":["oob"]}}}
{"us":2,"from":"client","message":{"execute":"qmp_capabilities"}}
{"us":3,"from":"server","message":{"return":{}}}
{"us":4,"from":"client","message":{"execute":"query-status"}}
{"us":5,"from":"server","message":{"return":{"status":"prelaunch","running":false}}}
{"us":6,"from":"client","message":{"execute":"cont","id":7}}
{"us":7,"from":"server","message":{"timestamp":{"seconds":1,"microseconds":2},"event":"RESUME"}}
{"us":8,"from":"server","message":{"return":{},"id":7}}
{"us":9,"from":"client","message":{"execute":"query-status"}}
{"us":10,"from":"server","message":{"return":{"status":"running","running":true}}}
{"us":11,"from":"client","message":{"execute":"set_password","arguments":{"protocol":"vnc","password":"[redacted]"}}}
{"us":12,"from":"server","message":{"error":{"class":"GenericError","desc":"no vnc"}}}
{"us":13,"from":"client","message":{"execute":"eject","arguments":{"id":"cd0","force":true}}}
{"us":14,"from":"server","message":{"return":{}}}
{"us":15,"from":"server","message":{"timestamp":{"seconds":3,"microseconds":4},"event":"DEVICE_TRAY_MOVED","data":{"device":"","id":"cd0","tray-open":true}}}
{"us":16,"from":"client","message":{"execute":"quit"}}
{"us":17,"from":"server","message":{"timestamp":{"seconds":5,"microseconds":6},"event":"SHUTDOWN","data":{"guest":false,"reason":"host-qmp-quit"}}}
{"us":18,"from":"server","message":{"return":{}}}
{"us":19,"from":"server","end":"EOF"}
`

func load(t testing.TB, text string) *record.Session {
	t.Helper()
	s, err := record.Load(strings.NewReader(text))
	require.NoError(t, err)
	return s
}

func dial(t testing.TB, p *record.Player, opts ...qmp.Option) *qapi.Client {
	t.Helper()
	conn, err := p.Dial(t.Context(), opts...)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return qapi.NewClient(conn)
}

// vnc is a password for VNC.
type vnc struct {
	Protocol string `json:"protocol"`
	Password string `json:"password"`
}

// session does what was recorded, and returns the events.
func session(t testing.TB, c *qapi.Client) []string {
	t.Helper()
	ctx := t.Context()
	events := c.Conn().Subscribe(nil)
	status, err := c.QueryStatus(ctx)
	require.NoError(t, err)
	assert.Equal(t, qapi.RunStatePrelaunch, status.Status)
	require.NoError(t, c.Cont(ctx))
	status, err = c.QueryStatus(ctx)
	require.NoError(t, err)
	assert.True(t, status.Running)
	err = c.Conn().Execute(ctx, "set_password", vnc{"vnc", "my own"}, nil)
	assert.Equal(t, &qmp.Error{Command: "set_password", Class: "GenericError", Desc: "no vnc"}, err)
	require.NoError(t, c.Eject(ctx, qapi.EjectArgs{ID: new("cd0"), Force: new(true)}))
	require.NoError(t, c.Quit(ctx))
	<-c.Conn().Done()
	var names []string
	for {
		e, err := events.Next(ctx)
		if err != nil {
			return names
		}
		names = append(names, e.Name)
	}
}

func TestReplay(t *testing.T) {
	for _, opts := range []record.Options{{}, {Lenient: true}} {
		synctest.Test(t, func(t *testing.T) {
			p := load(t, recording).Replay(opts)
			assert.Equal(t, []string{"RESUME", "DEVICE_TRAY_MOVED", "SHUTDOWN"}, session(t, dial(t, p)))
			assert.NoError(t, p.Close())
		})
	}
}

func TestReplayToPrograms(t *testing.T) {
	p := load(t, recording).Start(t, record.Options{})
	for _, addr := range []string{"unix:" + filepath.Join(t.TempDir(), "q,,r") + ",server=on", "tcp:127.0.0.1:0"} {
		at, err := p.Listen(addr)
		require.NoError(t, err)
		for range 2 {
			c, err := qapi.Dial(t.Context(), at)
			require.NoError(t, err)
			session(t, c)
			c.Close()
		}
	}
	_, err := p.Listen("pipe:x")
	assert.EqualError(t, err, `record: listen: address "pipe:x": it is neither a unix: nor a tcp: address`)
}

// A player that is closed has nothing left to say.
func TestClosed(t *testing.T) {
	p := load(t, recording).Replay(record.Options{})
	require.ErrorContains(t, p.Close(), "7 of 7 recorded commands did not come", "nobody was there")
	require.NoError(t, load(t, recording).Replay(record.Options{Lenient: true}).Close())
	_, err := p.Listen("tcp:127.0.0.1:0")
	assert.ErrorIs(t, err, net.ErrClosed)
	_, err = p.Dial(t.Context())
	assert.Error(t, err)
}

// A function of the test's may end its goroutine, as t.FailNow does.
func TestAcceptGone(t *testing.T) {
	p := load(t, recording).Replay(record.Options{Accept: func(string, string, any, any) bool {
		new(testing.T).FailNow()
		return true
	}})
	conn, err := p.Dial(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	require.ErrorIs(t, conn.Execute(t.Context(), "device_del", map[string]string{"id": "no"}, nil), qmp.ErrClosed)
	require.ErrorContains(t, p.Close(), "Options.Accept ended its goroutine")
}

// wrong replays a session to f and returns what was wrong with f.
func wrong(t testing.TB, opts record.Options, f func(c *raw.Client)) string {
	t.Helper()
	p := load(t, recording).Replay(opts)
	conn, err := p.Dial(t.Context())
	require.NoError(t, err)
	f(raw.New(conn))
	conn.Close()
	if err := p.Close(); err != nil {
		return err.Error()
	}
	return ""
}

func TestStrict(t *testing.T) {
	ctx := t.Context()
	refused := func(err error) {
		t.Helper()
		assert.ErrorContains(t, err, "no such command here")
	}
	assert.Equal(t, "record: recording:5: command 2: 6 of 7 recorded commands did not come, the first of them:\n"+
		"\t"+`{"execute":"query-status"}`,
		wrong(t, record.Options{}, func(*raw.Client) {}))

	assert.Equal(t, "record: recording:5: command 2 was expected, and another command came:\n"+
		"\t"+`- {"execute":"query-status"}`+"\n"+
		"\t"+`+ {"execute":"cont"}`+"\n"+
		"\t"+`execute: recorded "query-status", came "cont"`,
		wrong(t, record.Options{}, func(c *raw.Client) {
			_, err := c.Execute(ctx, "cont", nil)
			refused(err)
			_, err = c.Execute(ctx, "query-status", nil) // the session is lost
			assert.ErrorIs(t, err, qmp.ErrClosed)
		}))
}

// toEject sends the recorded commands up to eject.
func toEject(t testing.TB, c *raw.Client) {
	t.Helper()
	for _, command := range []string{"query-status", "cont", "query-status"} {
		_, err := c.Execute(t.Context(), command, nil)
		require.NoError(t, err)
	}
	_, err := c.Execute(t.Context(), "set_password", map[string]any{"protocol": "vnc", "password": 5})
	require.ErrorContains(t, err, "no vnc")
}

func TestStrictArguments(t *testing.T) {
	said := wrong(t, record.Options{}, func(c *raw.Client) {
		toEject(t, c)
		_, err := c.Execute(t.Context(), "eject", map[string]any{"id": "<cd1>", "password": "hunter2"})
		assert.Error(t, err)
	})
	assert.Equal(t, "record: recording:14: command 6 was expected, and another command came:\n"+
		"\t"+`- {"execute":"eject","arguments":{"id":"cd0","force":true}}`+"\n"+
		"\t"+`+ {"execute":"eject","arguments":{"id":"<cd1>","password":"[redacted]"},"id":1}`+"\n"+ // a number, after an error without an id
		"\t"+`arguments.force: recorded true, came nothing`+"\n"+
		"\t"+`arguments.id: recorded "cd0", came "<cd1>"`+"\n"+
		"\t"+`arguments.password: recorded nothing, came "[redacted]"`, said)
}

func TestAccept(t *testing.T) {
	var asked []string
	accept := func(command, path string, recorded, came any) bool {
		asked = append(asked, command+" "+path)
		return recorded == "cd0" && came == "cd1" || came == nil
	}
	said := wrong(t, record.Options{Accept: accept}, func(c *raw.Client) {
		toEject(t, c)
		_, err := c.Execute(t.Context(), "eject", map[string]any{"id": "cd1"})
		assert.NoError(t, err)
		_, err = c.Execute(t.Context(), "quit", nil)
		assert.NoError(t, err)
		_, err = c.Execute(t.Context(), "quit", nil)
		assert.Error(t, err)
	})
	assert.Empty(t, said)
	assert.Equal(t, []string{"eject arguments.force", "eject arguments.id"}, asked)
}

func TestLenient(t *testing.T) {
	ctx := t.Context()
	said := wrong(t, record.Options{Lenient: true}, func(c *raw.Client) {
		events := c.Subscribe()
		_, err := c.Execute(ctx, "eject", map[string]any{"force": true, "id": "cd0"})
		require.NoError(t, err)
		e, err := events.Next(ctx)
		require.NoError(t, err)
		assert.Equal(t, "DEVICE_TRAY_MOVED", e.Name)
		for _, want := range []string{"prelaunch", "running", "running"} {
			reply, err := c.Execute(ctx, "query-status", nil)
			require.NoError(t, err)
			assert.Contains(t, string(reply), want)
		}
	})
	assert.Empty(t, said)
	said = wrong(t, record.Options{Lenient: true}, func(c *raw.Client) {
		_, err := c.Execute(ctx, "cont", nil)
		require.NoError(t, err)
		_, err = c.Execute(ctx, "cont", nil)
		require.Error(t, err)
	})
	assert.Equal(t, "record: recording:7: command 3 came more often than it was recorded:\n\t"+`{"execute":"cont"}`, said)
	said = wrong(t, record.Options{Lenient: true}, func(c *raw.Client) {
		_, err := c.Execute(ctx, "eject", map[string]any{"id": "cd0"})
		require.Error(t, err)
	})
	assert.Contains(t, said, "record: recording:14: command 6 is the closest to a command that was not recorded:\n")
	assert.Contains(t, said, "arguments.force: recorded true, came nothing")
	said = wrong(t, record.Options{Lenient: true}, func(c *raw.Client) {
		_, err := c.Execute(ctx, "stop", nil)
		require.Error(t, err)
	})
	assert.Equal(t, "record: recording: a command came that was not recorded:\n\t"+`{"execute":"stop"}`, said)
}

// Replies come in the recorded order, whatever the order of the commands.
func TestPipelined(t *testing.T) {
	const text = `{"format":"qmp-record","version":1,"start":"2026-11-23T02:44:18Z"}
{"us":1,"from":"client","message":{"execute":"a","id":1}}
{"us":2,"from":"client","message":{"exec-oob":"b","arguments":{"n":1.0},"id":2}}
{"us":3,"from":"server","message":{"event":"FIRST"}}
{"us":4,"from":"server","message":{"id":2,"return":{"x":["é\u00e9 <"]}}}
{"us":5,"from":"server","message":{"event":"SECOND"}}
{"us":6,"from":"server","message":{"return":1,"id":1}}
{"us":7,"from":"server","message":{"event":"THIRD"}}
{"us":8,"from":"client","message":{"execute":"c"}}
{"us":9,"from":"server","message":{"event":"FOURTH"}}
{"us":10,"from":"client","end":"closed"}
`
	// Without a greeting the server sends nothing else.
	p := load(t, text).Start(t, record.Options{})
	conn := p.Pipe()
	defer conn.Close()
	go io.WriteString(conn, `{"execute":"a","id":"α"}{"exec-oob":"b","arguments":{"n":1},"id":{"n": [1]}}{"execute":"c","arguments":{}}`)
	want := `{"event": "FIRST"}` + "\r\n" +
		`{"return": {"x": ["é\u00e9 <"]}, "id": {"n": [1]}}` + "\r\n" +
		`{"event": "SECOND"}` + "\r\n" +
		`{"return": 1, "id": "α"}` + "\r\n" +
		`{"event": "THIRD"}` + "\r\n" +
		`{"event": "FOURTH"}` + "\r\n"
	got := make([]byte, len(want))
	_, err := io.ReadFull(conn, got)
	require.NoError(t, err)
	assert.Equal(t, want, string(got))
}

func TestGarbageIsNotReplayedTo(t *testing.T) {
	p := load(t, recording).Replay(record.Options{})
	conn := p.Pipe()
	go io.Copy(io.Discard, conn)
	_, err := io.WriteString(conn, "garbage\n")
	require.NoError(t, err)
	conn.Close()
	assert.ErrorContains(t, p.Close(), "7 bytes came that are not a JSON object")

	// Unless the client did so before.
	const noisy = `{"format":"qmp-record","version":1,"start":"2026-11-23T02:44:18Z"}
{"us":1,"from":"server","message":{"QMP":{}}}
{"us":2,"from":"client","noise":7}
{"us":3,"from":"server","message":{"error":{"class":"GenericError","desc":"x"}}}
`
	conn = load(t, noisy).Start(t, record.Options{}).Pipe()
	defer conn.Close()
	go io.WriteString(conn, "garbage\n")
	want := `{"QMP": {}}` + "\r\n" + `{"error": {"class": "GenericError", "desc": "x"}}` + "\r\n"
	got := make([]byte, len(want))
	_, err = io.ReadFull(conn, got)
	require.NoError(t, err)
	assert.Equal(t, want, string(got))
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	header, _, _ := strings.Cut(recording, "\n")
	for _, c := range []struct{ text, want string }{
		{"", "recording: it is empty"},
		{"\n", "recording:1: the line is empty"},
		{`{"format":"x","version":1}`, `recording:1: this is not the header of a recording: its format is "x", not "qmp-record"`},
		{`{"format":"qmp-record","version":2}`, `recording:1: the version of the format is 2; this program only reads 1`},
		{`{"format":"qmp-rec`, `recording:1: the line is cut short`},
		{header + "\n\n", `recording:2: the line is empty`},
		{recording[:len(recording)-5], `recording:20: the line is cut short`},
		{recording + recording, `recording:21: another recording begins: a file can have only one`},
		{recording + `{"us":20,"from":"server","noise":1}`, `recording:21: the session has ended above`},
		{header + "\n" + `{"us":20,"from":"server","noise":1} 2`, `recording:2: something follows the object: "2"`},
		{header + "\n" + `{"us":20,"from":"nobody","noise":1}`, `recording:2: from is "nobody", neither "client" nor "server"`},
		{header + "\n" + `{"from":"server","noise":1}`, `recording:2: us, the time since the start, is missing or negative`},
		{header + "\n" + `{"us":20,"from":"server","noise":1,"end":"x"}`, `recording:2: it has 2 of the members message, noise and end; it must have one`},
		{header + "\n" + `{"us":20,"from":"server","x":1}`, `recording:2: this is not a line of a recording: json: unknown field "x"`},
		{header + "\n" + `{"us":20,"from":"server","message":[]}`, `recording:2: the message is not an object: []`},
		{header + "\n" + `{"us":20,"from":"client","message":7}`, `recording:2: the message is not an object: 7`},
	} {
		_, err := record.Load(strings.NewReader(c.text))
		assert.ErrorContains(t, err, "record: "+c.want, c.text)
	}
	path := filepath.Join(t.TempDir(), "vm.jsonl")
	require.NoError(t, os.WriteFile(path, []byte("{}\n"), 0o600))
	_, err := record.Open(path)
	assert.ErrorContains(t, err, "record: "+path+":1: this is not the header of a recording")
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	_, err = record.Load(f)
	assert.ErrorContains(t, err, path+":1:")
	_, err = record.Open(path + "x")
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = record.Load(io.MultiReader(strings.NewReader(header), brokenReader{}))
	assert.ErrorIs(t, err, errBroken)
}

var errBroken = errors.New("broken")

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errBroken }

// What can be loaded can be replayed, with any client.
func FuzzLoad(f *testing.F) {
	f.Add(recording, `{"execute":"qmp_capabilities"}{"execute":"eject","arguments":{"id":"cd0"}}`, true)
	f.Add(agentRecording, "\xff"+`{"execute":"guest-sync","arguments":{"id":1}}`, false)
	f.Fuzz(func(t *testing.T, text, said string, lenient bool) {
		s, err := record.Load(strings.NewReader(text))
		if err != nil {
			assert.Regexp(t, "^record: recording:", err)
			return
		}
		p := s.Replay(record.Options{Lenient: lenient})
		conn := p.Pipe()
		var heard bytes.Buffer
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(&heard, conn)
		}()
		_, _ = io.WriteString(conn, said) // it may hang up
		conn.Close()
		_ = p.Close() // it may be as recorded or not
		<-read
	})
}

// cancelled returns a context that has ended.
func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// Probes are not part of a session: each client sends its own, and those in the recording are left out.
func TestProbesAreNotReplayed(t *testing.T) {
	const text = `{"format":"qmp-record","version":1,"start":"2026-11-23T02:44:18Z"}
{"us":1,"from":"server","message":{"QMP":{}}}
{"us":2,"from":"client","message":{"execute":"qmp_capabilities"}}
{"us":3,"from":"server","message":{"return":{}}}
{"us":4,"from":"client","message":{"execute":"a"}}
{"us":5,"from":"client","message":{"execute":"qmp_capabilities","id":1}}
{"us":6,"from":"server","message":{"return":5}}
{"us":7,"from":"server","message":{"event":"E"}}
{"us":8,"from":"client","message":{"execute":"b","id":2}}
{"us":9,"from":"server","message":{"id":1,"error":{"class":"CommandNotFound","desc":"x"}}}
{"us":10,"from":"server","message":{"return":6,"id":2}}
`
	const negotiation, probe = `{"execute":"qmp_capabilities"}`, `{"execute":"qmp_capabilities","id":9}`
	const over = `{"error": {"class": "CommandNotFound", "desc": "the negotiation is over"}, "id": 9}` + "\r\n"
	for _, lenient := range []bool{false, true} {
		p := load(t, text).Start(t, record.Options{Lenient: lenient})
		conn := p.Pipe()
		defer conn.Close()
		go io.WriteString(conn, negotiation+probe+`{"execute":"a"}{"execute":"b"}`+probe)
		want := `{"QMP": {}}` + "\r\n" + `{"return": {}}` + "\r\n" + over +
			`{"return": 5}` + "\r\n" + `{"event": "E"}` + "\r\n" + `{"return": 6}` + "\r\n" + over
		got := make([]byte, len(want))
		_, err := io.ReadFull(conn, got)
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
	}
}

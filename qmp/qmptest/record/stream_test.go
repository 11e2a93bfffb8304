package record_test

import (
	"bytes"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest/record"
)

const agentRecording = `{"format":"qmp-record","version":1,"start":"2026-11-23T02:44:18Z"}
{"us":1,"from":"client","message":{"execute":"guest-sync-delimited","arguments":{"id":123},"id":123}}
{"us":2,"from":"server","message":{"return":{"stale":true}}}
{"us":3,"from":"server","message":{"return":123,"id":123}}
{"us":4,"from":"client","message":{"execute":"guest-ping"}}
{"us":5,"from":"server","message":{"return":{}}}
{"us":6,"from":"client","message":{"execute":"guest-sync","arguments":{"id":5}}}
{"us":7,"from":"server","message":{"return":5}}
{"us":8,"from":"client","message":{"execute":"guest-get-host-name","id":1}}
{"us":9,"from":"server","message":{"return":{"host-name":"h"},"id":1}}
{"us":10,"from":"client","message":{"execute":"guest-shutdown"}}
{"us":11,"from":"server","end":"EOF"}
`

// A scripted server sends one text after each text that it receives.
func scripted(t testing.TB, dialogue ...string) net.Conn {
	theirs, ours := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer ours.Close()
		for i, text := range dialogue {
			if i%2 == 0 {
				if _, err := io.ReadFull(ours, make([]byte, len(text))); err != nil {
					return
				}
			} else if _, err := io.WriteString(ours, text); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { ours.Close(); <-done })
	return theirs
}

// stable returns a recording with times that are always the same.
func stable(text string) string {
	text = regexp.MustCompile(`"us":\d+`).ReplaceAllString(text, `"us":0`)
	return regexp.MustCompile(`"start":"[^"]*Z"`).ReplaceAllString(text, `"start":""`)
}

func TestStream(t *testing.T) {
	const (
		heard  = ` {"execute" : "set_password", "arguments":{"password":"hunter2"}, "id":1}`
		answer = "{\r\n \"return\": {\r\n}, \"id\": 1}\r\nzounds!\r\n{\"event\": \"A <\\u00fc>\"}"
	)
	synctest.Test(t, func(t *testing.T) {
		var tape bytes.Buffer
		rw := record.Stream(scripted(t, "", `{"QMP": {}}`, heard, answer, "x", "{"), &tape)
		go io.WriteString(rw, heard+"x")
		said, err := io.ReadAll(rw)
		require.NoError(t, err)
		assert.Equal(t, `{"QMP": {}}`+answer+"{", string(said))
		require.NoError(t, rw.Close())
		synctest.Wait()
		lines := strings.Split(stable(tape.String()), "\n")
		assert.ElementsMatch(t, []string{ // the client does not wait: the order of some is not determined
			`{"format":"qmp-record","version":1,"start":""}`,
			`{"us":0,"from":"server","message":{"QMP":{}}}`,
			`{"us":0,"from":"client","message":{"execute":"set_password","arguments":{"password":"[redacted]"},"id":1}}`,
			`{"us":0,"from":"server","message":{"return":{},"id":1}}`,
			`{"us":0,"from":"server","noise":7}`,
			`{"us":0,"from":"server","message":{"event":"A <\u00fc>"}}`,
			`{"us":0,"from":"client","noise":1}`,
			`{"us":0,"from":"server","noise":1}`,
			`{"us":0,"from":"server","end":"EOF"}`,
			``,
		}, lines)
	})
}

// Secrets that only the name of the command shows.
func TestSecrets(t *testing.T) {
	for _, c := range []struct{ said, want string }{
		{`{"execute":"object-add","arguments":{"qom-type":"secret","id":"s","data":"hunter2"}}`,
			`{"execute":"object-add","arguments":{"qom-type":"secret","id":"s","data":"[redacted]"}}`},
		{`{"execute":"object-add","arguments":{"qom-type":"secret","id":"s","props":{"data":"hunter2","format":"raw"}}}`,
			`{"execute":"object-add","arguments":{"qom-type":"secret","id":"s","props":{"data":"[redacted]","format":"[redacted]"}}}`},
		{`{"execute":"change","arguments":{"device":"vnc","target":"password","arg":"hunter2"}}`,
			`{"execute":"change","arguments":{"device":"vnc","target":"password","arg":"[redacted]"}}`},
		{`{"execute":"change","arguments":{"target":"x","arg":"y"}}`, `{"execute":"change","arguments":{"target":"x","arg":"y"}}`},
		{`{"execute":"object-add"}`, `{"execute":"object-add"}`},
	} {
		var tape bytes.Buffer
		rw := record.Stream(scripted(t, c.said), &tape)
		_, err := io.WriteString(rw, c.said)
		require.NoError(t, err)
		assert.Contains(t, tape.String(), `"message":`+c.want+"}\n")
		assert.NotContains(t, tape.String(), "hunter2")
	}
	// What cannot be searched is left out.
	var tape bytes.Buffer
	const half = `{"password": "hunter2", "n": inf}`
	rw := record.Stream(scripted(t, half), &tape)
	_, err := io.WriteString(rw, half)
	require.NoError(t, err)
	assert.NotContains(t, tape.String(), "hunter2")
	assert.Contains(t, tape.String(), `"noise":33`)
}

// Which secrets a reply shows depends on its command, whatever comes between the two.
func TestSecretReplies(t *testing.T) {
	const get = `{"execute":"qom-get","arguments":{"path":"/objects/s0","property":"data"}`
	for name, c := range map[string]struct{ said, answer, want string }{
		"qom-get": {get + `}`, `{"return":"hunter2"}`, `{"return":"[redacted]"}`},
		"by id":   {`{"execute":"stop","id":1}` + get + `,"id":2}`, `{"return":{},"id":1}{"return": "hunter2", "id": 2}`, `{"return":"[redacted]","id":2}`},
		"overtaken": {get + `,"id":"a"}{"exec-oob":"x","id":"b"}`, `{"return":1,"id":"b"}{"return":"hunter2","id":"a"}`,
			`{"return":1,"id":"b"}` + "}\n" + `{"us":0,"from":"server","message":{"return":"[redacted]","id":"a"}`},
		"after one without a reply": {`{"execute":"guest-shutdown"}` + get + `}`, `{"return":"hunter2"}`, `{"return":"[redacted]"}`},
		"answered twice":            {get + `}`, `{"return":1}{"return":"hunter2"}`, `{"return":"[redacted]"}`},
		"and the next":              {get + `}{"execute":"x"}`, `{"return":"hunter2"}{"return":2}`, `{"return":2}`},
		"HMP": {`{"execute":"human-monitor-command","arguments":{"command-line":"change vnc password hunter2"}}`,
			`{"return":"unknown command: 'change vnc password hunter2'"}`, `{"return":"[redacted]"}`},
		"error": {`{"execute":"guest-set-user-password","arguments":{"password":"hunter2"},"id":1}`,
			`{"error":{"class":"GenericError","desc":"no: hunter2"},"id":1}`, `{"error":{"class":"GenericError","desc":"no: [redacted]"},"id":1}`},
		"error without an id": {`{"execute":"x","arguments":{"password":"hunter2"},"id":1}`,
			`{"error":{"class":"GenericError","desc":"JSON parse error at hunter2"}}`, `{"error":{"class":"GenericError","desc":"JSON parse error at [redacted]"}}`},
		"base64": {`{"execute":"guest-file-read","arguments":{"handle":1}}`, `{"return":{"count":7,"buf-b64":"aHVudGVyMg==","eof":true}}`,
			`{"return":{"count":7,"buf-b64":"W3JlZGFjdGVkXQ==","eof":true}}`},
	} {
		var tape bytes.Buffer
		rw := record.Stream(scripted(t, c.said, c.answer), &tape)
		_, err := io.WriteString(rw, c.said)
		require.NoError(t, err, name)
		_, err = io.ReadAll(rw)
		require.NoError(t, err, name)
		assert.Contains(t, stable(tape.String()), `"message":`+c.want+"}\n", name)
		assert.NotContains(t, tape.String(), "hunter2", name)
	}
}

// A recording that cannot be written does not end the session.
func TestFullDisk(t *testing.T) {
	r, w := io.Pipe()
	r.CloseWithError(errBroken)
	p := load(t, recording).Start(t, record.Options{})
	recorded := record.Stream(p.Pipe(), w)
	conn, err := qmp.NewConn(t.Context(), recorded)
	require.NoError(t, err)
	session(t, qapi.NewClient(conn))
	assert.ErrorIs(t, recorded.Close(), errBroken)
}

// A session that is recorded while it is replayed is recorded as it was.
func TestRecordAgain(t *testing.T) {
	var again bytes.Buffer
	p := load(t, recording).Start(t, record.Options{})
	recorded := record.Conn(p.Pipe(), &again)
	conn, err := qmp.NewConn(t.Context(), recorded)
	require.NoError(t, err)
	session(t, qapi.NewClient(conn))
	require.NoError(t, recorded.Close())
	want := regexp.MustCompile(`,?"id":7,?`).ReplaceAllString(stable(recording), "") // the client's own
	// An event may be read after the next command was given.
	got := regexp.MustCompile(`,"id":[0-9]+`).ReplaceAllString(stable(again.String()), "")
	assert.ElementsMatch(t, strings.Split(want, "\n"), strings.Split(got, "\n"))
}

func TestAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := load(t, agentRecording).Replay(record.Options{})
		conn, err := p.DialAgent(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.Execute(t.Context(), "guest-ping", nil, nil))
		var name struct {
			HostName string `json:"host-name"`
		}
		require.NoError(t, conn.Execute(t.Context(), "guest-get-host-name", nil, &name))
		assert.Equal(t, "h", name.HostName)
		var n int
		require.NoError(t, conn.Execute(t.Context(), "guest-sync", map[string]int{"id": 77}, &n))
		assert.Equal(t, 77, n)
		require.NoError(t, conn.ExecuteNoReply(t.Context(), "guest-shutdown", nil))
		require.NoError(t, p.Close())
	})
}

func TestServe(t *testing.T) {
	p := load(t, recording).Start(t, record.Options{})
	target, err := p.Listen("unix:" + filepath.Join(t.TempDir(), "q"))
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var tape bytes.Buffer
	served := make(chan error)
	go func() { served <- record.Serve(t.Context(), l, target+",server=on", &tape) }()
	c, err := qapi.Dial(t.Context(), "tcp:"+l.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	session(t, c)
	require.NoError(t, <-served)
	assert.Equal(t, strings.Count(recording, "\n"), strings.Count(tape.String(), "\n"))
	load(t, tape.String())
}

func TestServeEnds(t *testing.T) {
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		return l
	}
	err := record.Serve(cancelled(), listen(), "tcp:127.0.0.1:1", io.Discard)
	assert.ErrorContains(t, err, "wait for a client: context canceled")

	for _, target := range []string{"unix:" + filepath.Join(t.TempDir(), "none"), "tcp:127.0.0.1:0"} {
		l := listen()
		go func() {
			if conn, err := net.Dial("tcp", l.Addr().String()); err == nil {
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 1)) // until it is hung up
			}
		}()
		err := record.Serve(t.Context(), l, target, io.Discard)
		assert.ErrorContains(t, err, "record: connect to ")
		assert.ErrorContains(t, err, target)
	}
	l := listen()
	err = record.Serve(t.Context(), l, "fd:7", io.Discard)
	assert.EqualError(t, err, `record: connect: address "fd:7": it is neither a unix: nor a tcp: address`, "nobody has to come first")
	_, err = l.Accept()
	assert.ErrorIs(t, err, net.ErrClosed)
}

// Whatever both sides send, the recording can be loaded, and is replayed as it was.
func FuzzStream(f *testing.F) {
	f.Add(`{"execute":"a"}`, `{"QMP":{}}{"return":1}`, "\xff{")
	f.Add(`{"execute":"guest-sync","arguments":{"id":7}}`, `{"return":7}`, `{}{"a":inf}{"a":{"a":1,"a":2}}`)
	f.Fuzz(func(t *testing.T, first, second, third string) {
		var tape bytes.Buffer
		rw := record.Stream(said{strings.NewReader(second)}, &tape)
		for _, text := range []string{first, third} {
			_, _ = io.WriteString(rw, text)
			_, _ = rw.Read(make([]byte, len(second)))
		}
		require.NoError(t, rw.Close())
		_, err := record.Load(&tape)
		require.NoError(t, err)
	})
}

// A said is a server that has sent something, and reads nothing.
type said struct{ io.Reader }

func (said) Write(b []byte) (int, error) { return len(b), nil }
func (said) Close() error                { return nil }

package shell

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/qmp/qmptest/record"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/devices"
	"github.com/goqapi/goqapi/schema/qemu"
)

var newest = sync.OnceValue(func() *schema.Schema {
	s, err := qemu.Load("11.1", qemu.QMP)
	if err != nil {
		panic(err)
	}
	return s
})

// options returns options for a session with a server, with lines as its input.
func options(t *testing.T, srv *qmptest.Server, input string) Options {
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	list, err := qemu.Devices("11.1")
	require.NoError(t, err)
	return Options{
		Client: qapi.NewClient(conn), Name: "vm", In: strings.NewReader(input),
		Match: matcher, Create: create,
		Release: newest(), Devices: func() []*devices.List { return []*devices.List{list} },
	}
}

// matcher reads EVENT or EVENT:device=VALUE.
func matcher(text string) (func(qmp.Event) bool, error) {
	if text == "nonsense" {
		return nil, exit.Usagef("nonsense")
	}
	name, condition, _ := strings.Cut(text, ":")
	value := strings.TrimPrefix(condition, "device=")
	return func(e qmp.Event) bool { return e.Name == name && strings.Contains(string(e.Data), value) }, nil
}

func create(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

// run runs a session, and returns its standard output, without times, and its standard error.
func run(t *testing.T, o Options) (out, errOut string, err error) {
	var stdout, stderr bytes.Buffer
	o.Out, o.Err = term.New(&stdout, os.Getenv), &stderr
	err = Run(t.Context(), o)
	return timestamps.ReplaceAllString(stdout.String(), ""), stderr.String(), err
}

var timestamps = regexp.MustCompile(`"timestamp":\{[^}]*\},?`)

func TestLines(t *testing.T) {
	const notFound = `{"error":{"class":"DeviceNotFound","desc":"Device 'x' not found"}}`
	for _, test := range []struct {
		name, input, want, errOut string
		code                      int
	}{
		{"nothing", "", "", "", exit.OK},
		{"a command", "query-name\n", `{"return":{}}`, "", exit.OK},
		{"no line end", "query-name", `{"return":{}}`, "", exit.OK},
		{"blank lines and comments", "\n  \n# nothing\nquery-name\n", `{"return":{}}`, "", exit.OK},
		{"events come before the reply", "cont\nstop\n", `{"event":"RESUME"}` + "\n" + `{"return":{}}` + "\n" + `{"event":"STOP"}` + "\n" + `{"return":{}}`, "", exit.OK},
		{"events can be left out", ":events off\ncont\n", `{"return":{}}`, "", exit.OK},
		{"typed arguments", "blockdev-add driver=null-co node-name=d1 size=1M\ndevice_add driver=scsi-cd id=cd1 bus=scsi0.0 lun=2\n", `{"return":{}}` + "\n" + `{"return":{}}`, "", exit.OK},
		{"a refusal", "device_del id=x\nquery-name\n", notFound + "\n" + `{"return":{}}`, "qapi: line 1: DeviceNotFound: Device 'x' not found\n", exit.Failed},
		{"a mistake", "eject idd=x\n", `{"error":{"desc":"eject does not have idd: did you mean id?"}}`, "qapi: line 1: eject does not have idd: did you mean id?\n", exit.Usage},
		{"the last failure counts", "device_del id=x\n:wait\n", notFound + "\n" + `{"error":{"desc":"usage: :wait EVENT[:MEMBER=VALUE,…] [TIME]"}}`, "qapi: line 1: DeviceNotFound: Device 'x' not found\nqapi: line 2: usage: :wait EVENT[:MEMBER=VALUE,…] [TIME]\n", exit.Usage},
		{"a message", `{"execute": "query-name", "id": [1]}` + "\n", `{"return":{},"id":[1]}`, "", exit.OK},
		{"a message of several lines", "{\n\"execute\":\n\"query-name\"\n}\nquery-name", `{"return":{}}` + "\n" + `{"return":{}}`, "", exit.OK},
		{"a refused message", `{"execute":"device_del","arguments":{"id":"x"},"id":1}`, `{"id":1,"error":{"class":"DeviceNotFound","desc":"Device 'x' not found"}}`, "", exit.Failed},
		{"not a message", "{1}\n", "", "", exit.Usage},
		{"a message that does not end", "{\"execute\":\n", "", "", exit.OK},
		{"an unknown command", "query-nam\n", `{"error":{"class":"CommandNotFound","desc":"The command query-nam has not been found"}}`, "qapi: line 1: CommandNotFound: The command query-nam has not been found; did you mean query-name?\n", exit.Failed},
		{"a quote that does not end", "eject id='x\n", `{"error":{"desc":"a quote does not end"}}`, "qapi: line 1: a quote does not end\n", exit.Usage},
		{"the end", ":quit\nquery-name\n", "", "", exit.OK},
		{"QEMU's end", "quit\n", `{"event":"SHUTDOWN","data":{"guest":false,"reason":"host-qmp-quit"}}` + "\n" + `{"return":{}}`, "", exit.OK},
		{"nobody to type", "set_password protocol=vnc password=-\n", "", "", exit.Usage},
		{"unknown to the shell", ":nosuch\n", `{"error":{"desc":":nosuch is not known; :help lists the commands"}}`, "qapi: line 1: :nosuch is not known; :help lists the commands\n", exit.Usage},
		{"no descriptions", ":describe x\n", `{"error":{"desc":"there are no descriptions here"}}`, "qapi: line 1: there are no descriptions here\n", exit.Usage},
		{"escape sequences", "qom-get path=/machine property=\x1b[31m\n", "", "", exit.Failed},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, errOut, err := run(t, options(t, qmptest.Start(t), test.input))
			assert.Equal(t, test.code, exit.Code(err), "%v", err)
			if test.want != "" || test.code == exit.OK {
				assert.Equal(t, test.want, strings.TrimSuffix(out, "\n"))
			}
			if test.errOut != "" || test.code == exit.OK && test.name != "QEMU's end" {
				assert.Equal(t, test.errOut, errOut)
			}
			assert.NotContains(t, out+errOut, "\x1b")
		})
	}
}

func TestTransaction(t *testing.T) {
	srv := qmptest.Start(t)
	out, errOut, err := run(t, options(t, srv, `blockdev-add driver=null-co node-name=d
:end
:cancel
:transaction
:transaction
:end
block-dirty-bitmap-add node=d name=b0
{"execute":"stop"}
query-name
block-dirty-bitmap-add node=d name=b1 granularity=64K
:end
:transaction
abort
:cancel
:end
`))
	assert.Equal(t, exit.Usage, exit.Code(err))
	assert.Equal(t, 2, strings.Count(out, `{"return":{}}`), "%s", out)
	assert.Equal(t, `qapi: line 2: there is no transaction; :transaction begins one
qapi: line 3: there is no transaction; :transaction begins one
qapi: line 5: a transaction is being collected already; :end executes it, :cancel forgets it
qapi: line 6: the transaction has no commands yet; :cancel forgets it
qapi: line 8: a message cannot be in a transaction: write the command in words, or type :cancel
qapi: line 9: query-name cannot be in a transaction
qapi: line 15: there is no transaction; :transaction begins one
`, errOut)
	calls := srv.Calls()
	last := calls[len(calls)-1]
	assert.Equal(t, "transaction", last.Command)
	assert.JSONEq(t, `{"actions":[{"type":"block-dirty-bitmap-add","data":{"node":"d","name":"b0"}},
		{"type":"block-dirty-bitmap-add","data":{"node":"d","name":"b1","granularity":65536}}]}`, string(last.Arguments))
}

// An event that came since the last command is not missed, whenever :wait is typed.
func TestWait(t *testing.T) {
	srv := qmptest.Start(t)
	out, errOut, err := run(t, options(t, srv, `cont
:wait RESUME
stop
:wait STOP 10s
device_add driver=scsi-cd id=cd1 bus=scsi0.0
device_del id=cd1
:wait DEVICE_DELETED:device=cd1 10s
:wait DEVICE_DELETED:device=other 10ms
`))
	assert.Equal(t, exit.Timeout, exit.Code(err))
	assert.Equal(t, "qapi: line 8: DEVICE_DELETED:device=other did not come within 10ms\n", errOut)
	assert.Contains(t, out, `"device":"cd1"`)
	for _, line := range []string{":wait nonsense", ":wait STOP soon", ":wait STOP -1s"} {
		_, _, err := run(t, options(t, qmptest.Start(t), line))
		assert.Equal(t, exit.Usage, exit.Code(err), line)
	}
}

// A lost connection ends the session, with the exit code for what happened to the command.
func TestLost(t *testing.T) {
	srv := qmptest.Start(t)
	in, typed := io.Pipe()
	shown, out := io.Pipe()
	defer typed.Close()
	o := options(t, srv, "")
	o.In, o.Out, o.Err = in, term.New(out, os.Getenv), io.Discard
	ended := make(chan error, 1)
	go func() { ended <- Run(t.Context(), o) }()
	_, err := io.WriteString(typed, "query-name\n")
	require.NoError(t, err)
	_, err = shown.Read(make([]byte, 100))
	require.NoError(t, err)
	srv.Cut()
	err = <-ended
	assert.Equal(t, exit.NoConnection, exit.Code(err))
	assert.ErrorIs(t, err, qmp.ErrClosed)
}

// Recordings do not contain secrets, and can be replayed.
func TestRecording(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session")
	srv := qmptest.Start(t)
	srv.Reply("human-monitor-command", "hunter5")
	_, errOut, err := run(t, options(t, srv, `object-add qom-type=secret id=s0 data=hunter0
:record `+path+`
object-add qom-type=secret id=s1 data=hunter1
{"execute":"object-add","arguments":{"qom-type":"secret","id":"s2","data":"hunter2"}}
set_password protocol=vnc password=hunter3
human-monitor-command command-line="object_add secret,id=s3,data=hunter4"
cont
stop
device_del id=x
`))
	assert.Equal(t, exit.Failed, exit.Code(err), errOut)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "hunter")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())

	session, err := record.Open(path)
	require.NoError(t, err)
	player := session.Start(t, record.Options{Lenient: true})
	conn, err := player.Dial(t.Context())
	require.NoError(t, err)
	c := qapi.NewClient(conn)
	require.NoError(t, c.Cont(t.Context()))
	require.NoError(t, c.Stop(t.Context()))
	assert.True(t, qapi.IsNotFound(c.DeviceDel(t.Context(), qapi.DeviceDelArgs{ID: "x"})))
	require.NoError(t, conn.Close())
}

// A refusal that quotes a secret is shown without it.
func TestSecretsInErrors(t *testing.T) {
	srv := qmptest.Start(t)
	srv.Fail("set_password", qmp.ClassGenericError, "hunter1 is too short")
	out, errOut, err := run(t, options(t, srv, `set_password protocol=vnc password=hunter1
{"execute":"set_password","arguments":{"protocol":"vnc","password":"hunter1"}}
`))
	assert.Equal(t, exit.Failed, exit.Code(err))
	assert.Equal(t, 2, strings.Count(out, "[redacted] is too short"), out)
	assert.NotContains(t, out+errOut, "hunter")
}

// A recording that cannot be written is an error, but does not end the session.
func TestRecordingFails(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "no", "file"), "/dev/null"} {
		out, _, err := run(t, options(t, qmptest.Start(t), ":record "+path+"\nquery-name\n:record off\n"))
		assert.Equal(t, exit.Failed, exit.Code(err))
		assert.Contains(t, out, `{"return":{}}`)
	}
}

// If a server does not report its interface, that of its release is used.
func TestWithoutIntrospection(t *testing.T) {
	srv := qmptest.Start(t)
	srv.Fail("query-qmp-schema", qmp.ClassGenericError, "no")
	out, _, err := run(t, options(t, srv, "eject id=cd0 force=on\n"))
	require.NoError(t, err)
	assert.Contains(t, out, `{"return":{}}`)
}

// Commands of a fork are sent as they are.
func TestFork(t *testing.T) {
	srv := qmptest.Start(t, qmptest.WithoutMachine())
	srv.Handle("query-qmp-schema", func(context.Context, *qmptest.Request) (any, error) {
		return []map[string]any{
			{"name": "fork-it", "meta-type": "command", "arg-type": "1", "ret-type": "2"},
			{"name": "1", "meta-type": "object", "members": []map[string]any{{"name": "n", "type": "int"}}},
			{"name": "2", "meta-type": "object", "members": []map[string]any{}},
			{"name": "int", "meta-type": "builtin", "json-type": "int"},
		}, nil
	})
	o := options(t, srv, "fork-it n=x\nfork-it n=1K\nfork-secret n=1\n")
	_, errOut, err := run(t, o)
	assert.Equal(t, exit.Failed, exit.Code(err))
	assert.Contains(t, errOut, "line 1: n")
	assert.Contains(t, errOut, "line 2: CommandNotFound")
	assert.Contains(t, errOut, "line 3: CommandNotFound")
	var sent []string
	for _, c := range srv.Calls() {
		sent = append(sent, c.Command+string(c.Arguments))
	}
	assert.Subset(t, sent, []string{`fork-it{"n":1024}`, `fork-secret{"n":"1"}`})
}

// The error for a command that only other releases have names them; for a command that cannot be in
// a transaction, it does not.
func TestCommandOfOtherReleases(t *testing.T) {
	_, errOut, err := run(t, options(t, qmptest.Start(t, qmptest.Release("5.2")), "query-stats target=vm\n"))
	assert.Equal(t, exit.Failed, exit.Code(err))
	assert.Contains(t, errOut, "query-stats has not been found; it is in QEMU 7.1 and later\n")
	_, errOut, _ = run(t, options(t, qmptest.Start(t), ":transaction\nquery-stats target=vm\n"))
	assert.Contains(t, errOut, "query-stats cannot be in a transaction\n")
}

// Another program's notes are shown, a line at a time.
func TestNotes(t *testing.T) {
	n := &Notes{Name: "qemu"}
	_, _ = n.Write([]byte("qemu: warning: a\nb"))
	o := options(t, qmptest.Start(t), ":help\n")
	o.Notes = n
	_, errOut, err := run(t, o)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(errOut, "qemu: warning: a\n"), errOut)
	assert.Contains(t, errOut, ":transaction")
	_, _ = n.Write(bytes.Repeat([]byte("x"), 10*mostNotes))
	assert.LessOrEqual(t, len(n.rest), mostNotes)
	var shown []string
	n.to(func(s string) { shown = append(shown, s) })
	assert.Len(t, shown, 1)
}

// When its context ends, the session ends, even if nothing is typed.
func TestInterrupted(t *testing.T) {
	o := options(t, qmptest.Start(t), "")
	in, typed := io.Pipe()
	defer typed.Close()
	o.In, o.Out, o.Err = in, term.New(io.Discard, os.Getenv), io.Discard
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- Run(ctx, o) }()
	_, err := io.WriteString(typed, "query-name\n:wait NEVER\n")
	require.NoError(t, err)
	cancel()
	select {
	case err := <-ended:
		assert.Equal(t, exit.Interrupted, exit.Code(err))
	case <-time.After(time.Minute):
		t.Fatal("the session goes on")
	}
}

package release

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/internal/wiretest"
	"github.com/goqapi/goqapi/schema/qemu"
)

func TestNearest(t *testing.T) {
	for version, want := range map[string]string{
		"2.11": "5.2", "5.2": "5.2", "6.1": "6.1", "10.2": "10.2", "11.0": "10.2", "99.0": Newest(),
	} {
		assert.Equal(t, want, Nearest(version), version)
	}
	_, err := Load("11.0", qemu.QMP)
	assert.ErrorContains(t, err, `there is no schema of QEMU "11.0"; there are those of 5.2,`)
}

func TestReplies(t *testing.T) {
	for _, c := range []struct{ release, command, reply, want string }{
		{"11.1", "query-name", `{}`, ""},
		{"11.1", "query-name", `{"name":"x"}`, ""},
		{"11.1", "query-name", `{"nam":"x"}`, "'nam' is unknown"},
		{"11.1", "query-name", `[]`, "it is a list, not an object"},
		{"11.1", "query-status", `{"status":"asleep","running":true}`,
			`'status' is "asleep", which is not one of the 16 values of RunState`},
		{"11.1", "query-status", `{"running":1}`,
			"'running' is the number 1, not a boolean; 'status' is missing"},
		{"11.1", "query-status", `{"status":"running","running":true,"singlestep":false}`, "'singlestep' is unknown"},
		{"11.1", "query-block", `{}`, "it is an object, not a list"},
		{"11.1", "query-block", `[{"device":"a","type":"","removable":true,"locked":false},7]`,
			"'[1]' is the number 7, not an object"},
		{"11.1", "query-jobs", `[{"id":"j","type":"create","status":"running","current-progress":1.5,"total-progress":9223372036854775808}]`,
			"'[0].current-progress' is 1.5, not an integer; '[0].total-progress' is 9223372036854775808, not between -9223372036854775808 and 9223372036854775807"},
		{"11.1", "query-vnc-servers", `[{"id":"a","server":[],"clients":[],"auth":"nope"}]`,
			`'[0].auth' is "nope", which is not one of the 9 values of VncPrimaryAuth`},
		{"11.1", "stop", `{}`, ""},
		{"11.1", "stop", `{"a":1}`, "'a' is unknown"},
		{"11.1", "qom-get", `[1,{}]`, ""},
		{"5.2", "query-status", `{"status":"running","running":true}`, "'singlestep' is missing"},
		{"7.2", "query-sgx", `{"sgx":true,"sgx1":1,"sgx2":2,"flc":3,"sections":4,"a":5,"b":6,"c":7}`,
			"'sgx1' is the number 1, not a boolean; 'sgx2' is the number 2, not a boolean; 'flc' is the number 3, not a boolean; " +
				"'section-size' is missing; 'sections' is the number 4, not a list; and 3 more"},
	} {
		r := loadQMP(t, c.release)
		_, err := r.Reply(r.Command(c.command), Value{JSON: []byte(c.reply)})
		if c.want == "" {
			assert.NoError(t, err, "%s %s", c.command, c.reply)
		} else {
			assert.EqualError(t, err, c.want, "%s %s", c.command, c.reply)
		}
	}
}

// Members that a release does not have are left out of values of the bindings.
func TestTypedValuesAreCut(t *testing.T) {
	for _, c := range []struct{ release, command, typed, want string }{
		{"5.2", "query-status", `{"status":"running","running":true,"singlestep":false}`, `{"running":true,"singlestep":false,"status":"running"}`},
		{"11.1", "query-status", `{"status":"running","running":true,"singlestep":false}`, `{"status":"running","running":true}`},
		{"11.1", "query-status", `{"status":"running","running":true,"singlestep":true}`, `'singlestep' is not there in QEMU 11.1`},
		{"5.2", "query-iothreads", `[{"id":"a","thread-id":1,"poll-max-ns":0,"poll-grow":0,"poll-shrink":0,"aio-max-batch":0}]`,
			`[{"id":"a","poll-grow":0,"poll-max-ns":0,"poll-shrink":0,"thread-id":1}]`},
		{"5.2", "query-block-jobs", `[{"type":"mirror","device":"j","len":1,"offset":1,"busy":false,"paused":false,"speed":0,"io-status":"ok",` +
			`"ready":true,"status":"ready","auto-finalize":true,"auto-dismiss":true,"actively-synced":false}]`,
			`[{"type":"mirror","device":"j","len":1,"offset":1,"busy":false,"paused":false,"speed":0,"io-status":"ok",` +
				`"ready":true,"status":"ready","auto-finalize":true,"auto-dismiss":true}]`},
		{"7.2", "query-iothreads", `[{"id":"a","thread-id":1,"poll-max-ns":0,"poll-grow":0,"poll-shrink":0,"aio-max-batch":0,"poll-weight":0}]`,
			`[{"aio-max-batch":0,"id":"a","poll-grow":0,"poll-max-ns":0,"poll-shrink":0,"thread-id":1}]`},
		{"5.2", "query-iothreads", `[{"id":"a","thread-id":1,"poll-max-ns":0,"poll-grow":0,"poll-shrink":0,"aio-max-batch":1}]`,
			`'[0].aio-max-batch' is not there in QEMU 5.2`},
	} {
		r := loadQMP(t, c.release)
		got, err := r.Reply(r.Command(c.command), Value{[]byte(c.typed), true})
		if err != nil {
			assert.EqualError(t, err, c.want)
			continue
		}
		assert.JSONEq(t, c.want, string(got), "%s %s", c.release, c.command)
	}
}

func TestEvents(t *testing.T) {
	r := loadQMP(t, "10.0")
	text, err := r.Data(r.Event("STOP"), Value{})
	require.NoError(t, err)
	assert.Nil(t, text)
	_, err = r.Data(r.Event("RESET"), Value{})
	assert.EqualError(t, err, "'guest' is missing; 'reason' is missing")
	_, err = r.Data(r.Event("RESET"), Value{JSON: []byte(`{"guest":true,"reason":"host-qmp-quit"}`)})
	assert.NoError(t, err)
	assert.Nil(t, r.Event("NOPE"))
	assert.Nil(t, r.Command("STOP"), "it is not a command")
	assert.Error(t, r.CheckClass("Nope"))
	assert.NoError(t, r.CheckClass("KVMMissingCap"))
}

// The replies and events of real servers fit the schemas.
func TestCapturesFit(t *testing.T) {
	for _, name := range []string{"7.2", "10.0"} {
		r := loadQMP(t, name)
		files, err := filepath.Glob(filepath.Join(corpus.Path(t, "captures", name, "query"), "*.json"))
		require.NoError(t, err)
		fit := 0
		for _, file := range files {
			command, _, _ := strings.Cut(filepath.Base(file), ".")
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var m wiretest.Message
			require.NoError(t, json.Unmarshal(text, &m))
			if def := r.Command(command); assert.NotNil(t, def, command) && m.Return != nil {
				_, err := r.Reply(def, Value{JSON: m.Return})
				assert.NoError(t, err, file)
				fit++
			}
		}
		assert.Greater(t, fit, 70, "replies")

		var events map[string]struct{ Sample wiretest.Message }
		require.NoError(t, json.Unmarshal([]byte(corpus.Read(t, "captures", name, "events.json")), &events))
		for event, e := range events {
			if def := r.Event(event); assert.NotNil(t, def, event) {
				_, err := r.Data(def, Value{JSON: e.Sample.Data})
				assert.NoError(t, err, event)
			}
		}
		assert.Greater(t, len(events), 30)
	}
}

// A guest agent's interface can be loaded and checked, too.
func TestAgentsCapturesFit(t *testing.T) {
	for _, name := range []string{"7.2", "10.0"} {
		r, err := Load(name, qemu.QGA)
		require.NoError(t, err)
		files, err := filepath.Glob(filepath.Join(corpus.Path(t, "captures", name), "qga-*.json"))
		require.NoError(t, err)
		fit := 0
		for _, file := range files {
			command := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "qga-"), ".json")
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var m wiretest.Message
			require.NoError(t, json.Unmarshal(text, &m))
			if def := r.Command(command); def != nil && m.Return != nil {
				_, err := r.Reply(def, Value{JSON: m.Return})
				assert.NoError(t, err, file)
				fit++
			}
		}
		assert.Greater(t, fit, 12)
	}
}

// Arguments that QEMU's documentation shows in examples are accepted. The rest of the
// examples are those of TestQEMURefuses in package qmptest.
func TestDocumentedArgumentsAreTaken(t *testing.T) {
	r := loadQMP(t, "10.0")
	taken := 0
	for line := range strings.Lines(corpus.Read(t, "examples", "10.0.jsonl")) {
		var e struct {
			Kind, Target, Command string
			SchemaOK              bool `json:"schema_ok"`
			Message               wiretest.Message
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			require.ErrorAs(t, err, new(*json.UnmarshalTypeError)) // an example that is not a message
			continue
		}
		if e.Kind != "execute" || e.Target != "qmp" || !e.SchemaOK {
			continue
		}
		if def := r.Command(e.Command); def != nil {
			assert.Empty(t, r.Refuse(def, e.Message.Arguments), line)
			taken++
		}
	}
	assert.Greater(t, taken, 150)
}

func FuzzRefuse(f *testing.F) {
	r := loadQMP(f, "11.1")
	f.Add("blockdev-add", []byte(`{"driver":"quorum","children":[{"driver":"null-co"},7,"x",null]}`))
	f.Add("device_add", []byte(`{"driver":1}`))
	f.Add("migrate", []byte(`{"channels":[{"channel-type":"main","addr":{"transport":"socket","type":"inet"}}]}`))
	f.Add("input-send-event", []byte(`{"events":[{"type":"abs","data":{"axis":"x","value":1e400}}]}`))
	f.Fuzz(func(t *testing.T, command string, args []byte) {
		if def := r.Command(command); def != nil && json.Valid(args) {
			r.Refuse(def, args)
			_, _ = r.Reply(def, Value{args, true}) // it must not panic
		}
	})
}

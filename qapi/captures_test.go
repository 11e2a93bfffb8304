package qapi_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/internal/wiretest"
	"github.com/goqapi/goqapi/qapi"
)

// capturedReleases are the releases whose replies were recorded: with -short only the newest.
func capturedReleases() []string {
	if testing.Short() {
		return []string{"10.0"}
	}
	return []string{"7.2", "10.0"}
}

// TestCaptures decodes everything recorded from real servers, and encodes it again:
// every leaf is kept.
func TestCaptures(t *testing.T) {
	for _, release := range capturedReleases() {
		t.Run(release, func(t *testing.T) {
			c := wiretest.NewChecker(loadBindings(t))
			dir := corpus.Path(t, "captures", release)
			replies, err := filepath.Glob(filepath.Join(dir, "query", "*.json"))
			require.NoError(t, err)
			top, err := filepath.Glob(filepath.Join(dir, "q*.json"))
			require.NoError(t, err)
			for _, path := range append(replies, top...) {
				name := strings.TrimPrefix(filepath.Base(path), "qsd-")
				if strings.HasPrefix(name, "qga-") || name == "greeting.json" {
					continue
				}
				name, _, _ = strings.Cut(name, ".")
				text, err := os.ReadFile(path)
				require.NoError(t, err)
				var m wiretest.Message
				require.NoError(t, json.Unmarshal(text, &m), path)
				if m.Return != nil {
					c.Reply(t, name, m.Return)
				}
			}
			dialogues, err := filepath.Glob(filepath.Join(dir, "events", "*.log"))
			require.NoError(t, err)
			for _, path := range append(dialogues, filepath.Join(dir, "session.log")) {
				c.Dialogue(t, path)
			}
			samples(t, c, filepath.Join(dir, "events.json"))
			t.Logf("%d replies, %d requests, %d events", c.Replies, c.Requests, c.Seen)
			assert.Greater(t, c.Replies, 100)
			assert.Greater(t, c.Seen, 100)
			assert.Empty(t, c.Unknown)
		})
	}
}

// TestCapturesByReflection decodes the replies of real servers in two ways: in calls, with
// generated code, and by reflection. Both give the same value.
func TestCapturesByReflection(t *testing.T) {
	methods := loadBindings(t).Commands
	compared := 0
	for _, release := range capturedReleases() {
		dir := corpus.Path(t, "captures", release)
		replies, err := filepath.Glob(filepath.Join(dir, "query", "*.json"))
		require.NoError(t, err)
		for _, path := range append(replies, filepath.Join(dir, "query-qmp-schema.json")) {
			name, _, _ := strings.Cut(filepath.Base(path), ".")
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			var m wiretest.Message
			require.NoError(t, json.Unmarshal(text, &m), path)
			method := methods[name]
			if m.Return == nil || method.Result == nil || method.Args == reflect.TypeFor[qapi.StatsFilter]() { // a union: its zero value cannot be sent
				continue
			}
			want := reflect.New(method.Result)
			require.NoError(t, jsonv2.Unmarshal(m.Return, want.Interface()), path)
			got := call(t, answering(t, `{"return": `+string(bytes.TrimSpace(m.Return))+"}"), method)
			if !reflect.DeepEqual(want.Elem().Interface(), got) { // cmp is much slower, and only used to show the difference
				require.Empty(t, cmp.Diff(want.Elem().Interface(), got, cmpopts.EquateEmpty()), path)
			}
			compared++
		}
	}
	assert.Greater(t, compared, 60*len(capturedReleases()))
}

// call calls a method of a client that succeeds, with zero for its arguments, and returns the result.
func call(t *testing.T, c *qapi.Client, m wiretest.Method) any {
	t.Helper()
	method := reflect.ValueOf(c).MethodByName(m.Name)
	in := []reflect.Value{reflect.ValueOf(t.Context())}
	if m.Args != nil {
		in = append(in, reflect.Zero(m.Args))
	}
	out := method.Call(in)
	require.Nil(t, out[1].Interface(), m.Name)
	return out[0].Interface()
}

// TestExamples does the same as TestCaptures with the examples in QEMU's documentation that
// are JSON and fit its schema, including requests.
func TestExamples(t *testing.T) {
	f, err := os.Open(corpus.Path(t, "examples", "10.0.jsonl"))
	require.NoError(t, err)
	defer f.Close()
	c := wiretest.NewChecker(loadBindings(t))
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var example struct {
			Module         string
			Line           int
			Kind           string
			Valid          bool
			SchemaOK       bool `json:"schema_ok"`
			Message        wiretest.Message
			Command, Event string
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &example))
		if !example.Valid || !example.SchemaOK {
			continue
		}
		t.Run(fmt.Sprintf("%s:%d", example.Module, example.Line), func(t *testing.T) {
			switch example.Kind {
			case "execute", "exec-oob":
				c.Request(t, example.Command, example.Message.Arguments)
			case "return":
				c.Reply(t, example.Command, example.Message.Return)
			case "event":
				c.EventData(t, example.Event, example.Message.Data)
			}
		})
	}
	require.NoError(t, lines.Err())
	t.Logf("%d replies, %d requests, %d events", c.Replies, c.Requests, c.Seen)
	assert.Greater(t, c.Requests, 100)
	assert.Empty(t, c.Unknown)
}

// samples checks one event of each kind that was provoked.
func samples(t *testing.T, c *wiretest.Checker, path string) {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var kinds map[string]struct{ Sample wiretest.Message }
	require.NoError(t, json.Unmarshal(text, &kinds))
	for name, kind := range kinds {
		c.EventData(t, name, kind.Sample.Data)
	}
}

package qapi_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/wiretest"
	"github.com/goqapi/goqapi/schema"
)

// A message is any message of the protocol.
type message struct {
	Execute   string          `json:"execute"`
	ExecOOB   string          `json:"exec-oob"`
	Arguments json.RawMessage `json:"arguments"`
	Return    json.RawMessage `json:"return"`
	Error     json.RawMessage `json:"error"`
	Event     string          `json:"event"`
	Data      json.RawMessage `json:"data"`
}

// A checker sends real messages through the bindings and notes what they do
// not know.
type checker struct {
	bindings
	replies, requests, events int
	unknown                   map[string]bool // "command/path/*/member"
}

func newChecker(t *testing.T) *checker {
	return &checker{bindings: loadBindings(t), unknown: map[string]bool{}}
}

var index = regexp.MustCompile(`/\d+(/|$)`)

func (c *checker) note(what string, paths []string) {
	for _, path := range paths {
		c.unknown[what+index.ReplaceAllString(path, "/*$1")] = true
	}
}

// request checks the arguments of a command that the server accepted.
func (c *checker) request(t *testing.T, name string, args json.RawMessage) {
	t.Helper()
	def := c.command(name)
	if def == nil {
		c.unknown["command "+name] = true
		return
	}
	if def.Args == nil || args == nil {
		return
	}
	m := c.commands[name]
	require.NotNil(t, m.Args, "%s takes arguments", name)
	c.requests++
	if !def.Gen { // takes more than the schema knows
		wiretest.RoundTripAll(t, m.Args, args)
		return
	}
	c.note(name+" arguments ", wiretest.RoundTrip(t, def.Args, m.Args, args))
}

func (c *checker) reply(t *testing.T, name string, result json.RawMessage) {
	t.Helper()
	def := c.command(name)
	if def == nil {
		c.unknown["command "+name] = true
		return
	}
	if def.Returns == nil {
		return
	}
	c.replies++
	c.note(name+" ", wiretest.RoundTrip(t, def.Returns, c.commands[name].Result, result))
}

func (c *checker) eventData(t *testing.T, name string, data json.RawMessage) {
	t.Helper()
	def := c.event(name)
	if def == nil {
		c.unknown["event "+name] = true
		return
	}
	if data == nil {
		data = json.RawMessage("{}")
	}
	of := def.Data
	if of == nil {
		of = &schema.Struct{}
	}
	c.events++
	c.note(name+" ", wiretest.RoundTrip(t, of, c.bindings.events[name], data))
}

// dialogue checks a recorded session, in lines of "C: message" and "S: message".
func (c *checker) dialogue(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var pending []message
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		side, text, ok := strings.Cut(lines.Text(), ": ")
		var m message
		if !ok || json.Unmarshal([]byte(text), &m) != nil {
			if side == "S" && strings.HasPrefix(text, `{"return"`) && len(pending) > 0 {
				pending = pending[1:] // the log shortens long replies, which are in files
			}
			continue
		}
		if m.Execute == "" {
			m.Execute = m.ExecOOB
		}
		switch {
		case side == "C" && m.Execute != "":
			pending = append(pending, m)
		case side != "S":
		case m.Event != "":
			c.eventData(t, m.Event, m.Data)
		case (m.Return != nil || m.Error != nil) && len(pending) > 0:
			asked := pending[0]
			pending = pending[1:]
			if m.Return != nil {
				c.request(t, asked.Execute, asked.Arguments)
				c.reply(t, asked.Execute, m.Return)
			}
		}
	}
	require.NoError(t, lines.Err())
}

// TestCaptures decodes all that real servers were heard to say, and encodes it
// again: every leaf that the schema knows is kept. What it does not know is in
// testdata/unknown.txt, since the captures come from older releases.
func TestCaptures(t *testing.T) {
	unknown := map[string]bool{}
	for _, release := range []string{"7.2", "10.0"} {
		t.Run(release, func(t *testing.T) {
			c := newChecker(t)
			dir := wiretest.Data(t, "captures", release)
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
				var m message
				require.NoError(t, json.Unmarshal(text, &m), path)
				if m.Return != nil {
					c.reply(t, name, m.Return)
				}
			}
			dialogues, err := filepath.Glob(filepath.Join(dir, "events", "*.log"))
			require.NoError(t, err)
			for _, path := range append(dialogues, filepath.Join(dir, "session.log")) {
				c.dialogue(t, path)
			}
			c.samples(t, filepath.Join(dir, "events.json"))
			t.Logf("%d replies, %d requests, %d events", c.replies, c.requests, c.events)
			assert.Greater(t, c.replies, 100)
			assert.Greater(t, c.events, 100)
			for path := range c.unknown {
				unknown[release+" "+path] = true
			}
		})
	}
	if t.Failed() || len(unknown) == 0 {
		return
	}
	golden(t, "testdata/unknown.txt", unknown)
}

// samples checks one event of each kind that was provoked.
func (c *checker) samples(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var kinds map[string]struct{ Sample message }
	require.NoError(t, json.Unmarshal(text, &kinds))
	for name, kind := range kinds {
		c.eventData(t, name, kind.Sample.Data)
	}
}

// TestExamples does the same with the examples in QEMU's documentation that
// are JSON and fit its schema, requests among them.
func TestExamples(t *testing.T) {
	f, err := os.Open(wiretest.Data(t, "examples", "10.0.jsonl"))
	require.NoError(t, err)
	defer f.Close()
	c := newChecker(t)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var example struct {
			Module         string
			Line           int
			Kind           string
			Valid          bool
			SchemaOK       bool `json:"schema_ok"`
			Message        message
			Command, Event string
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &example))
		if !example.Valid || !example.SchemaOK {
			continue
		}
		t.Run(fmt.Sprintf("%s:%d", example.Module, example.Line), func(t *testing.T) {
			switch example.Kind {
			case "execute", "exec-oob":
				c.request(t, example.Command, example.Message.Arguments)
			case "return":
				c.reply(t, example.Command, example.Message.Return)
			case "event":
				c.eventData(t, example.Event, example.Message.Data)
			}
		})
	}
	require.NoError(t, lines.Err())
	t.Logf("%d replies, %d requests, %d events", c.replies, c.requests, c.events)
	assert.Greater(t, c.requests, 100)
	golden(t, "testdata/unknown-examples.txt", c.unknown)
}

// golden compares a set of lines with a file. With UPDATE=1 it writes the file.
func golden(t *testing.T, path string, lines map[string]bool) {
	t.Helper()
	got := strings.Join(slices.Sorted(maps.Keys(lines)), "\n") + "\n"
	if os.Getenv("UPDATE") == "1" {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o666))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "UPDATE=1 writes %s anew", path)
}

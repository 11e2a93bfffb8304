package wiretest

import (
	"bufio"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema"
)

// A Message is any message of the protocol.
type Message struct {
	Execute   string          `json:"execute"`
	ExecOOB   string          `json:"exec-oob"`
	Arguments json.RawMessage `json:"arguments"`
	Return    json.RawMessage `json:"return"`
	Error     json.RawMessage `json:"error"`
	Event     string          `json:"event"`
	Data      json.RawMessage `json:"data"`
}

// A Checker sends real messages through bindings and notes what these do not know.
type Checker struct {
	Bindings
	Replies, Requests, Seen int             // how many were checked; events are Seen
	Unknown                 map[string]bool // "command/path/*/member"
}

// NewChecker returns a checker for bindings.
func NewChecker(b Bindings) *Checker { return &Checker{Bindings: b, Unknown: map[string]bool{}} }

var index = regexp.MustCompile(`/\d+(/|$)`)

func (c *Checker) note(what string, paths []string) {
	for _, path := range paths {
		c.Unknown[what+index.ReplaceAllString(path, "/*$1")] = true
	}
}

// Request checks the arguments of a command that the server accepted.
func (c *Checker) Request(t testing.TB, name string, args json.RawMessage) {
	t.Helper()
	def := c.Command(name)
	if def == nil {
		c.Unknown["command "+name] = true
		return
	}
	if def.Args == nil || args == nil {
		return
	}
	m := c.Commands[name]
	require.NotNil(t, m.Args, "%s takes arguments", name)
	c.Requests++
	if !def.Gen { // takes more than the schema knows
		RoundTripAll(t, m.Args, args)
		return
	}
	_, unknown := RoundTrip(t, def.Args, m.Args, args)
	c.note(name+" arguments ", unknown)
}

// Reply checks what a command returned.
func (c *Checker) Reply(t testing.TB, name string, result json.RawMessage) {
	t.Helper()
	def := c.Command(name)
	if def == nil {
		c.Unknown["command "+name] = true
		return
	}
	if def.Returns == nil {
		return
	}
	c.Replies++
	_, unknown := RoundTrip(t, def.Returns, c.Commands[name].Result, result)
	c.note(name+" ", unknown)
}

// EventData checks the data of an event, which may be nil.
func (c *Checker) EventData(t testing.TB, name string, data json.RawMessage) {
	t.Helper()
	def := c.Event(name)
	if def == nil {
		c.Unknown["event "+name] = true
		return
	}
	if data == nil {
		data = json.RawMessage("{}")
	}
	of := def.Data
	if of == nil {
		of = &schema.Struct{}
	}
	c.Seen++
	_, unknown := RoundTrip(t, of, c.Bindings.Events[name], data)
	c.note(name+" ", unknown)
}

// Dialogue checks a recorded session, in lines of "C: message" and "S: message".
func (c *Checker) Dialogue(t testing.TB, path string) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var pending []Message
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		side, text, ok := strings.Cut(lines.Text(), ": ")
		var m Message
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
			c.EventData(t, m.Event, m.Data)
		case (m.Return != nil || m.Error != nil) && len(pending) > 0:
			asked := pending[0]
			pending = pending[1:]
			if m.Return != nil {
				c.Request(t, asked.Execute, asked.Arguments)
				c.Reply(t, asked.Execute, m.Return)
			}
		}
	}
	require.NoError(t, lines.Err())
}

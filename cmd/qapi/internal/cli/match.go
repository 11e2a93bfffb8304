package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/internal/edits"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/schema"
)

// A matcher says which events a user asked for, such as DEVICE_DELETED:device=disk0.
type matcher struct {
	event string // "": any
	tests []test
}

// A test is that a member has a value, as text.
type test struct {
	path  []string
	value string
}

// parseMatcher reads EVENT[:MEMBER=VALUE,…].
func parseMatcher(text string) (matcher, error) {
	event, rest, hasTests := strings.Cut(text, ":")
	m := matcher{event: event}
	if event == "" {
		return m, exit.Usagef("%q does not begin with the name of an event", text)
	}
	if !hasTests {
		return m, nil
	}
	for part := range strings.SplitSeq(rest, ",") {
		t, err := parseTest(part)
		if err != nil {
			return m, err
		}
		m.tests = append(m.tests, t)
	}
	return m, nil
}

// parseTest reads MEMBER=VALUE.
func parseTest(text string) (test, error) {
	path, value, ok := strings.Cut(text, "=")
	if !ok || path == "" {
		return test{}, exit.Usagef("%q is not a test of a member, such as device=disk0", text)
	}
	return test{strings.Split(path, "."), value}, nil
}

// check returns an error for an event or a member that seems to be misspelt. A name that
// is not similar to a known one may be from a fork.
func (m matcher) check(s *schema.Schema) error {
	if _, ok := s.Lookup(m.event).(*schema.Event); !ok {
		var names []string
		for _, e := range s.Events() {
			names = append(names, e.Name)
		}
		if near := edits.Nearest(strings.ToUpper(m.event), names); near != "" {
			return exit.Usagef("there is no event %s: did you mean %s?", m.event, near)
		}
		return nil
	}
	for _, t := range m.tests {
		path := "event " + m.event + "/" + strings.Join(t.path, "/")
		if err := s.CheckPath(path); err != nil {
			return exit.With(exit.Usage, cmp.Or(errors.Unwrap(err), err)) // without the path, which the user did not write
		}
	}
	return nil
}

// matches reports whether the user asked for an event.
func (m matcher) matches(e qmp.Event) bool {
	if m.event != "" && m.event != e.Name {
		return false
	}
	if len(m.tests) == 0 {
		return true
	}
	var data any
	dec := json.NewDecoder(strings.NewReader(string(e.Data)))
	dec.UseNumber()
	if dec.Decode(&data) != nil {
		return false
	}
	for _, t := range m.tests {
		if !t.holds(data) {
			return false
		}
	}
	return true
}

// holds reports whether a value has the member with its value.
func (t test) holds(data any) bool {
	for _, name := range t.path {
		object, ok := data.(map[string]any)
		if !ok {
			return false
		}
		if data, ok = object[name]; !ok {
			return false
		}
	}
	return fmt.Sprint(data) == t.value
}

// names returns the event to subscribe to, or nil for all.
func (m matcher) names() []string {
	if m.event == "" {
		return nil
	}
	return []string{m.event}
}

// await returns the first event that matches.
func (m matcher) await(ctx context.Context, events *qmp.Subscription) (qmp.Event, error) {
	for {
		e, err := events.Next(ctx)
		if _, lost := errors.AsType[*qmp.OverflowError](err); lost {
			continue // only events of this name are in the queue, and the next one may be the right one
		}
		if err != nil && ctx.Err() != nil {
			err = ctx.Err() // without repeating the name
		}
		if err != nil {
			return e, fmt.Errorf("wait for %s: %w", m.event, err)
		}
		if m.matches(e) {
			return e, nil
		}
	}
}

// An eventLine is an event as it is printed.
type eventLine struct {
	VM    string          `json:"vm,omitempty"`
	Time  string          `json:"time,omitempty"`
	Event string          `json:"event"`
	Data  json.RawMessage `json:"data,omitempty"`
}

package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goqapi/goqapi/internal/redact"
)

// parseMessage takes a message apart: its value without the id, and the id, compact.
// Empty arguments are none.
func parseMessage(text []byte) (value map[string]any, id string, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&value); err != nil {
		return nil, "", fmt.Errorf("the message is no object: %w", err)
	}
	if value == nil {
		return nil, "", errors.New("the message is no object but null")
	}
	if v, there := value["id"]; there {
		id = printed(v)
		delete(value, "id")
	}
	if args, is := value["arguments"].(map[string]any); is && len(args) == 0 {
		delete(value, "arguments")
	}
	return value, id, nil
}

// negotiates reports whether a command ends the negotiation. Behind that it does
// nothing, and a client may give it for its reply's sake.
func negotiates(message map[string]any) bool { return nameOf(message) == negotiation }

const negotiation = "qmp_capabilities"

// nameOf is the name of a command; "" if it has none.
func nameOf(message map[string]any) string {
	name, _ := message["execute"].(string)
	return name
}

// syncNumber is what a client synchronises with an agent by.
func syncNumber(message map[string]any) (number any, is bool) {
	if name := message["execute"]; name != "guest-sync" && name != "guest-sync-delimited" {
		return nil, false
	}
	args, _ := message["arguments"].(map[string]any)
	number, is = args["id"].(json.Number)
	return number, is
}

// delimited reports whether the answer to a synchronisation has a byte of its own.
func delimited(message map[string]any) bool { return message["execute"] == "guest-sync-delimited" }

// A difference is one between two values, and where it is.
type difference struct {
	path           string
	recorded, came any // absent: there is nothing
}

type nothing struct{}

var absent any = nothing{}

func (d difference) String() string {
	what := func(v any) string {
		if v == absent {
			return "nothing"
		}
		return printed(v)
	}
	return fmt.Sprintf("%s: recorded %s, came %s", d.path, what(d.recorded), what(d.came))
}

// A comparison finds the differences between two values.
type comparison struct {
	accept func(path string, recorded, came any) bool
	found  []difference
}

func (c *comparison) values(path string, recorded, came any) {
	if text, is := recorded.(string); is && redact.IsWord(text) && came != absent {
		return
	}
	switch r := recorded.(type) {
	case map[string]any:
		if k, ok := came.(map[string]any); ok {
			c.objects(path, r, k)
			return
		}
	case []any:
		if k, ok := came.([]any); ok {
			for i := range max(len(r), len(k)) {
				c.values(path+"["+strconv.Itoa(i)+"]", at(r, i), at(k, i))
			}
			return
		}
	default:
		if sameScalar(recorded, came) {
			return
		}
	}
	if c.accept == nil || !c.accept(path, recorded, came) {
		c.found = append(c.found, difference{path, recorded, came})
	}
}

func (c *comparison) objects(path string, recorded, came map[string]any) {
	all := maps.Clone(recorded)
	maps.Copy(all, came)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		r, ok := recorded[name]
		if !ok {
			r = absent
		}
		k, ok := came[name]
		if !ok {
			k = absent
		}
		below := name
		if path != "" {
			below = path + "." + name
		}
		c.values(below, r, k)
	}
}

func at(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return absent
}

// sameScalar reports whether two values are the same; numbers by their value.
func sameScalar(a, b any) bool {
	switch b.(type) {
	case map[string]any, []any:
		return false // they cannot be compared with ==
	}
	if a == b {
		return true
	}
	m, ok := a.(json.Number)
	n, also := b.(json.Number)
	if !ok || !also || !strings.ContainsAny(m.String()+n.String(), ".eE") {
		return false // integers have one spelling
	}
	x, err := m.Float64()
	y, alsoErr := n.Float64()
	return err == nil && alsoErr == nil && x == y
}

// printed is the compact text of a value that was parsed.
func printed(v any) string {
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v) // a number that is none
	}
	return strings.TrimSuffix(out.String(), "\n")
}

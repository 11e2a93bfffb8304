package record

import (
	"encoding/json"
	"fmt"

	"github.com/goqapi/goqapi/internal/jsondiff"
)

// parseMessage takes a message apart: its value without the id, and the id, compact.
// Empty arguments are none.
func parseMessage(text []byte) (value map[string]any, id string, err error) {
	v, err := jsondiff.Parse(text)
	if err != nil {
		return nil, "", fmt.Errorf("the message is not JSON: %w", err)
	}
	value, ok := v.(map[string]any)
	if !ok {
		return nil, "", fmt.Errorf("the message is not an object: %.40s", text)
	}
	if v, there := value["id"]; there {
		id = jsondiff.Text(v)
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

// shown returns a difference as text.
func shown(d jsondiff.Difference) string {
	return fmt.Sprintf("%s: recorded %s, came %s", d.Path, jsondiff.Text(d.Want), jsondiff.Text(d.Got))
}

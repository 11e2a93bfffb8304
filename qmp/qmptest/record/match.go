package record

import (
	"encoding/json"
	"fmt"

	"github.com/goqapi/goqapi/internal/jsondiff"
)

// parseMessage returns a message without its id, and the id as compact JSON. It removes empty
// arguments.
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

// negotiates reports whether a command ends the negotiation. Later it does nothing, and a client may
// issue it only to get a reply.
func negotiates(message map[string]any) bool { return nameOf(message) == negotiation }

const negotiation = "qmp_capabilities"

// nameOf returns the name of a command; "" if it has none.
func nameOf(message map[string]any) string {
	name, _ := message["execute"].(string)
	return name
}

// syncNumber returns the number in a synchronisation with an agent.
func syncNumber(message map[string]any) (number any, is bool) {
	if name := message["execute"]; name != "guest-sync" && name != "guest-sync-delimited" {
		return nil, false
	}
	args, _ := message["arguments"].(map[string]any)
	number, is = args["id"].(json.Number)
	return number, is
}

// delimited reports whether the answer to a synchronisation begins with the byte resync.
func delimited(message map[string]any) bool { return message["execute"] == "guest-sync-delimited" }

// shown returns a difference as text.
func shown(d jsondiff.Difference) string {
	return fmt.Sprintf("%s: recorded %s, came %s", d.Path, jsondiff.Text(d.Want), jsondiff.Text(d.Got))
}

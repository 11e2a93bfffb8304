package arguments

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/internal/redact"
)

// A SecretError is the error of a secret in an argument of a process.
type SecretError struct{ Name string }

func (e *SecretError) Error() string {
	return fmt.Sprintf("%s is a secret, and other users can see arguments: use %s=@FILE or %s=-", e.Name, e.Name, e.Name)
}

// notSecret are members that logs leave out because they often contain a secret, although
// that is not their purpose: command lines, what is typed into a guest, and data for it.
var notSecret = []string{
	"command-line", "arg", "args", "env", "cpr-exec-command", "guestfwd",
	"keys", "key", "input-data", "out-data", "err-data", "buf-b64",
}

// refuseSecrets returns an error if the part from the command line contains a secret.
func (w *Words) refuseSecrets() error {
	var arguments any
	if w.whole != nil {
		_ = unmarshal(w.whole, &arguments)
	} else {
		arguments = w.root.visible()
	}
	message, err := json.Marshal(map[string]any{"execute": w.command, "arguments": arguments})
	if err != nil {
		return err
	}
	var hidden struct{ Arguments any }
	if err := unmarshal(redact.JSON(message), &hidden); err != nil {
		return err
	}
	if name := firstSecret(arguments, hidden.Arguments); len(name) > 0 {
		return &SecretError{strings.Join(name, ".")}
	}
	return nil
}

func unmarshal(text []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return dec.Decode(into)
}

// visible returns the part of a node that other users can see on the command line, as a
// value for encoding/json. Text stays text, since secrets are recognised by their names.
func (n *node) visible() any {
	switch {
	case n.members != nil:
		object := map[string]any{}
		for name, m := range n.members {
			object[name] = m.visible()
		}
		return object
	case n.json != nil:
		return json.RawMessage(n.json)
	case n.private:
		return nil
	}
	return n.text
}

// firstSecret returns the path of a value that hidden lacks, or nil.
func firstSecret(shown, hidden any) []string {
	if raw, ok := shown.(json.RawMessage); ok {
		shown = nil
		_ = unmarshal(raw, &shown)
	}
	switch shown := shown.(type) {
	case nil:
		return nil
	case map[string]any:
		object, _ := hidden.(map[string]any)
		names := []string{}
		for name := range shown {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			at := firstSecret(shown[name], object[name])
			if len(at) > 0 && !isContent(name, shown) {
				return join(name, at)
			}
		}
	case []any:
		list, _ := hidden.([]any)
		for i, v := range shown {
			if i >= len(list) {
				return []string{""}
			}
			if at := firstSecret(v, list[i]); len(at) > 0 {
				return join(fmt.Sprint(i), at)
			}
		}
	default:
		if s, ok := shown.(string); ok && strings.HasPrefix(s, "exec:") && !strings.Contains(s, "://") {
			return nil // a command line
		}
		if fmt.Sprint(shown) != fmt.Sprint(hidden) {
			return []string{""}
		}
	}
	return nil
}

// join adds a name to the front of a path, whose last name may be empty.
func join(name string, path []string) []string {
	if path[0] == "" {
		return []string{name}
	}
	return append([]string{name}, path...)
}

// isContent reports whether a member of an object is in notSecret there.
func isContent(name string, object map[string]any) bool {
	switch name {
	case "arg": // the member of guest-exec, which also has a path; the arg of change may be a password
		return object["path"] != nil
	case "data": // of ringbuf-write
		return object["device"] != nil
	}
	return slices.Contains(notSecret, name)
}

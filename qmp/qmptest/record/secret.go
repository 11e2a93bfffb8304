package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/redact"
)

// blotted is what stands for a secret.
var blotted = json.RawMessage(redact.Blot)

// withoutSecrets is a message, compact and without its secrets; false if it cannot
// be searched for them.
func withoutSecrets(text []byte) ([]byte, bool) {
	text = bytes.ToValidUTF8(text, []byte("\ufffd"))
	if !jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true)) {
		return nil, false
	}
	text = redact.JSON(text)
	var command struct {
		Execute string `json:"execute"`
	}
	if json.Unmarshal(text, &command) == nil && secretive[command.Execute] != nil {
		text = blotArguments(text, secretive[command.Execute])
	}
	return text, true
}

// A members is an object whose values are left alone.
type members map[string]json.RawMessage

// is reports whether a member is one of some strings.
func (m members) is(name string, among ...string) bool {
	var s string
	return json.Unmarshal(m[name], &s) == nil && slices.Contains(among, s)
}

// secretive are the commands up to QEMU 5.2 whose secrets have no member of a telling
// name. What is called for the arguments reports whether it has changed them.
var secretive = map[string]func(args members) bool{
	"object-add": func(args members) bool {
		var props members
		if !args.is("qom-type", "secret") || json.Unmarshal(args["props"], &props) != nil || props["data"] == nil {
			return false
		}
		props["data"] = blotted
		args["props"] = object(props)
		return true
	},
	"change": func(args members) bool {
		if !args.is("target", "password", "passwd") { // of the VNC server
			return false
		}
		args["arg"] = blotted
		return true
	},
}

// blotArguments applies blot to the arguments of a command.
func blotArguments(text []byte, blot func(members) bool) []byte {
	var command, args members
	if json.Unmarshal(text, &command) != nil || json.Unmarshal(command["arguments"], &args) != nil ||
		args == nil || !blot(args) {
		return text
	}
	command["arguments"] = object(args)
	return object(command)
}

// object is the text of an object: first what QEMU, or who reads it, wants first.
func object(m members) []byte {
	out := []byte{'{'}
	add := func(name string) {
		if value, ok := m[name]; ok {
			if len(out) > 1 {
				out = append(out, ',')
			}
			out = fmt.Appendf(out, "%s:%s", printed(name), value)
		}
	}
	first := []string{"return", "execute", "arguments"}
	for _, name := range append(first, slices.Sorted(maps.Keys(m))...) {
		add(name)
		delete(m, name)
	}
	return append(out, '}')
}

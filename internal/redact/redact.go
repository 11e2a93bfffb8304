// Package redact blots secrets out of JSON that people will read: the strings
// that unions print as, and logs.
package redact

import (
	"bytes"
	"errors"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Blot stands where a secret was.
const Blot = `"[redacted]"`

// secrets are the members that hold a secret, with the reason. Members that
// only name a secret object, such as key-secret, are none.
var secrets = []struct {
	member string
	// beside, if set, is a string member that the same object must have for
	// the first to be a secret, and among are the values that make it one.
	beside string
	among  []string
	reason string
}{
	{"password", "", nil, "set_password, change-vnc-password and guest-set-user-password carry it"},
	{"data", "qom-type", []string{"secret"}, "object-add gives the content of a secret object in it"},
	{"props", "qom-type", []string{"secret"}, "that of QEMU 5.2 gives it in there"},
	{"arg", "target", []string{"password", "passwd"}, "change, up to QEMU 5.2, sets the VNC server's password so"},
	{"value", "property", []string{"data", "password"}, "qom-set can give such a property"},
	{"secret", "", nil, "sev-inject-launch-secret carries it"},
	{"input-data", "", nil, "guest-exec gives it to a program that may ask for a password"},
	{"command-line", "", nil, "human-monitor-command passes on set_password, change and object_add"},
}

// JSON returns the text of a JSON value without its secrets. What is not JSON
// is left out, since it cannot be told what it holds.
func JSON(text []byte) []byte {
	if !bytes.ContainsRune(text, '{') {
		return text
	}
	out, err := value(nil, text)
	if err != nil {
		return []byte(Blot)
	}
	return out
}

// value appends a value without its secrets.
func value(out []byte, v jsontext.Value) ([]byte, error) {
	switch v.Kind() {
	case '{':
		members, err := split(v)
		if err != nil {
			return out, err
		}
		return object(out, members)
	case '[':
		elems, err := split(v)
		if err != nil {
			return out, err
		}
		out = append(out, '[')
		for i, elem := range elems {
			if i > 0 {
				out = append(out, ',')
			}
			if out, err = value(out, elem); err != nil {
				return out, err
			}
		}
		return append(out, ']'), nil
	}
	return append(out, v...), nil
}

// object appends an object of which names and values are given in turn.
func object(out []byte, members []jsontext.Value) ([]byte, error) {
	var err error
	out = append(out, '{')
	for i := 0; i < len(members); i += 2 {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, members[i]...), ':')
		if isSecret(members, members[i]) {
			out = append(out, Blot...)
		} else if out, err = value(out, members[i+1]); err != nil {
			return out, err
		}
	}
	return append(out, '}'), nil
}

// isSecret reports whether the member of that name, in quotes, is a secret.
func isSecret(members []jsontext.Value, name jsontext.Value) bool {
	for _, s := range secrets {
		if unquote(name) != s.member {
			continue
		}
		if s.beside == "" {
			return true
		}
		for i := 0; i < len(members); i += 2 {
			if unquote(members[i]) == s.beside && slices.Contains(s.among, unquote(members[i+1])) {
				return true
			}
		}
	}
	return false
}

func unquote(v jsontext.Value) string {
	if v.Kind() != '"' {
		return ""
	}
	text, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		return ""
	}
	return string(text)
}

// split returns the elements of an array, or the names and values of an
// object in turn.
func split(v jsontext.Value) ([]jsontext.Value, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(v), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	var parts []jsontext.Value
	for {
		switch dec.PeekKind() {
		case '}', ']':
			if v.Kind() == '{' && len(parts)%2 != 0 {
				return nil, errors.New("a name without a value")
			}
			return parts, nil
		}
		part, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		parts = append(parts, part.Clone())
	}
}

package cmdline

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/internal/redact"
)

var errNUL = errors.New("it contains a NUL, which no argument can contain")

// encode returns a value as JSON, for the command line of a process: without a NUL, and
// without a secret.
func encode(value any) ([]byte, error) {
	text, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return nil, reason(err)
	}
	return text, check(text)
}

// reason returns an error of the JSON module without its text for the place.
func reason(err error) error {
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok && semantic.Err != nil {
		return semantic.Err
	}
	return err
}

// check returns an error for JSON that may not be on a command line.
func check(text []byte) error {
	plain := jsontext.NewDecoder(bytes.NewReader(text))
	clean := jsontext.NewDecoder(bytes.NewReader(redact.JSON(text)))
	for plain.InputOffset() < int64(len(text)) {
		a, err := plain.ReadToken()
		if err != nil {
			return err
		}
		b, err := clean.ReadToken()
		if err != nil {
			return err
		}
		path := strings.ReplaceAll(strings.TrimPrefix(string(plain.StackPointer()), "/"), "/", ".")
		switch {
		case a.Kind() == '"' && strings.ContainsRune(a.String(), 0):
			return fmt.Errorf("%s: %w", place(path), errNUL)
		case a.String() == b.String(), a.Kind() == 't', a.Kind() == 'f', isPublic(path, text):
		default:
			return fmt.Errorf("%s is or contains a secret, and all users of the host can read a command line: let a secret object "+
				"read it from a file, or from /dev/fd/N, and name that object; or add this over QMP when QEMU runs", place(path))
		}
	}
	return nil
}

// place returns the path of a member as it is written in errors.
func place(path string) string {
	if path == "" {
		return "the text"
	}
	return "'" + printable.String(path) + "'"
}

// isPublic reports whether a member of an object may be on a command line although it is
// not for logs.
func isPublic(path string, object []byte) bool {
	if name, _, _ := strings.Cut(path, "."); name == "guestfwd" {
		return true // its value is a command, whose own command line all users can read as well
	}
	if path != "data" {
		return false
	}
	var secret struct {
		Keyid string `json:"keyid"` // the id of the secret with the key of the encrypted data
	}
	return json.Unmarshal(object, &secret) == nil && secret.Keyid != ""
}

// checkText is like check, for a word of [Text]; option is the option before it.
func checkText(option, word string) error {
	if strings.ContainsRune(word, 0) {
		return errNUL
	}
	if name, value, both := strings.Cut(word, "="); both && strings.HasPrefix(word, "--") && !strings.Contains(name, ",") {
		option, word = name, value
	}
	if strings.HasPrefix(word, "{") {
		if !jsontext.Value(word).IsValid() {
			return errors.New("it begins like JSON but is not JSON, so secrets in it would not be found")
		}
		return check(bytes.TrimRight([]byte(word), " \t\r\n"))
	}
	if strings.HasPrefix(word, "json:") { // the name of an image: its commas do not separate options
		return checkMembers(map[string]any{"filename": word})
	}
	members := map[string]any{}
	for i, p := range split(word) {
		object := strings.TrimLeft(option, "-") == "object" || option == "" && p.value == "secret" // -object may be in another Text before this one
		switch {
		case i == 0 && p.key == "" && object:
			p.key = "qom-type"
		case strings.Contains(p.key, "://"): // a URL with a query
			p = pair{"", p.key + "=" + p.value}
		}
		if p.value == "on" || p.value == "off" { // a switch, such as password=on of -vnc
			continue
		}
		if _, again := members[p.key]; again { // a key that is given twice: its first value may be a secret, too
			if err := checkMembers(members); err != nil {
				return err
			}
		}
		members[p.key] = p.value
	}
	return checkMembers(members)
}

func checkMembers(members map[string]any) error {
	text, err := json.Marshal(members, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return err
	}
	return check(text)
}

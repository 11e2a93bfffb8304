package libvirt

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/wirejson"
)

// A message is a command or a reply: a JSON object.
type message struct{ members []member }

type member struct {
	name  string
	value jsontext.Value
}

var errNotObject = errors.New("it is not a JSON object")

// parseMessage reads an object, and nothing but one.
func parseMessage(text []byte) (*message, error) {
	d := jsontext.NewDecoder(bytes.NewReader(text), wirejson.Lenient())
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return nil, errors.Join(errNotObject, err)
	}
	m := &message{}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		m.members = append(m.members, member{key, value.Clone()})
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return nil, errNotObject
	}
	return m, nil
}

// newMessage returns a message with one member.
func newMessage(name, value string) *message {
	return &message{[]member{{name, jsontext.Value(value)}}}
}

// find returns the value of a member, nil if it is not there.
func (m *message) find(name string) jsontext.Value {
	for _, x := range m.members {
		if x.name == name {
			return x.value
		}
	}
	return nil
}

// take removes a member and returns its value, nil if it is not there.
func (m *message) take(name string) jsontext.Value {
	value := m.find(name)
	m.members = slices.DeleteFunc(m.members, func(x member) bool { return x.name == name })
	return value
}

// add adds a member unless its value is nil.
func (m *message) add(name string, value jsontext.Value) {
	if value != nil {
		m.members = append(m.members, member{name, value})
	}
}

// command is the name of the command, "" if it is not one.
func (m *message) command() string { return string(wirejson.Unquote(m.find("execute"))) }

// text is the message as it is sent to libvirt.
func (m *message) text() []byte { return m.join(":", ",") }

// line is the message as QEMU sends it.
func (m *message) line() []byte { return append(m.join(": ", ", "), "\r\n"...) }

func (m *message) join(colon, comma string) []byte {
	size := 2
	for _, x := range m.members {
		size += len(x.name) + len(x.value) + 8
	}
	b := append(make([]byte, 0, size), '{')
	for i, x := range m.members {
		if i > 0 {
			b = append(b, comma...)
		}
		b, _ = jsontext.AppendQuote(b, x.name) // an error says that it is not valid UTF-8, which is mended
		b = append(append(b, colon...), x.value...)
	}
	return append(b, '}')
}

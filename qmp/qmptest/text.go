package qmptest

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/wirejson"
)

// The texts below are spelled as QEMU spells them: a space after colons and
// commas, only ASCII, and the members in QEMU's order.

func (s *Server) greeting() []byte {
	version, err := printed(s.versionInfo())
	if err != nil {
		panic(err) // it is made of strings and integers
	}
	return fmt.Appendf(nil, `{"QMP": {"version": %s, "capabilities": ["oob"]}}`, version)
}

// versionInfo returns the result of query-version.
func (s *Server) versionInfo() any {
	type numbers struct {
		Micro int `json:"micro"`
		Minor int `json:"minor"`
		Major int `json:"major"`
	}
	return struct {
		QEMU    numbers `json:"qemu"`
		Package string  `json:"package"`
	}{numbers{s.version.Micro, s.version.Minor, s.version.Major}, s.version.Package}
}

func returnText(id jsontext.Value, result []byte) []byte {
	if id == nil {
		return fmt.Appendf(nil, `{"return": %s}`, result)
	}
	return fmt.Appendf(nil, `{"return": %s, "id": %s}`, result, idText(id))
}

func errorText(id jsontext.Value, err error) []byte {
	class, desc := errClass(err)
	text, printErr := printed(struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	}{class, desc})
	if printErr != nil { // text that is not UTF-8
		return errorText(id, generic("an error whose text cannot be encoded"))
	}
	if id == nil {
		return fmt.Appendf(nil, `{"error": %s}`, text)
	}
	return fmt.Appendf(nil, `{"id": %s, "error": %s}`, idText(id), text)
}

// strayText returns a reply that answers no command: a result or an error.
func strayText(id, result any) []byte {
	var idValue jsontext.Value
	if id != nil {
		text, err := printed(id)
		if err != nil {
			panic(fmt.Sprintf("qmptest: Stray: the id cannot be encoded: %v", err))
		}
		idValue = text
	}
	if err, ok := result.(error); ok {
		return errorText(idValue, err)
	}
	text, err := printed(result)
	if err != nil {
		panic(fmt.Sprintf("qmptest: Stray: the result cannot be encoded: %v", err))
	}
	return returnText(idValue, text)
}

// idText returns an id as QEMU prints it.
func idText(id jsontext.Value) []byte {
	text, err := printed(id)
	if err != nil {
		panic(err) // it was part of a request that could be read
	}
	return text
}

// eventMessage returns an event. data is JSON; nil if the event has no data.
func eventMessage(name string, at time.Time, data []byte) ([]byte, error) {
	quoted, err := printed(name)
	if err != nil {
		return nil, err
	}
	text := fmt.Appendf(nil, `{"timestamp": {"seconds": %d, "microseconds": %d}, "event": %s`,
		at.Unix(), at.Nanosecond()/1000, quoted)
	if data != nil {
		if data, err = printed(jsontext.Value(data)); err != nil {
			return nil, err
		}
		text = fmt.Appendf(text, `, "data": %s`, data)
	}
	return append(text, '}'), nil
}

// eventData returns when an event happened and its data as JSON, nil if it has none.
func eventData(data any) (at time.Time, text []byte, err error) {
	at = time.Now()
	if data == nil {
		return at, nil, nil
	}
	if text, err = printed(data); err != nil {
		return at, nil, err
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(text, &members); err != nil {
		return at, nil, fmt.Errorf("the data is not an object: %w", err)
	}
	if typed, ok := members["timestamp"]; ok { // that of the event, not a member of its data
		if err := json.Unmarshal(typed, &at); err != nil {
			return at, nil, err
		}
		delete(members, "timestamp")
		if text, err = printed(members); err != nil {
			return at, nil, err
		}
	}
	if len(members) == 0 {
		text = nil
	}
	return at, text, nil
}

// printed encodes a value in QEMU's spelling.
func printed(v any) ([]byte, error) {
	text, err := json.Marshal(v, json.Deterministic(true), jsontext.SpaceAfterColon(true), jsontext.SpaceAfterComma(true))
	return ascii(text), err
}

// indented returns a message as QEMU prints it over several lines. Even an empty
// object takes more than one line.
func indented(text []byte) []byte {
	var out []byte
	var place wirejson.Nesting
	line := func() { out = append(append(out, "\r\n"...), strings.Repeat("    ", place.Depth)...) }
	for i, c := range text {
		outside := place.Next(c)
		switch {
		case !outside:
		case c == '}' || c == ']':
			line()
		case c == ' ' && text[i-1] == ',':
			line()
			continue
		}
		out = append(out, c)
		if next := text[min(i+1, len(text)-1)]; outside && (c == '{' || c == '[') && next != '}' && next != ']' {
			line()
		}
	}
	return out
}

// ascii returns a text with all that is not ASCII as \uXXXX.
func ascii(text []byte) []byte {
	var out []byte
	for _, r := range string(text) {
		switch {
		case r < 0x7f:
			out = append(out, byte(r))
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04X\u%04X`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04X`, r)
		}
	}
	return out
}

// maxMessage is how long a client's message may be, in bytes, as it is with QEMU.
const maxMessage = 64 << 20

var errTooLong error = generic("the message is longer than 64 MiB")

// readMessage reads an object up to its closing brace, or a line of something else. For an
// agent, the byte resync makes it drop what it has read, and is returned. The rest of a message that
// is too long is skipped.
func readMessage(in *bufio.Reader, agent bool) ([]byte, error) {
	var text []byte
	length, place := 0, wirejson.Nesting{}
	keep := func(b byte) {
		if length++; length <= maxMessage {
			text = append(text, b)
		}
	}
	message := func() ([]byte, error) {
		if length > maxMessage {
			return nil, errTooLong
		}
		return text, nil
	}
	for {
		b, err := in.ReadByte()
		if err != nil {
			if length > 0 && err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if agent && b == resync {
			return []byte{resync}, nil
		}
		if length == 0 && (b == ' ' || b == '\t' || b == '\r' || b == '\n') {
			continue
		}
		keep(b)
		if !place.Next(b) {
			continue
		}
		if closes := b == '}' || b == ']'; closes && place.Depth <= 0 || b == '\n' && place.Depth == 0 {
			return message()
		}
	}
}

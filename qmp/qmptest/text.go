package qmptest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
	"unicode/utf16"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The texts below are spelled as QEMU spells them: a space behind colons and
// commas, ASCII alone, and the members in its order.

func (s *Server) greeting() []byte {
	version, err := printed(s.versionInfo())
	if err != nil {
		panic(err) // it is made of strings and integers
	}
	return fmt.Appendf(nil, `{"QMP": {"version": %s, "capabilities": ["oob"]}}`, version)
}

// versionInfo is the reply to query-version.
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

func returnText(id json.RawMessage, result any) ([]byte, error) {
	if result == nil {
		result = struct{}{}
	}
	value, err := printed(result)
	if err != nil {
		return nil, fmt.Errorf("qmptest: the reply cannot be encoded: %w", err)
	}
	if id == nil {
		return fmt.Appendf(nil, `{"return": %s}`, value), nil
	}
	return fmt.Appendf(nil, `{"return": %s, "id": %s}`, value, id), nil
}

func errorText(id json.RawMessage, err error) []byte {
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
	return fmt.Appendf(nil, `{"id": %s, "error": %s}`, id, text)
}

func eventText(name string, data any) ([]byte, error) {
	now := time.Now()
	text := fmt.Appendf(nil, `{"timestamp": {"seconds": %d, "microseconds": %d}, "event": %q`,
		now.Unix(), now.Nanosecond()/1000, name)
	if data == nil {
		return append(text, '}'), nil
	}
	value, err := printed(data)
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(value, &members); err != nil {
		return nil, fmt.Errorf("the data is no object: %w", err)
	}
	if _, typed := members["timestamp"]; typed {
		delete(members, "timestamp")
		if value, err = printed(members); err != nil {
			return nil, err
		}
	}
	if len(members) == 0 {
		return append(text, '}'), nil
	}
	return fmt.Appendf(text, `, "data": %s}`, value), nil
}

// printed encodes a value in QEMU's spelling.
func printed(v any) ([]byte, error) {
	text, err := jsonv2.Marshal(v, jsonv2.Deterministic(true),
		jsontext.SpaceAfterColon(true), jsontext.SpaceAfterComma(true))
	if err != nil {
		return nil, err
	}
	value := jsontext.Value(text)
	if err := value.Format(jsontext.SpaceAfterColon(true), jsontext.SpaceAfterComma(true)); err != nil {
		return nil, err
	}
	return ascii(value), nil
}

// indented is a message as QEMU prints it over several lines.
func indented(text []byte) []byte {
	value := jsontext.Value(slices.Clone(text))
	if err := value.Indent(jsontext.WithIndent("    ")); err != nil {
		return text
	}
	return bytes.ReplaceAll(ascii(value), []byte("\n"), []byte("\r\n"))
}

// ascii writes what is not ASCII as \uXXXX.
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

// readMessage reads an object up to the brace that closes it, or a line of what
// is no object.
func readMessage(in *bufio.Reader) ([]byte, error) {
	var text []byte
	depth, quoted := 0, false
	for {
		b, err := in.ReadByte()
		if err != nil {
			if len(text) > 0 && err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if len(text) == 0 && (b == ' ' || b == '\t' || b == '\r' || b == '\n') {
			continue
		}
		text = append(text, b)
		switch {
		case quoted && b == '\\':
			next, err := in.ReadByte()
			if err != nil {
				return nil, err
			}
			text = append(text, next)
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '{' || b == '[':
			depth++
		case b == '}' || b == ']':
			if depth--; depth <= 0 {
				return text, nil
			}
		case b == '\n' && depth == 0:
			return text, nil
		}
	}
}

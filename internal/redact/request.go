package redact

import (
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/wirejson"
)

// A Request has what must be known about a command to hide its secrets in later text: in its
// reply and in errors. The zero Request is that of a command without secrets.
type Request struct {
	hides   bool     // the command's result is a secret
	secrets []string // the secrets in the command
}

// ReadRequest reads a command as it is sent, with its arguments.
func ReadRequest(message []byte) Request {
	var f finder
	if f.find(message) != nil {
		return Request{}
	}
	return Request{hides: hidesResult(message), secrets: f.strings()}
}

// strings returns the strings in the secrets that were found.
func (f *finder) strings() []string {
	var all []string
	end := 0
	for _, s := range f.sorted() {
		for at := max(s.from, end); at < s.to; {
			switch f.text[at] {
			case '{', '}', '[', ']', ':', ',':
				at++
				continue
			}
			next := wirejson.EndOfScalar(f.text, at)
			if next == len(f.text) || f.text[next] != ':' { // not a name
				all = append(all, unquote(f.text[at:next]))
			}
			at = next
		}
		end = max(end, s.to)
	}
	return all
}

// hidesResult reports whether the result of a command is a secret: that of qom-get for
// a secret property, that of ringbuf-read, since ringbuf-write has written it, and that of a
// command of the human monitor, unless it is harmless.
func hidesResult(message []byte) bool {
	var m struct {
		Execute   string         `json:"execute"`
		OutOfBand string         `json:"exec-oob"`
		Arguments jsontext.Value `json:"arguments"`
	}
	var args struct {
		Property    any `json:"property"`
		CommandLine any `json:"command-line"`
	}
	if json.Unmarshal(message, &m, wirejson.Lenient()) != nil || json.Unmarshal(m.Arguments, &args, wirejson.Lenient()) != nil {
		return false
	}
	text := func(v any) string { s, _ := v.(string); return s }
	switch m.Execute + m.OutOfBand {
	case "qom-get":
		return slices.Contains(properties, text(args.Property))
	case "human-monitor-command":
		return !slices.Contains(harmless, firstWord(text(args.CommandLine)))
	case "ringbuf-read":
		return true
	}
	return false
}

// HasSecrets reports whether text about the command may have secrets of the command.
func (r Request) HasSecrets() bool { return r.hides || len(r.secrets) > 0 }

// Or returns a request with the secrets of both.
func (r Request) Or(other Request) Request {
	return Request{r.hides || other.hides, slices.Concat(r.secrets, other.secrets)}
}

// Result is like [JSON], for the command's result.
func (r Request) Result(text []byte) []byte {
	return hide(text, finder{all: r.hides}, writer{quoted: r.secrets})
}

// Error is like [JSON], for the member error of the reply to the command.
func (r Request) Error(text []byte) []byte { return hide(text, finder{}, writer{quoted: r.secrets}) }

// Message is like [JSON], for the whole reply to the command. Base64 stays decodable.
func (r Request) Message(text []byte) []byte {
	return hide(text, finder{result: r.hides}, writer{quoted: r.secrets, base64: true})
}

// Text is like the function [Text], for text about the command.
func (r Request) Text(s string) string { return hideQuoted(Text(s), r.secrets) }
